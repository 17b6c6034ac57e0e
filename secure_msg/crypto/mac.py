"""HMAC (RFC 2104) over concatenated parts, and comparison in constant time."""

import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """32 bytes. Parts are joined without separators."""
    return hmac.digest(key, b"".join(parts), "sha256")


def hmac_sha512(key: bytes, *parts: bytes) -> bytes:
    """64 bytes. Parts are joined without separators."""
    return hmac.digest(key, b"".join(parts), "sha512")


class HmacSha256:
    """HMAC-SHA-256 under one key that serves for many MACs: its schedule is computed once."""

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        self._keyed = HMAC(key, hashes.SHA256())

    def __call__(self, *parts: bytes) -> bytes:
        """32 bytes. Parts are joined without separators."""
        mac = self._keyed.copy()
        mac.update(b"".join(parts))
        return mac.finalize()


def equal(a: bytes, b: bytes) -> bool:
    """Whether a and b are the same; the time taken depends on their lengths alone."""
    return hmac.compare_digest(a, b)
