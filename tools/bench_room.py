"""A room of opaque envelopes at the level of the store and of what sockets are told.

Threads have two members in the product so far; the room shows what a commit and its announcement
to fifty sockets cost: one page, encoded and framed once for all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bench_floors
from bench_clients import BINARY, Client, Wire, client_frame, run_apart
from bench_people import PRODUCT
from bench_servers import Wsgi, serving

from secure_msg.accounts.sessions import SignedIn
from secure_msg.codec.http import PlacedEntry, TransactResult
from secure_msg.codec.realtime import Asked, Message, Told, pack
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.random import system_random
from secure_msg.ledger.transaction import Append, Store, Transaction
from secure_msg.messages.port import Appended
from secure_msg.messages.reading import Reading
from secure_msg.messages.threads import Threads
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import open_or_create
from secure_msg.web.answers import Answers, Typing
from secure_msg.web.realtime import Realtime

FOLDER = "BENCH_ROOM_FOLDER"
MEMBERS = "BENCH_ROOM_MEMBERS"
ENVELOPE = 2_048
ROOM = sha256(b"room")
FACTOR = 100_000


class Opaque(Answers):
    """What the rooms between web and store would do, but for reading the envelope."""

    def __init__(self, store: Store, live: Realtime, members: tuple[bytes, ...]) -> None:
        self._store = store
        self._live = live
        self._members = members
        self._known = frozenset(members)
        self._seen = 0

    def lives(self, who: SignedIn) -> bool:
        return who.account in self._known

    def answer(
        self, who: SignedIn, asked: Message, origin: str, typing: Typing
    ) -> tuple[Told, bytes]:
        body = asked.payload
        entry = Append(ROOM, "message", body, erasable=True, unique=body[:16], seen=self._seen)
        placed = self._store.commit(Transaction((entry,))).placed[0]
        at = placed.sequence
        self._seen = max(self._seen, at)
        self._live.announce((Appended(ROOM, self._members, at, at),), origin)
        receipt = self._store.receipt(ROOM, at)
        result = TransactResult((PlacedEntry(ROOM, placed.header),), (), False, receipt)
        return Told.DONE, to_bytes(result)


class Nobody:
    """The accounts, of which a page of entries asks nothing."""

    def name(self, account: bytes) -> str | None:
        return None

    def signing_key(self, account: bytes, generation: int) -> bytes | None:
        return None

    def check_own(self, account: bytes, appends: Iterable[tuple[str, bytes]]) -> int:
        raise NotImplementedError


def app() -> Wsgi:
    """For gunicorn: member number n connects to /n."""
    from secure_msg.bootstrap import native_threads  # noqa: PLC0415  after gevent's patches

    folder = Path(os.environ[FOLDER])
    keys = open_or_create(folder, None, system_random)
    clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
    store = FileStore.open(folder, keys, clock, system_random, native_threads)
    members = tuple(sha256(b"member", bytes([at])) for at in range(int(os.environ[MEMBERS])))
    store.commit(Transaction((Append(ROOM, "opened", b"", label=members[0] + members[1]),)))
    live = Realtime()
    reading = Reading(store, Threads(store, bytes(32)), Nobody())
    live.attach(Opaque(store, live, members), reading, FACTOR)

    def serve(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        number = int(environ["PATH_INFO"][1:])
        live.serve(environ, SignedIn(members[number], bytes(16), recovering=False))
        raise StopIteration

    return serve


def run(folder: Path, members: int, senders: int, **times: float) -> dict[str, Any]:
    storage = folder / "room"
    storage.mkdir(mode=0o700)
    environment = {FOLDER: str(storage), MEMBERS: str(members)}
    count = int(1_000 * sum(times.values()))

    def sends(number: int) -> list[bytes]:
        return [
            client_frame(pack(Asked.TRANSACT, _envelope(number, at), at + 1)) for at in range(count)
        ]

    there = [
        Client(f"/{number}", sends=sends(number) if number < senders else ())
        for number in range(members)
    ]
    with serving("bench_room:app()", folder / "room.log", environment) as server:
        return _told(server, PRODUCT, there, times)


def floor(folder: Path, members: int, senders: int, **times: float) -> dict[str, Any]:
    """The same bytes told to as many, and nothing else."""

    def own(client: Client, opcode: int, head: bytes) -> bool:
        return opcode == BINARY and head[:2] == client.name

    def sends(number: int) -> Any:
        return bench_floors.Repeated(client_frame(_envelope(number, 0)))

    there = [
        Client("/", sends=sends(number) if number < senders else (), name=bytes([1, number]))
        for number in range(members)
    ]
    wire = Wire(answer=own, told=lambda opcode, _head: int(opcode == BINARY))
    with serving("fan_out", folder / "fan.log") as server:
        return _told(server, wire, there, times)


def _told(server: Any, wire: Wire, there: list[Client], times: dict[str, float]) -> dict[str, Any]:
    before = server.busy()
    found = run_apart(server.base, wire, there, **times)
    busy = server.busy() - before
    return {**bench_floors.figures(found, busy), "told_a_second": found.told / found.seconds}


def _envelope(sender: int, at: int) -> bytes:
    name = bytes([1, sender]) + at.to_bytes(14, "big")
    return name + os.urandom(16) * (ENVELOPE // 16 - 1)
