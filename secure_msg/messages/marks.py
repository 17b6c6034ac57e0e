"""Read marks: files of their author that the thread's other member may read."""

from __future__ import annotations

from functools import lru_cache

from secure_msg.codec.http import MAX_MARK
from secure_msg.codec.schema import MalformedData
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.transaction import Put
from secure_msg.messages.port import MarkMoved
from secure_msg.messages.threads import Threads


@lru_cache(maxsize=65_536)
def mark_path(thread: bytes) -> bytes:
    """The well-known path of a thread's mark in each member's folder (docs/spec/e2ee.md 6)."""
    return sha256(b"securemsg/file/mark/1", thread)


def moved_marks(threads: Threads, account: bytes, puts: tuple[Put, ...]) -> tuple[MarkMoved, ...]:
    """Which of these puts are read marks, and whom they concern. Raises MalformedData."""
    small = {put.path: put.blob for put in puts if put.blob and len(put.blob) <= MAX_MARK}
    large = {put.path for put in puts if put.blob and len(put.blob) > MAX_MARK}
    found = []
    for thread in threads.of(account):
        path = mark_path(thread)
        if path in large:
            raise MalformedData(f"PutFile.blob: a read mark over {MAX_MARK} bytes")
        other = threads.peer(thread, account)
        if path in small and other is not None:
            found.append(MarkMoved(thread, account, other, small[path] or b""))
    return tuple(found)
