"""SHA-256, SHA-512 (FIPS 180-4) and SHA3-512 (FIPS 202) over concatenated parts.

The parts are joined without separators: a caller whose parts vary in length encodes the lengths.
"""

import hashlib


def sha256(*parts: bytes) -> bytes:
    """32 bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def sha512(*parts: bytes) -> bytes:
    """64 bytes."""
    digest = hashlib.sha512()
    for part in parts:
        digest.update(part)
    return digest.digest()


def sha3_512(*parts: bytes) -> bytes:
    """64 bytes."""
    digest = hashlib.sha3_512()
    for part in parts:
        digest.update(part)
    return digest.digest()
