"""Argon2id (RFC 9106, version 0x13)."""

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from secure_msg.crypto.errors import InvalidParameter

MIN_SALT_SIZE = 8
MAX_UINT32 = 2**32 - 1
MAX_LANES = 2**24 - 1


def argon2id(
    password: bytes, salt: bytes, *, memory_kib: int, passes: int, lanes: int, length: int
) -> bytes:
    """`length` bytes (at least 4), using `memory_kib` KiB (at least 8 a lane).

    Takes `memory_kib` of memory at once: a server bounds how many run side by side.
    """
    in_range = (
        len(salt) >= MIN_SALT_SIZE
        and 1 <= lanes <= MAX_LANES
        and 1 <= passes <= MAX_UINT32
        and 8 * lanes <= memory_kib <= MAX_UINT32
        and 4 <= length <= MAX_UINT32
    )
    if not in_range:
        raise InvalidParameter("Argon2id parameters are out of range")
    derivation = Argon2id(
        salt=salt, length=length, iterations=passes, lanes=lanes, memory_cost=memory_kib
    )
    return derivation.derive(password)
