"""Announcements where several processes share one store (docs/scaling.md).

What a process committed it tells its own sockets and, by the bus, the other processes. The bus may
lose anything: each process also follows the commits themselves, and what nobody told it within a
moment it tells its sockets on its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Protocol

import gevent
from gevent.queue import Full, Queue

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.http import MAX_MARK
from secure_msg.codec.schema import Bytes, Fixed, Many, Nested, Uint, from_bytes, record, to_bytes
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.followed import ChangedPrivateFile, Followed, GrownChain
from secure_msg.ledger.transaction import Store, StoreError
from secure_msg.messages.marks import mark_path
from secure_msg.messages.port import Announcement, Appended, FolderChanged, MarkMoved
from secure_msg.messages.threads import Threads
from secure_msg.web.realtime import Realtime

LOG = logging.getLogger("secure_msg.relay")

MAC_SIZE = 32
WAITING = 4_096
BEHIND_SECONDS = 5.0
SWEEP_SECONDS = 0.25
GRACE_SECONDS = 1.5
"""How long the bus has to tell what was committed before the process tells it by itself."""
MAX_MESSAGE = 8 << 20


class Bus(Protocol):
    def publish(self, data: bytes) -> None:
        """May fail in silence; blocks while it is at work."""

    def messages(self) -> Iterable[bytes]:
        """Without end; what is published while it is not connected is lost."""


class SharedStore(Store, Protocol):
    @property
    def log_size(self) -> int: ...

    def wait_beyond(self, size: int, seconds: float) -> bool: ...


@record
@dataclass(frozen=True, slots=True)
class RelayedEntries:
    thread: Annotated[bytes, Fixed(32)]
    members: Annotated[tuple[bytes, ...], Many(Fixed(32), 1_024)]
    first: Annotated[int, Uint()]
    last: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class RelayedFile:
    account: Annotated[bytes, Fixed(32)]
    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    size: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class RelayedMark:
    thread: Annotated[bytes, Fixed(32)]
    account: Annotated[bytes, Fixed(32)]
    other: Annotated[bytes, Fixed(32)]
    blob: Annotated[bytes, Bytes(MAX_MARK)]


@record
@dataclass(frozen=True, slots=True)
class RelayedTyping:
    thread: Annotated[bytes, Fixed(32)]
    sender: Annotated[bytes, Fixed(32)]
    other: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class Relayed:
    """`origin` is the telling process, `seen` the log's size that covers what it tells."""

    origin: Annotated[bytes, Fixed(16)]
    seen: Annotated[int, Uint()]
    entries: Annotated[tuple[RelayedEntries, ...], Many(Nested(RelayedEntries), 1_024)]
    files: Annotated[tuple[RelayedFile, ...], Many(Nested(RelayedFile), 1_024)]
    marks: Annotated[tuple[RelayedMark, ...], Many(Nested(RelayedMark), 1_024)]
    typing: Annotated[tuple[RelayedTyping, ...], Many(Nested(RelayedTyping), 1_024)]


@dataclass(slots=True)
class _Untold:
    announcement: Appended | FolderChanged
    due: float


class Relay:
    """An Announcer, and a Follower of the store. Without a bus what others commit is followed."""

    def __init__(self, store: SharedStore, live: Realtime, key: bytes, process: bytes) -> None:
        self._store = store
        self._live = live
        self._key = key
        self._process = process
        self._threads: Threads | None = None
        self._bus: Bus | None = None
        self._grace = 0.0
        self._outgoing: Queue[bytes] = Queue(WAITING)
        self._untold: dict[bytes, _Untold] = {}

    def start(self, threads: Threads, bus: Bus | None) -> None:
        self._threads = threads
        self._live.relay_typing = self._relay_typing
        gevent.spawn(self._sweep)
        if bus is not None:
            self._bus, self._grace = bus, GRACE_SECONDS
            gevent.spawn(self._publish, bus)
            gevent.spawn(self._listen, bus)

    # What this process committed.

    def announce(self, announcements: Iterable[Announcement], origin: str | None) -> None:
        told = tuple(announcements)
        self._tell(told, origin)
        if told and self._bus is not None:
            self._send(_relayed(self._process, self._store.log_size, told))

    def _relay_typing(self, thread: bytes, sender: bytes, other: bytes) -> None:
        if self._bus is not None:
            typing = (RelayedTyping(thread, sender, other),)
            self._send(Relayed(self._process, 0, (), (), (), typing))

    def _send(self, message: Relayed) -> None:
        data = to_bytes(message)
        try:
            self._outgoing.put_nowait(hmac_sha256(self._key, data) + data)
        except Full:  # the others follow the commits
            return

    def _publish(self, bus: Bus) -> None:
        while True:
            bus.publish(self._outgoing.get())

    # What others committed, as the bus tells it.

    def _listen(self, bus: Bus) -> None:
        for data in bus.messages():
            message = self._opened(data)
            if message is not None and message.origin != self._process:
                gevent.spawn(self._take, message)

    def _opened(self, data: bytes) -> Relayed | None:
        if not equal(hmac_sha256(self._key, data[MAC_SIZE:]), data[:MAC_SIZE]):
            LOG.warning("a message on the bus does not check")
            return None
        try:
            return from_bytes(Relayed, data[MAC_SIZE:], limit=MAX_MESSAGE)
        except MalformedData:
            LOG.warning("a message on the bus is malformed")
            return None

    def _take(self, message: Relayed) -> None:
        for one in message.typing:
            self._live.typing(one.thread, one.sender, one.other)
        told: tuple[Announcement, ...] = (
            *(Appended(one.thread, one.members, one.first, one.last) for one in message.entries),
            *(FolderChanged(one.account, one.path, one.version, one.size) for one in message.files),
            *(MarkMoved(one.thread, one.account, one.other, one.blob) for one in message.marks),
        )
        # What is told is read from the store, which has to have followed there.
        if told and self._store.wait_beyond(message.seen - 1, BEHIND_SECONDS):
            self._tell(told, None)

    def _tell(self, told: tuple[Announcement, ...], origin: str | None) -> None:
        for one in told:
            self._settle(one)
        self._live.announce(told, origin)

    def _settle(self, one: Announcement) -> None:
        """Nobody needs to tell this any more, up to what it says."""
        match one:
            case Appended():
                self._settle_entries(one)
            case FolderChanged():
                key = one.account + one.path
                untold = self._untold.get(key)
                known = None if untold is None else untold.announcement
                if isinstance(known, FolderChanged) and known.version in (0, one.version):
                    del self._untold[key]
            case MarkMoved():
                return

    def _settle_entries(self, told: Appended) -> None:
        untold = self._untold.get(told.thread)
        known = None if untold is None else untold.announcement
        if untold is None or not isinstance(known, Appended):
            return
        # Earlier ones may still be on their way, or lost: they stay untold.
        first, last = known.first, known.last
        if told.first <= first:
            first = max(first, told.last + 1)
        elif told.last >= last:
            last = min(last, told.first - 1)
        if first > last:
            del self._untold[told.thread]
        else:
            untold.announcement = Appended(known.thread, known.members, first, last)

    # What was committed, as the store tells it.

    def followed(self, commit: Followed) -> None:
        due = monotonic() + self._grace
        for chain in commit.chains:
            if chain.begun == "opened" and chain.size > chain.before:
                self._note_entries(chain, due)
        for file in commit.files:
            self._note_file(file, due)

    def lost(self) -> None:
        """Commits are followed without a gap however late: there is nothing to do."""

    def _note_entries(self, chain: GrownChain, due: float) -> None:
        members = (chain.label[:32], chain.label[32:])
        new = Appended(chain.chain, members, chain.before, chain.size - 1)
        known = self._untold.get(chain.chain)
        if known is not None and isinstance(known.announcement, Appended):
            first = known.announcement.first
            known.announcement = Appended(chain.chain, members, first, new.last)
        elif self._live.concerns_anybody(new):
            self._untold[chain.chain] = _Untold(new, due)

    def _note_file(self, file: ChangedPrivateFile, due: float) -> None:
        # A mark concerns the other member too, who is found when it is told.
        changed = FolderChanged(file.account, file.path, file.version, file.length)
        self._untold[file.account + file.path] = _Untold(changed, due)

    def _sweep(self) -> None:
        while True:
            gevent.sleep(SWEEP_SECONDS)
            now = monotonic()
            late = [key for key, one in self._untold.items() if one.due <= now]
            told = [self._untold.pop(key).announcement for key in late]
            if told:
                self._live.announce([*told, *self._marks(told)], None)

    def _marks(self, told: Iterable[Announcement]) -> list[MarkMoved]:
        """Which of these files are read marks that somebody with an open socket waits for."""
        found = []
        for one in told:
            if isinstance(one, FolderChanged) and 0 < one.size <= MAX_MARK:
                found += self._mark_of(one)
        return found

    def _mark_of(self, file: FolderChanged) -> list[MarkMoved]:
        threads = self._threads
        if threads is None:
            return []
        for thread in threads.of(file.account):
            other = threads.peer(thread, file.account)
            if other is not None and mark_path(thread) == file.path:
                return self._read_mark(MarkMoved(thread, file.account, other, b""), file.path)
        return []

    def _read_mark(self, mark: MarkMoved, path: bytes) -> list[MarkMoved]:
        if not self._live.concerns_anybody(mark):
            return []
        try:
            stored = self._store.private(mark.account, path)
        except StoreError as error:
            LOG.warning("a read mark is not announced: %s", type(error).__name__)
            return []
        if stored is None or len(stored.blob) > MAX_MARK:
            return []
        return [MarkMoved(mark.thread, mark.account, mark.other, stored.blob)]


def _relayed(process: bytes, seen: int, told: tuple[Announcement, ...]) -> Relayed:
    entries, files, marks = [], [], []
    for one in told:
        match one:
            case Appended():
                entries.append(RelayedEntries(one.thread, one.members, one.first, one.last))
            case FolderChanged():
                files.append(RelayedFile(one.account, one.path, one.version, one.size))
            case MarkMoved():
                marks.append(RelayedMark(one.thread, one.account, one.other, one.blob))
    return Relayed(process, seen, tuple(entries), tuple(files), tuple(marks), ())
