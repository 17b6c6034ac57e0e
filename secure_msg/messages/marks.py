"""Read marks: files of their author that the thread's other member may read."""

from __future__ import annotations

from secure_msg.codec.http import MAX_MARK
from secure_msg.codec.schema import MalformedData
from secure_msg.ledger.transaction import Put
from secure_msg.messages.port import MarkMoved
from secure_msg.messages.threads import Threads, mark_path

__all__ = ["mark_path", "moved_marks"]


def moved_marks(threads: Threads, account: bytes, puts: tuple[Put, ...]) -> tuple[MarkMoved, ...]:
    """Which of these puts are read marks, and whom they concern. Raises MalformedData."""
    found = []
    for put in puts:
        thread = threads.marked(put.path)
        other = None if thread is None else threads.peer(thread, account)
        if thread is not None and other is not None and put.blob:
            if len(put.blob) > MAX_MARK:
                raise MalformedData(f"PutFile.blob: a read mark over {MAX_MARK} bytes")
            found.append(MarkMoved(thread, account, other, put.blob))
    return tuple(found)
