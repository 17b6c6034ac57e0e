"""HMAC (RFC 2104) over concatenated parts, and comparison in constant time."""

import hmac


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """32 bytes. Parts are joined without separators."""
    return hmac.digest(key, b"".join(parts), "sha256")


def hmac_sha512(key: bytes, *parts: bytes) -> bytes:
    """64 bytes. Parts are joined without separators."""
    return hmac.digest(key, b"".join(parts), "sha512")


def equal(a: bytes, b: bytes) -> bool:
    """Whether a and b are the same; the time taken depends on their lengths alone."""
    return hmac.compare_digest(a, b)
