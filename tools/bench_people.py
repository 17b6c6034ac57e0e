"""Accounts and conversations for the load, and their transactions as browsers make them.

A send carries one envelope of the smallest size class and the sender's session file; a reader saves
its own session file now and then. What is inside is random: the server cannot tell.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_clients import Client, Wire, client_frame

from secure_msg.codec.http import PutFile, TransactRequest
from secure_msg.codec.realtime import Asked, Told, pack
from secure_msg.codec.schema import to_bytes
from tests.support.api import COOKIE, Api, OverNetwork
from tests.support.people import Person
from tests.support.server import ServerProcess

# A session file as browsers keep it while they talk in turns: 4 to 16 KiB, a power of two.
SESSION_FILE = 8_192
FIRST_ENTRIES = 4
SAVE_REQUEST = 0xFFFF_FFFF

SETTINGS = {"RATE_FACTOR": "100000", "MAX_CONNECTIONS": "16384", "LOG_LEVEL": "warning"}


@dataclass
class Conversation:
    thread: bytes
    session: bytes
    writer: Person
    writer_api: Api
    reader: Person
    reader_api: Api


def conversation(server: ServerProcess, number: int) -> Conversation:
    apis = [Api(OverNetwork(server.base)), Api(OverNetwork(server.base))]
    people = [Person(f"writer-{number}"), Person(f"reader-{number}")]
    for api, person in zip(apis, people, strict=True):
        api.register(person)
    thread, session = apis[0].begin_conversation(people[0], people[1])
    return Conversation(thread, session, people[0], apis[0], people[1], apis[1])


def socket_of(api: Api, **more: Any) -> Client:
    headers = {"Origin": api.transport.origin, "Cookie": f"{COOKIE}={api.transport.cookie()}"}
    return Client("/socket", headers, **more)


def clients(found: Conversation, count: int) -> tuple[Client, Client]:
    """The writer with `count` sends, and the reader."""
    path, blob = os.urandom(32), os.urandom(SESSION_FILE)
    sends = [
        _frame(
            TransactRequest(
                (found.writer.message(found.thread, found.session, seen=FIRST_ENTRIES + at),),
                (PutFile(path, at, blob, False),),
            ),
            at + 1,
        )
        for at in range(count)
    ]
    saves = [
        _frame(TransactRequest((), (PutFile(path, at, blob, False),)), SAVE_REQUEST)
        for at in range(count // 25 + 100)
    ]
    return socket_of(found.writer_api, sends=sends), socket_of(found.reader_api, saves=saves)


def _frame(request: TransactRequest, number: int) -> bytes:
    return client_frame(pack(Asked.TRANSACT, to_bytes(request), number))


def answers(_client: Client, _opcode: int, head: bytes) -> bool:
    return head[0] == Told.DONE


def entries_told(_opcode: int, head: bytes) -> int:
    """Raises ValueError for a refusal: the figures would be those of refusals."""
    if head[0] == Told.REFUSED:
        raise ValueError(f"the server refused: {head[5:]!r}")
    return page_entries(head[5:]) if head[0] == Told.ENTRIES else 0


def page_entries(page: bytes) -> int:
    """How many entries an EntriesPage holds, by its first bytes (deterministic CBOR)."""
    _, at = _count(page, 1 + 2 + 32)
    hashes, at = _count(page, at)
    return _count(page, at + 34 * hashes)[0]


def _count(data: bytes, at: int) -> tuple[int, int]:
    """The argument of the CBOR item there, and where what follows it begins."""
    short = data[at] & 0x1F
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    number = int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else short
    return number, at + 1 + size


PRODUCT = Wire(answer=answers, told=entries_told)


def served(folder: Path) -> ServerProcess:
    return ServerProcess(folder, SETTINGS)
