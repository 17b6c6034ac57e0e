"""SIGKILL of a whole server under HTTP and WebSocket clients, who keep what it acknowledged."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import requests
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from secure_msg.codec.http import EntriesPage, TransactRequest, TransactResult, WireAppend
from secure_msg.codec.messages import KIND_MESSAGE, Envelope
from secure_msg.codec.realtime import Asked, Told, pack, unpack
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.ledger.chain import read_header
from secure_msg.store.serverkeys import open_keys
from secure_msg.store.verify import verify
from tests.support.api import COOKIE, LIMIT, Api, OverNetwork
from tests.support.effort import amount, fresh_seed
from tests.support.people import Person
from tests.support.server import ServerProcess

KILLS = (3, 60)
PAGE = 100
GONE = (OSError, ConnectionClosed, InvalidHandshake, requests.RequestException)


@dataclass
class Sender:
    """One browser in one conversation; what got no answer is sent again under its id."""

    api: Api
    me: Person
    thread: bytes
    session: bytes
    by_socket: bool
    acknowledged: dict[int, bytes] = field(default_factory=dict)
    asked: WireAppend | None = None
    failed: Exception | None = None

    def run(self) -> None:
        """Send until the server is gone. What should not happen is kept in `failed`."""
        try:
            if self.by_socket:
                self._run_socket()
            else:
                while True:
                    answer = self.api.transact((self._next(),))
                    self._take(answer.record(TransactResult))
        except GONE:
            return
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            self.failed = error

    def _run_socket(self) -> None:
        with connect(
            "ws" + self.api.transport.origin.removeprefix("http") + "/socket",
            origin=self.api.transport.origin,  # type: ignore[arg-type]
            additional_headers={"Cookie": f"{COOKIE}={self.api.transport.cookie()}"},
            compression=None,
            ping_interval=None,
            max_size=LIMIT,
            close_timeout=1,
        ) as socket:
            for number in count(1):
                request = TransactRequest((self._next(),), ())
                socket.send(pack(Asked.TRANSACT, to_bytes(request), number))
                answer = unpack(_bytes(socket.recv()))
                while answer.request != number:
                    answer = unpack(_bytes(socket.recv()))
                assert answer.kind == Told.DONE
                self._take(from_bytes(TransactResult, answer.payload, limit=LIMIT))

    def _next(self) -> WireAppend:
        if self.asked is None:
            seen = max(self.acknowledged, default=0)
            self.asked = self.me.message(self.thread, self.session, seen=seen)
        return self.asked

    def _take(self, result: TransactResult) -> None:
        [placed] = result.entries
        self.acknowledged[read_header(placed.header).sequence] = placed.header
        self.asked = None

    def check(self) -> None:
        headers, ids = [], []
        page = self._page(0)
        while page.entries:
            headers += [one.header for one in page.entries]
            for one in page.entries:
                if read_header(one.header).kind == KIND_MESSAGE:
                    ids.append(from_bytes(Envelope, one.body or b"", limit=LIMIT).id)
            page = self._page(len(headers))
        for sequence, header in self.acknowledged.items():
            assert headers[sequence] == header, f"message {sequence} is lost"
        assert len(set(ids)) == len(ids), "a message is there twice"

    def _page(self, start: int) -> EntriesPage:
        path = f"/api/threads/{self.thread.hex()}/entries?start={start}&count={PAGE}"
        return self.api.get(path).record(EntriesPage)


def _bytes(data: str | bytes) -> bytes:
    assert isinstance(data, bytes)
    return data


def sender(server: ServerProcess, name: str, *, by_socket: bool) -> Sender:
    me, peer = Person(name), Person(f"peer-of-{name}")
    api = Api(OverNetwork(server.base))
    Api(OverNetwork(server.base)).register(peer)
    api.register(me)
    thread, session = api.begin_conversation(me, peer)
    return Sender(api, me, thread, session, by_socket)


def test_a_whole_server_killed_under_its_clients(tmp_path: Path) -> None:
    rng = random.Random(fresh_seed("server kills"))
    starts: list[float] = []
    with ServerProcess(tmp_path / "storage") as server:
        names = ("ann", "ben", "cleo")
        senders = [sender(server, one, by_socket=one != "cleo") for one in names]
        for _ in range(amount(*KILLS)):
            threads = [threading.Thread(target=one.run) for one in senders]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0, 2))
            server.kill()
            for thread in threads:
                thread.join()
            assert [one.failed for one in senders] == [None] * len(senders)
            report = verify(server.storage, open_keys(server.storage, None))
            assert report.clean, [one.sentence() for one in report.damage]
            began = time.monotonic()
            server.start()
            starts.append(time.monotonic() - began)
            for one in senders:
                one.check()
    kept = sum(len(one.acknowledged) for one in senders)
    print(f"{len(starts)} kills, {kept} acknowledgements kept, starts up to {max(starts):.2f} s")
    assert kept > 0
