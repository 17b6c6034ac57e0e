"""Read marks: how far a member has read, for the thread's members alone (e2ee.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec import cbor
from secure_msg.codec.schema import Uint, from_bytes, record, to_bytes
from secure_msg.crypto.aead import AES_256_GCM
from secure_msg.crypto.errors import DecryptionFailed
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.e2ee import state
from secure_msg.e2ee.errors import AuthenticationFailed, Misuse, PeerViolation, peers_fault
from secure_msg.e2ee.padding import pad_to, unpad_from
from secure_msg.e2ee.state import ThreadState

MARK_SIZE = 32 + 32 + 48
_PLAIN_SIZE = 32
_NONCE = bytes(12)


@record
@dataclass(frozen=True, slots=True)
class ReadMark:
    """Everything up to `sequence` was read at `time`."""

    sequence: Annotated[int, Uint()]
    time: Annotated[int, Uint()]


def mark_path(thread: bytes) -> bytes:
    """The well-known path in the author's folder."""
    return sha256(b"securemsg/file/mark/1", thread)


def seal_mark(now: ThreadState, author: bytes, mark: ReadMark, salt: bytes) -> bytes:
    """session ‖ salt ‖ sealed, under the current session's mark key. `salt` is 32 fresh bytes."""
    session = state.session_of(now, now.current)
    if session is None:
        raise Misuse("no current session")
    key = _key(session.mark, salt, author)
    plain = pad_to(to_bytes(mark), _PLAIN_SIZE)
    return session.id + salt + AES_256_GCM.seal(key, _NONCE, plain, _ad(now, author))


def open_mark(now: ThreadState, author: bytes, blob: bytes) -> ReadMark:
    """The peer's (or own) mark. Raises PeerViolation, AuthenticationFailed."""
    if len(blob) != MARK_SIZE:
        raise PeerViolation("mark: wrong length")
    session = state.session_of(now, blob[:32])
    if session is None:
        raise PeerViolation("mark: of a session that is not held")
    key = _key(session.mark, blob[32:64], author)
    try:
        plain = AES_256_GCM.open(key, _NONCE, blob[64:], _ad(now, author))
    except DecryptionFailed:
        raise AuthenticationFailed("mark: not authentic") from None
    with peers_fault("mark"):
        return from_bytes(ReadMark, unpad_from(plain))


def _key(mark: bytes, salt: bytes, author: bytes) -> bytes:
    return hkdf_sha512(mark, salt=salt, info=b"securemsg/mark/1" + author, length=32)


def _ad(now: ThreadState, author: bytes) -> bytes:
    return cbor.encode([now.thread, author])
