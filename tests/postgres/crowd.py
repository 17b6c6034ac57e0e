"""People who write and listen through whichever process answers, and remember what they were told.

What is acknowledged is held here, by the clients, and not by any server.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import requests
from websockets.exceptions import WebSocketException

from secure_msg.codec.http import EntriesPage, TransactResult, WireAppend
from secure_msg.codec.messages import read_envelope
from secure_msg.codec.realtime import Told
from secure_msg.codec.schema import from_bytes
from secure_msg.ledger.chain import read_header
from secure_msg.ledger.checkpoint import Checkpoint, verify_checkpoint
from secure_msg.store.serverkeys import ServerIdentity
from tests.support.api import LIMIT, Api, OverNetwork
from tests.support.people import Person
from tests.support.server import ServerProcess
from tests.support.sockets import Live, Refused

PATIENCE = 4.0
LOST = (requests.RequestException, OSError, WebSocketException, Refused, queue.Empty)


class Impatient(OverNetwork):
    """Gives a process that does not answer up before long."""

    def _request(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> requests.Response:
        return self._session.request(
            method,
            self.origin + path,
            headers=headers,
            data=body,
            timeout=PATIENCE,
            allow_redirects=False,
        )


def browser(process: ServerProcess, cookie: str = "") -> Api:
    api = Api(Impatient(process.base))
    if cookie:
        api.transport.set_cookie(cookie)
    return api


@dataclass
class Conversation:
    """Two signed-in people, their thread and session; the cookies are good at every process."""

    sender: Person
    reader: Person
    thread: bytes
    session: bytes
    cookies: tuple[str, str]


def conversation(number: int, processes: Sequence[ServerProcess]) -> Conversation:
    """Each registered at another process."""
    one, other = Person(f"sender{number}"), Person(f"reader{number}")
    first, second = (browser(processes[(number + at) % len(processes)]) for at in range(2))
    first.register(one)
    second.register(other)
    thread, session = first.begin_conversation(one, other)
    cookies = first.transport.cookie(), second.transport.cookie()
    return Conversation(one, other, thread, session, cookies)


class Sender:
    """Sends one message after the other; each again under its id until it is acknowledged."""

    def __init__(self, talk: Conversation, processes: Sequence[ServerProcess], at: int) -> None:
        self._talk = talk
        self._processes = processes
        self._at = at
        self._api: Api | None = None
        self._ending = threading.Event()
        self.acknowledged: list[tuple[bytes, int]] = []
        self.tries = 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def stop(self) -> None:
        self._ending.set()
        self.thread.join(60)

    def _run(self) -> None:
        while not self._ending.is_set():
            unique = os.urandom(16)
            # One set of bytes, as a client sends its queued message again.
            seen = self.acknowledged[-1][1] + 1 if self.acknowledged else 1
            wire = self._talk.sender.message(
                self._talk.thread, self._talk.session, seen=seen, number=unique
            )
            while (sequence := self._sent(wire)) is None:
                time.sleep(0.1)
                self._at = (self._at + 1) % len(self._processes)
                self._api = None
            self.acknowledged.append((unique, sequence))

    def _sent(self, wire: WireAppend) -> int | None:
        """The sequence that was acknowledged; None when nobody can say."""
        self.tries += 1
        try:
            if self._api is None:
                self._api = browser(self._processes[self._at], self._talk.cookies[0])
            answer = self._api.transact((wire,))
        except LOST:
            return None
        if answer.status == 503:
            return None
        result = answer.record(TransactResult)
        return read_header(result.entries[0].header).sequence


class Reader:
    """Listens, connects again by itself, and fetches what it missed when it does."""

    def __init__(self, talk: Conversation, processes: Sequence[ServerProcess], at: int) -> None:
        self._talk = talk
        self._processes = processes
        self._at = at
        self._ending = threading.Event()
        self.told: dict[int, bytes] = {}
        self.connections = 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def stop(self) -> None:
        self._ending.set()
        self.thread.join(60)

    def wait_for(self, sequence: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if sequence in self.told:
                return True
            time.sleep(0.05)
        return False

    def _run(self) -> None:
        while not self._ending.is_set():
            api = browser(self._processes[self._at], self._talk.cookies[1])
            try:
                with Live(api) as live:
                    self.connections += 1
                    self._catch_up(api)
                    self._listen(live)
            except LOST:
                time.sleep(0.1)
            self._at = (self._at + 1) % len(self._processes)

    def _listen(self, live: Live) -> None:
        heard = time.monotonic()
        while not self._ending.is_set() and live.connected:
            try:
                page = live.told[Told.ENTRIES].get(timeout=0.1)
            except queue.Empty:
                page = b""
            if page:
                self._note(from_bytes(EntriesPage, page, limit=LIMIT))
                heard = time.monotonic()
            while not live.told[Told.PULSE].empty():
                live.told[Told.PULSE].get()
                heard = time.monotonic()
            if time.monotonic() - heard > 3 * PATIENCE:
                return  # neither news nor a pulse: the process is gone

    def _catch_up(self, api: Api) -> None:
        start = 0
        while start in self.told:
            start += 1
        while True:
            path = f"/api/threads/{self._talk.thread.hex()}/entries?start={start}&count=100"
            page = api.get(path).record(EntriesPage)
            self._note(page)
            start += len(page.entries)
            if start >= page.head.size:
                return

    def _note(self, page: EntriesPage) -> None:
        for entry in page.entries:
            header = read_header(entry.header)
            known = self.told.setdefault(header.sequence, entry.header)
            assert known == entry.header, "two entries of one sequence"


@dataclass
class Watcher:
    """Keeps every checkpoint that anybody could see, at every process."""

    processes: Sequence[ServerProcess]
    identity: ServerIdentity
    seen: dict[int, set[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ending = threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(process,)) for process in self.processes
        ]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self, process: ServerProcess) -> None:
        session = requests.Session()
        while not self._ending.is_set():
            try:
                note = session.get(process.base + "/checkpoint", timeout=PATIENCE).content
                found: Checkpoint = verify_checkpoint(
                    note, self.identity.origin, self.identity.public
                )
                self.seen.setdefault(found.size, set()).add(found.root)
            except requests.RequestException:
                time.sleep(0.1)
            time.sleep(0.02)


def message_id(entry_body: bytes) -> bytes:
    return read_envelope(entry_body).id
