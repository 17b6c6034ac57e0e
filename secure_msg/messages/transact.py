"""One request, all or nothing: entries for threads and the own chain, and private files."""

from __future__ import annotations

from typing import NamedTuple

from secure_msg.codec.errors import CodecError
from secure_msg.codec.http import (
    PlacedEntry,
    PutFile,
    TransactRequest,
    TransactResult,
    WireAppend,
    check_puts,
)
from secure_msg.codec.messages import KIND_OPENED, Opened
from secure_msg.codec.schema import from_bytes
from secure_msg.codec.statement import unverified_payload
from secure_msg.ledger.transaction import (
    Append,
    Committed,
    Conflict,
    Put,
    Stale,
    Store,
    Transaction,
)
from secure_msg.messages.errors import Malformed, NotFound, StaleSession
from secure_msg.messages.folders import Folders
from secure_msg.messages.marks import moved_marks
from secure_msg.messages.port import (
    Accounts,
    Announcement,
    Announcer,
    Appended,
    FolderChanged,
    MarkMoved,
)
from secure_msg.messages.rules import Place, ThreadRules
from secure_msg.messages.threads import Threads

MAX_TRIES = 4


class _Planned(NamedTuple):
    """`rebased`: the own chain's size was chosen here, so that a conflict about it is ours."""

    transaction: Transaction
    places: dict[bytes, Place]
    marks: tuple[MarkMoved, ...]
    rebased: bool


class Transact:
    def __init__(
        self,
        store: Store,
        threads: Threads,
        folders: Folders,
        accounts: Accounts,
        announcer: Announcer,
    ) -> None:
        self._store = store
        self._threads = threads
        self._folders = folders
        self._accounts = accounts
        self._announcer = announcer

    def run(self, caller: bytes, request: TransactRequest, origin: str | None) -> TransactResult:
        """Commit what the caller asks, then announce it; `origin` is the asking socket.

        Raises MessagesError's kinds, MalformedData, Conflict, Busy, StorageFailed.
        """
        if not request.appends and not request.puts:
            raise Malformed("empty")
        check_puts(request.puts)
        planned, committed = self._commit(caller, request)
        if not committed.repeat:
            self._announcer.announce(self._note(caller, planned, committed), origin)
        return self._result(committed)

    def check_files(self, caller: bytes, files: tuple[PutFile, ...]) -> None:
        """What holds for files wherever they are put. Raises FolderFull, MalformedData."""
        puts = _puts(caller, files)
        self._folders.check(caller, puts)
        moved_marks(self._threads, caller, puts)

    def folder_changed(
        self, caller: bytes, files: tuple[PutFile, ...], versions: tuple[int, ...]
    ) -> None:
        """Announce files that the accounts room committed with a new credential."""
        changed = self._follow(caller, _puts(caller, files), versions)
        self._announcer.announce(changed, None)

    def _commit(self, caller: bytes, request: TransactRequest) -> tuple[_Planned, Committed]:
        for tries_left in reversed(range(MAX_TRIES)):
            planned = self._plan(caller, request)
            try:
                return planned, self._store.commit(planned.transaction)
            except Stale:
                raise Conflict("size") from None
            except Conflict as conflict:
                if conflict.what == "register":
                    raise StaleSession from None
                if conflict.what != "size" or not planned.rebased or not tries_left:
                    raise
        raise Conflict("size")

    def _plan(self, caller: bytes, request: TransactRequest) -> _Planned:
        """Raises MessagesError's kinds, MalformedData, and what the accounts refuse."""
        places: dict[bytes, Place] = {}
        rules: dict[bytes, ThreadRules] = {}
        own: list[WireAppend] = []
        appends: list[Append | None] = []  # None for the own chain's, which are checked together
        for wire in request.appends:
            if wire.chain == caller:
                own.append(wire)
                appends.append(None)
                continue
            if wire.chain not in rules:
                place = places[wire.chain] = self._place(caller, wire)
                rules[wire.chain] = ThreadRules(place, self._accounts)
            appends.append(rules[wire.chain].add(wire))
        puts = _puts(caller, request.puts)
        self._folders.check(caller, puts)
        own_appends, rebased = self._own(caller, own)
        following = iter(own_appends)
        in_order = tuple([one or next(following) for one in appends])
        registers = tuple([found for one in rules.values() if (found := one.register())])
        marks = moved_marks(self._threads, caller, puts)
        return _Planned(Transaction(in_order, puts, registers), places, marks, rebased)

    def _place(self, caller: bytes, first: WireAppend) -> Place:
        """Raises NotFound for all that is not the caller's thread, there or not."""
        peer = self._threads.peer(first.chain, caller)
        if peer is None and first.kind == KIND_OPENED:
            peer = self._named_peer(caller, first)
        if peer is None:
            raise NotFound
        return Place(first.chain, caller, peer)

    def _named_peer(self, caller: bytes, first: WireAppend) -> bytes | None:
        try:
            peer = from_bytes(Opened, unverified_payload(first.body)).peer
        except CodecError:
            return None
        known = peer != caller and self._accounts.name(peer) is not None
        return peer if known and self._threads.direct(caller, peer) == first.chain else None

    def _own(self, caller: bytes, wires: list[WireAppend]) -> tuple[list[Append], bool]:
        if not wires:
            return [], False
        size = self._accounts.check_own(caller, [(wire.kind, wire.body) for wire in wires])
        named = [wire.expected for wire in wires]
        if any(at is not None and at != size + index for index, at in enumerate(named)):
            raise Conflict("size")
        appends = [Append(caller, wire.kind, wire.body) for wire in wires]
        first = Append(caller, wires[0].kind, wires[0].body, expected_size=size)
        return [first, *appends[1:]], named[0] is None

    def _note(self, caller: bytes, planned: _Planned, done: Committed) -> list[Announcement]:
        """Follow the commit in memory; what is to be announced of it."""
        appended: dict[bytes, Appended] = {}
        for placed in done.placed:
            place = planned.places.get(placed.chain)
            if place is not None:
                members = self._members(place)
                self._threads.committed(placed, members)
                known = appended.get(placed.chain)
                first = placed.sequence if known is None else known.first
                appended[placed.chain] = Appended(placed.chain, members, first, placed.sequence)
        changed = self._follow(caller, planned.transaction.puts, done.versions)
        return [*appended.values(), *changed, *planned.marks]

    def _follow(
        self, caller: bytes, puts: tuple[Put, ...], versions: tuple[int, ...]
    ) -> list[FolderChanged]:
        self._folders.committed(caller, puts)
        return [
            FolderChanged(caller, put.path, version, len(put.blob or b""))
            for put, version in zip(puts, versions, strict=True)
        ]

    def _members(self, place: Place) -> tuple[bytes, bytes]:
        return self._threads.members(place.thread) or (place.sender, place.peer)

    def _result(self, done: Committed) -> TransactResult:
        last = done.placed[-1] if done.placed else None
        receipt = None if last is None else self._store.receipt(last.chain, last.sequence)
        entries = tuple([PlacedEntry(placed.chain, placed.header) for placed in done.placed])
        return TransactResult(entries, done.versions, done.repeat, receipt)


def _puts(account: bytes, files: tuple[PutFile, ...]) -> tuple[Put, ...]:
    puts = [
        Put(account, file.path, file.expected, None if file.delete else file.blob) for file in files
    ]
    return tuple(puts)
