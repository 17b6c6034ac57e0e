"""Padding to size classes (docs/spec/e2ee.md section 4): 0x80, then zeros."""

from __future__ import annotations

from secure_msg.codec.messages import SIZE_CLASSES
from secure_msg.e2ee.errors import Misuse, PeerViolation


def pad(plaintext: bytes) -> bytes:
    """`plaintext` grown to the smallest size class that holds it and its mark. Raises Misuse."""
    return pad_to(plaintext, _size_class(len(plaintext)))


def pad_to(plaintext: bytes, size: int) -> bytes:
    """Exactly `size` bytes. Raises Misuse."""
    if len(plaintext) >= size:
        raise Misuse(f"{len(plaintext)} bytes do not fit into {size}")
    return plaintext + b"\x80" + bytes(size - len(plaintext) - 1)


def unpad(padded: bytes) -> bytes:
    """What `pad` was given; another than the smallest class is refused. Raises PeerViolation."""
    plaintext = unpad_from(padded)
    if _size_class(len(plaintext)) != len(padded):
        raise PeerViolation("padding: not the smallest size class")
    return plaintext


def unpad_from(padded: bytes) -> bytes:
    """What `pad_to` was given. Raises PeerViolation."""
    stripped = padded.rstrip(b"\x00")
    if not stripped.endswith(b"\x80"):
        raise PeerViolation("padding: no mark before the zeros")
    return stripped[:-1]


def _size_class(length: int) -> int:
    for size in SIZE_CLASSES:
        if length < size:
            return size
    raise Misuse("longer than the largest size class")
