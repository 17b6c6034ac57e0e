"""What a member may read: threads, entries, marks, receipts, and the own private files."""

from __future__ import annotations

from secure_msg.codec.http import (
    MAX_MARK,
    MAX_PAGE,
    SERVER_PATHS,
    EntriesPage,
    Mark,
    Marks,
    PrivateBlob,
    PrivateItem,
    PrivateList,
    ThreadItem,
    ThreadList,
    WireEntry,
)
from secure_msg.codec.proofs import Receipt
from secure_msg.ledger.transaction import Store
from secure_msg.messages.errors import Malformed, NotFound
from secure_msg.messages.marks import mark_path
from secure_msg.messages.port import Accounts
from secure_msg.messages.threads import Threads

# Pages of the largest bodies stay well under what a client accepts.
MAX_PAGE_BYTES = 4 * 1024 * 1024


class Reading:
    """Everything that is not the caller's is NotFound, as is everything that does not exist."""

    def __init__(self, store: Store, threads: Threads, accounts: Accounts) -> None:
        self._store = store
        self._threads = threads
        self._accounts = accounts

    def threads(self, caller: bytes) -> ThreadList:
        return ThreadList(
            tuple(
                ThreadItem(
                    row.thread,
                    row.peer,
                    self._accounts.name(row.peer) or "",
                    row.size,
                    row.last_time,
                )
                for row in self._threads.listed(caller)
            )
        )

    def open(self, caller: bytes, peer: bytes) -> tuple[bytes, int]:
        """The thread between two people and its size, 0 while nothing was written."""
        if peer == caller or self._accounts.name(peer) is None:
            raise NotFound
        thread = self._threads.direct(caller, peer)
        return thread, self._store.head(thread).size

    def entries(self, caller: bytes, thread: bytes, start: int, count: int) -> EntriesPage:
        """At most `count` entries from `start` on, fewer where they are large."""
        self._require_member(caller, thread)
        if not 1 <= count <= MAX_PAGE:
            raise Malformed("count")
        return self.page(thread, start, count)

    def page(self, thread: bytes, start: int, count: int) -> EntriesPage:
        head = self._store.head_proof(thread)
        if start > head.size:
            raise Malformed("start")
        entries: list[WireEntry] = []
        room = MAX_PAGE_BYTES
        stored = self._store.entries(thread, start, min(count, head.size - start))
        for entry in stored:
            room -= len(entry.body or b"")
            if entries and room < 0:
                break
            entries.append(WireEntry(entry.header, entry.salt, entry.body))
        frontier = self._store.frontier(thread, start)
        return EntriesPage(thread, start, frontier.hashes, tuple(entries), head)

    def marks(self, caller: bytes, thread: bytes) -> Marks:
        """Both members' read marks, as far as they have any."""
        self._require_member(caller, thread)
        found = []
        for member in self._threads.members(thread) or ():
            file = self._store.private(member, mark_path(thread))
            # A file that stood there before the thread did is no mark.
            if file is not None and len(file.blob) <= MAX_MARK:
                found.append(Mark(member, file.blob))
        return Marks(tuple(found))

    def private_list(self, caller: bytes) -> PrivateList:
        return PrivateList(
            tuple(
                PrivateItem(name.path, name.version, name.size)
                for name in self._store.private_names(caller)
                if name.path not in SERVER_PATHS
            )
        )

    def private(self, caller: bytes, path: bytes) -> PrivateBlob:
        file = None if path in SERVER_PATHS else self._store.private(caller, path)
        if file is None:
            raise NotFound
        return PrivateBlob(path, file.version, file.blob)

    def receipt(self, caller: bytes, chain: bytes, sequence: int) -> Receipt:
        """Of an own thread's entry, or of any account's."""
        member = self._threads.peer(chain, caller) is not None
        if not member and self._accounts.name(chain) is None:
            raise NotFound
        if sequence >= self._store.head(chain).size:
            raise NotFound
        return self._store.receipt(chain, sequence)

    def other_member(self, caller: bytes, thread: bytes) -> bytes:
        """Whom typing is relayed to. Raises NotFound."""
        peer = self._threads.peer(thread, caller)
        if peer is None:
            raise NotFound
        return peer

    def _require_member(self, caller: bytes, thread: bytes) -> None:
        if self._threads.peer(thread, caller) is None:
            raise NotFound
