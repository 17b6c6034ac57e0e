"""SHA-256, SHA-512 (FIPS 180-4) and SHA3-512 (FIPS 202) over concatenated parts.

The parts are joined without separators: a caller whose parts vary in length encodes the lengths.
"""

import hashlib

_sha256 = hashlib.sha256
_join = b"".join


def sha256(*parts: bytes) -> bytes:
    """32 bytes."""
    return _sha256(_join(parts)).digest()


def sha512(*parts: bytes) -> bytes:
    """64 bytes."""
    return hashlib.sha512(b"".join(parts)).digest()


def sha3_512(*parts: bytes) -> bytes:
    """64 bytes."""
    return hashlib.sha3_512(b"".join(parts)).digest()
