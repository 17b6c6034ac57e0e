"""Direct threads: their ids, their two members, and who sees which."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import hmac_sha256
from secure_msg.ledger.chain import read_header
from secure_msg.ledger.transaction import Damaged, Placed, Store

ID_SIZE = 32


def mark_path(thread: bytes) -> bytes:
    """The well-known path of a thread's mark in each member's folder (docs/spec/e2ee.md 6)."""
    return sha256(b"securemsg/file/mark/1", thread)


@dataclass(slots=True)
class _Row:
    """`size` and `last_time` are None until they were asked for or committed."""

    members: tuple[bytes, bytes]
    size: int | None = None
    last_time: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    thread: bytes
    peer: bytes
    size: int
    last_time: int


class Threads:
    """An index over the thread chains' labels, built at start: about 500 bytes a thread."""

    def __init__(self, store: Store, thread_key: bytes) -> None:
        self._store = store
        self._key = thread_key
        self._rows: dict[bytes, _Row] = {}
        self._of: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._marks: dict[bytes, bytes] = {}
        # One object an account, however many threads name it.
        self._ids: dict[bytes, bytes] = {}
        for thread, label in store.chains("thread"):
            self._add(thread, (label[:ID_SIZE], label[ID_SIZE:]))

    def direct(self, one: bytes, other: bytes) -> bytes:
        """The id of the thread between two accounts (docs/spec/storage.md, "Names")."""
        lower, higher = sorted((one, other))
        return hmac_sha256(self._key, b"direct", lower, higher)

    def members(self, thread: bytes) -> tuple[bytes, bytes] | None:
        """Opener and peer; None when nothing was written yet."""
        row = self._rows.get(thread)
        return None if row is None else row.members

    def peer(self, thread: bytes, account: bytes) -> bytes | None:
        """The other member, seen from a member; None for everybody else."""
        members = self.members(thread)
        if members is None or account not in members:
            return None
        return members[1] if members[0] == account else members[0]

    def listed(self, account: bytes) -> tuple[Listed, ...]:
        found = []
        for thread in self._of.get(account, ()):
            row = self._rows[thread]
            size = self._loaded(thread, row)
            peer = row.members[1] if row.members[0] == account else row.members[0]
            found.append(Listed(thread, peer, size, row.last_time))
        return tuple(found)

    def of(self, account: bytes) -> tuple[bytes, ...]:
        return tuple(self._of.get(account, ()))

    def marked(self, path: bytes) -> bytes | None:
        """The thread whose read mark has this path in its members' folders."""
        return self._marks.get(path)

    def committed(self, placed: Placed, members: tuple[bytes, bytes]) -> None:
        """Note an entry that was committed to a thread."""
        row = self._rows.get(placed.chain) or self._add(placed.chain, members)
        if row.size is not None or placed.sequence == 0:
            row.size = max(row.size or 0, placed.sequence + 1)
            row.last_time = max(row.last_time, placed.time)

    def grown(self, thread: bytes, label: bytes, size: int, time: int) -> None:
        """A thread has this many entries since a commit that any process asked for."""
        known = self._rows.get(thread)
        row = known or self._add(thread, (label[:ID_SIZE], label[ID_SIZE:]))
        if row.size is not None or known is None:
            row.size = max(row.size or 0, size)
            row.last_time = max(row.last_time, time)

    def _add(self, thread: bytes, members: tuple[bytes, bytes]) -> _Row:
        one, other = (self._ids.setdefault(member, member) for member in members)
        row = self._rows[thread] = _Row((one, other))
        for member in (one, other):
            self._of[member].append(thread)
        self._marks[mark_path(thread)] = thread
        return row

    def _loaded(self, thread: bytes, row: _Row) -> int:
        if row.size is None:
            size = self._store.head(thread).size
            last = self._store.entries(thread, size - 1, 1)
            if not last:
                raise Damaged("a thread has no last entry")
            row.last_time = max(row.last_time, read_header(last[0].header).time)
            row.size = size
        return row.size
