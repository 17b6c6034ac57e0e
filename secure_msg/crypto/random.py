"""Sources of random bytes, passed as arguments to everything that needs them."""

import secrets
from collections.abc import Callable

from secure_msg.crypto.errors import InvalidParameter
from secure_msg.crypto.mac import hmac_sha512

RandomBytes = Callable[[int], bytes]


def system_random(size: int) -> bytes:
    """`size` bytes from the operating system."""
    if size < 0:
        raise InvalidParameter("a number of random bytes is not negative")
    return secrets.token_bytes(size)


class SeededRandom:
    """A reproducible stream for tests and simulations. Not for secrets in production: whoever
    knows the seed knows every byte.

    Block i = HMAC-SHA-512(seed, uint64_be(i)), i from 0, concatenated; each call takes the next
    bytes. TypeScript's SeededRandom gives the same (tests/vectors/project/seeded_random.json).
    """

    __slots__ = ("_buffer", "_counter", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0
        self._buffer = bytearray()

    def __call__(self, size: int) -> bytes:
        if size < 0:
            raise InvalidParameter("a number of random bytes is not negative")
        while len(self._buffer) < size:
            self._buffer += hmac_sha512(self._seed, self._counter.to_bytes(8, "big"))
            self._counter += 1
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
