"""HMAC (RFC 2104) over concatenated parts, and comparison in constant time."""

import hmac


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """32 bytes. Parts are joined without separators."""
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(part)
    return mac.digest()


def hmac_sha512(key: bytes, *parts: bytes) -> bytes:
    """64 bytes. Parts are joined without separators."""
    mac = hmac.new(key, digestmod="sha512")
    for part in parts:
        mac.update(part)
    return mac.digest()


def equal(a: bytes, b: bytes) -> bool:
    """Whether a and b are the same; the time taken depends on their lengths alone."""
    return hmac.compare_digest(a, b)
