"""From what a person knows to the keys that log in and unlock (docs/spec/e2ee.md section 6)."""

from __future__ import annotations

import base64
import unicodedata
from dataclasses import dataclass

from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.password import argon2id
from secure_msg.crypto.random import RandomBytes
from secure_msg.e2ee.errors import Misuse, ServerViolation

MIN_MEMORY_KIB = 65_536
MAX_MEMORY_KIB = 1_048_576
MIN_PASSES = 3
MAX_PASSES = 16
CODE_SIZE = 20

_RFC4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WRITE = str.maketrans(_RFC4648, _CROCKFORD)
_READ = str.maketrans(_CROCKFORD, _RFC4648)
_FOLD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})


@dataclass(frozen=True, slots=True)
class KdfParameters:
    """Argon2id's cost, as the server stored it at registration."""

    memory_kib: int = MIN_MEMORY_KIB
    passes: int = MIN_PASSES
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class UnlockKeys:
    """32 bytes each: `login` proves the password to the server, `personal` opens the vault."""

    login: bytes
    personal: bytes


@dataclass(frozen=True, slots=True)
class RecoveryKeys:
    """32 bytes each, as UnlockKeys, of a recovery code."""

    login: bytes
    recovery: bytes


def check_parameters(parameters: KdfParameters) -> None:
    """Refuse what would make guessing cheap, or this machine fall over. Raises ServerViolation."""
    if (
        not MIN_MEMORY_KIB <= parameters.memory_kib <= MAX_MEMORY_KIB
        or not MIN_PASSES <= parameters.passes <= MAX_PASSES
        or parameters.lanes != 1
    ):
        raise ServerViolation("derivation parameters outside the client's bounds")


def derive_unlock(
    password: str,
    *,
    server: bytes,
    skeleton: str,
    stored_random: bytes,
    parameters: KdfParameters,
    second_secret: bytes | None = None,
) -> UnlockKeys:
    """The keys of a password, and of a second secret where one is set. Raises ServerViolation."""
    check_parameters(parameters)
    if len(server) != 32 or len(stored_random) != 32:
        raise ServerViolation("server id or stored random of the wrong length")
    salt = sha256(server, skeleton.encode(), stored_random)
    master = argon2id(
        unicodedata.normalize("NFKC", password).encode(),
        salt,
        memory_kib=parameters.memory_kib,
        passes=parameters.passes,
        lanes=parameters.lanes,
        length=32,
    )
    if second_secret is not None:
        master = _key(master + second_secret, salt, b"securemsg/second-secret/1")
    return UnlockKeys(
        _key(master, salt, b"securemsg/login/1"), _key(master, salt, b"securemsg/personal/1")
    )


def new_recovery_code(random: RandomBytes) -> str:
    return write_recovery_code(random(CODE_SIZE))


def write_recovery_code(code: bytes) -> str:
    """20 bytes as 8 groups of 4 characters of Crockford's base32."""
    if len(code) != CODE_SIZE:
        raise Misuse("a recovery code has 20 bytes")
    text = base64.b32encode(code).decode().translate(_WRITE)
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def read_recovery_code(text: str) -> bytes:
    """The 20 bytes of a code as a person typed it. Raises Misuse."""
    folded = "".join(text.upper().split()).translate(_FOLD)
    if len(folded) != 32 or any(character not in _CROCKFORD for character in folded):
        raise Misuse("not a recovery code")
    return base64.b32decode(folded.translate(_READ))


def recovery_keys(code: bytes, account: bytes) -> RecoveryKeys:
    """The keys of a recovery code (20 bytes) of that account."""
    if len(code) != CODE_SIZE:
        raise Misuse("a recovery code has 20 bytes")
    return RecoveryKeys(
        _key(code, account, b"securemsg/recovery-login/1"),
        _key(code, account, b"securemsg/recovery/1"),
    )


def _key(ikm: bytes, salt: bytes, info: bytes) -> bytes:
    return hkdf_sha512(ikm, salt=salt, info=info, length=32)
