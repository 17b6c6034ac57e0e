"""Padding to size classes (docs/spec/e2ee.md section 4): 0x80, then zeros."""

from __future__ import annotations

from secure_msg.codec.messages import SIZE_CLASSES
from secure_msg.e2ee.errors import Misuse, PeerViolation


def pad(plaintext: bytes) -> bytes:
    """`plaintext` grown to the smallest size class that holds it and its mark. Raises Misuse."""
    for size in SIZE_CLASSES:
        if len(plaintext) < size:
            return pad_to(plaintext, size)
    raise Misuse("longer than the largest size class")


def pad_to(plaintext: bytes, size: int) -> bytes:
    """Exactly `size` bytes. Raises Misuse."""
    if len(plaintext) >= size:
        raise Misuse(f"{len(plaintext)} bytes do not fit into {size}")
    return plaintext + b"\x80" + bytes(size - len(plaintext) - 1)


def unpad(padded: bytes) -> bytes:
    """What was padded. Raises PeerViolation."""
    stripped = padded.rstrip(b"\x00")
    if not stripped.endswith(b"\x80"):
        raise PeerViolation("padding without its mark")
    return stripped[:-1]
