"""HKDF, extract-then-expand (RFC 5869)."""

from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secure_msg.crypto.errors import InvalidParameter


def hkdf_sha512(ikm: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes, 1 to 16320 (RFC 5869 section 2.3). An empty salt stands for 64 zeros."""
    return _hkdf(SHA512(), ikm, salt, info, length)


def hkdf_sha256(ikm: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes, 1 to 8160 (RFC 5869 section 2.3). An empty salt stands for 32 zeros."""
    return _hkdf(SHA256(), ikm, salt, info, length)


def _hkdf(algorithm: HashAlgorithm, ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    if not 1 <= length <= 255 * algorithm.digest_size:
        raise InvalidParameter("HKDF output length is out of range")
    return HKDF(algorithm, length, salt, info).derive(ikm)
