"""Eight clients talk to a store that is killed under them; what they saw is the history.

Each client keeps what it has seen, as a browser does, sends with ids of its own and sends again
under the same id when a connection ended without an answer. All choices come from one seed; how the
threads interleave does not, so that a seed repeats the schedule and not the very history.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from secure_msg.crypto.hash import sha256
from secure_msg.ledger.transaction import (
    Append,
    Busy,
    Conflict,
    Put,
    Register,
    Stale,
    Transaction,
)
from tests.sim.conversation import (
    Action,
    Change,
    Done,
    PutFile,
    ReadChain,
    ReadFile,
    ReadRegister,
    Refused,
    SwapRegister,
)
from tests.sim.linearizability import UNKNOWN, Operation
from tests.sim.storeprocess import Line, Lost

MESSAGE_BYTES = 600
PATIENCE = 12_000
"""How often an operation is tried again while nobody listens, a few milliseconds apart."""


def ident(name: str) -> bytes:
    return sha256(b"simulated", name.encode())


THREAD, OWNER, SHARED = ident("thread"), ident("owner"), ident("shared file")
OPENING = ident("opened")[:16]


class Recorder:
    """One order of all calls and returns, and the answers that named a message's place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events = 0
        self.answers = 0
        self.lost = 0
        self.operations: list[Operation] = []
        self.places: dict[bytes, set[tuple[Any, ...]]] = {}

    def call(self) -> int:
        with self._lock:
            self._events += 1
            return self._events

    def record(self, client: int, called: int, action: Action, outcome: Any) -> None:
        with self._lock:
            self._events += 1
            self.operations.append(Operation(client, called, self._events, action, outcome))
            self.answers += outcome is not UNKNOWN
            self.lost += outcome is UNKNOWN

    def placed(self, message: bytes, answer: tuple[Any, ...]) -> None:
        with self._lock:
            self.places.setdefault(message, set()).add(answer)


class Patient:
    """Asks whatever process listens at an address, and waits for the next one when it is gone."""

    def __init__(self, address: str, stopped: threading.Event) -> None:
        self._address = address
        self._stopped = stopped
        self._line: Line | None = None

    def ask(self, method: str, *arguments: Any) -> Any:
        """Raises Lost when the answer did not come; the request may have had its effect."""
        line = self._line or self._connect()
        self._line = None
        found = line.ask(method, *arguments)
        self._line = line
        return found

    def _connect(self) -> Line:
        for _ in range(PATIENCE):
            try:
                return Line(self._address)
            except Lost:
                if self._stopped.wait(0.005):
                    raise
        raise TimeoutError("no store process came back")


def transaction_of(change: Change) -> Transaction:
    """The real transaction of a change."""
    body = None if change.message is None else change.message + bytes(MESSAGE_BYTES)
    appends = (
        ()
        if change.message is None or body is None
        else (
            Append(THREAD, "message", body, erasable=True, unique=change.message, seen=change.seen),
        )
    )
    put, swap = change.put, change.swap
    puts = () if put is None else (Put(OWNER, put.path, put.expected, put.content),)
    swaps = () if swap is None else (Register(THREAD, swap.expected, swap.new),)
    return Transaction(appends, puts, swaps)


class Performer:
    """Performs one action after the other over a line of its own, and records each attempt.

    An attempt whose connection ended may have had its effect until then and has none after it: the
    kernel closes a connection when the last thread of its process is gone.
    """

    def __init__(self, client: int, recorder: Recorder, line: Patient) -> None:
        self._client = client
        self._recorder = recorder
        self._line = line

    def perform(self, action: Action, *, gives_up: bool = False) -> Any:
        """The outcome. `gives_up`: an answer that did not come is not asked for again.

        Only what names an id, or changes nothing, may be asked again.
        """
        repeatable = not isinstance(action, Change) or action.message is not None
        while True:
            called = self._recorder.call()
            outcome = self._attempt(action)
            self._recorder.record(self._client, called, action, outcome)
            if outcome is not UNKNOWN or not repeatable or gives_up:
                return outcome

    def _attempt(self, action: Action) -> Any:
        while True:
            try:
                return self._ask(action)
            except Busy:
                continue
            except Lost:
                return UNKNOWN
            except Conflict as conflict:
                return Refused(conflict.what)
            except Stale:
                return Refused("stale")

    def _ask(self, action: Action) -> Any:
        match action:
            case ReadChain(start):
                return self._line.ask("chain", THREAD, start)
            case ReadRegister():
                return self._line.ask("register", THREAD)
            case ReadFile(path):
                return self._line.ask("file", OWNER, path)
            case Change():
                return self._commit(action)

    def _commit(self, change: Change) -> Done:
        places, versions, repeat, log_index = self._line.ask("commit", transaction_of(change))
        if change.message is not None:
            self._recorder.placed(change.message, (*places[0], log_index))
        place = places[0][0] if places else None
        return Done(place, versions[0] if versions else None, repeat)


@dataclass(slots=True)
class Seen:
    """What a client knows, as far as it has seen; the versions of the files that it changes."""

    size: int
    register: bytes
    versions: dict[bytes, int] = field(default_factory=dict)


class SimulatedClient:
    """One person's browser: sends, saves its state along, reads, and competes for a shared file."""

    def __init__(
        self,
        number: int,
        seed: int,
        recorder: Recorder,
        connect: Callable[[], Patient],
        start: Seen,
    ) -> None:
        self.number = number
        self._random = random.Random(f"{seed}/{number}")
        self._seen = start
        self._session = ident(f"session of {number}")
        self._sent: list[Change] = []
        self._count = 0
        self._performer = Performer(number, recorder, connect())
        # A second tab: the same requests over a connection of its own, at the same time.
        self._tab = Performer(-number - 1, recorder, connect())
        self._line = connect()

    def run(self, operations: int) -> None:
        acts = [self._send, self._send_twice, self._send_again, self._save, self._read, self._flush]
        for _ in range(operations):
            [act] = self._random.choices(acts, weights=[40, 12, 8, 18, 20, 2])
            act()

    def _message(self) -> Change:
        self._count += 1
        message = ident(f"{self.number}/{self._count}")[:16]
        put = swap = None
        if self._random.random() < 0.6:
            put = PutFile(self._session, self._version(self._session), self._content())
        if self._random.random() < 0.25:
            fresh = self._random.random() < 0.4
            new = ident(f"register {self.number}/{self._count}") if fresh else self._seen.register
            swap = SwapRegister(self._seen.register, new)
        return Change(message, self._seen.size, put, swap)

    def _send(self) -> None:
        change = self._message()
        self._sent.append(change)
        outcome = self._performer.perform(change, gives_up=self._random.random() < 0.2)
        self._learn(change, outcome)

    def _send_twice(self) -> None:
        """The same request over two connections at once."""
        change = self._message()
        self._sent.append(change)
        tab = threading.Thread(target=self._tab.perform, args=(change,))
        tab.start()
        outcome = self._performer.perform(change)
        tab.join()
        self._learn(change, outcome)

    def _send_again(self) -> None:
        """An older request once more, whatever became of it."""
        if self._sent:
            change = self._random.choice(self._sent)
            self._learn(change, self._performer.perform(change))

    def _save(self) -> None:
        """Compare-and-swap of the file that everybody changes; now and then it is deleted."""
        content = None if self._random.random() < 0.1 else self._content()
        change = Change(put=PutFile(SHARED, self._version(SHARED), content))
        self._learn(change, self._performer.perform(change))

    def _read(self) -> None:
        action = self._random.choice(
            [
                ReadChain(max(self._seen.size - 3, 0)),
                ReadChain(max(self._seen.size - 60, 0)),
                ReadRegister(),
                ReadFile(SHARED),
                ReadFile(self._session),
            ]
        )
        self._note_read(action, self._performer.perform(action))

    def _flush(self) -> None:
        try:
            self._line.ask("flush")
        except Lost:
            return

    def _learn(self, change: Change, outcome: Any) -> None:
        if isinstance(outcome, Done):
            if change.swap is not None and not outcome.repeat:
                self._seen.register = change.swap.new
            if outcome.place is not None:
                self._seen.size = max(self._seen.size, outcome.place + 1)
        if change.put is not None and isinstance(outcome, Done) and outcome.version is not None:
            gone = change.put.content is None
            self._seen.versions[change.put.path] = 0 if gone else outcome.version
            return
        # A conflict, a repeat or an outcome that is not known: look again, as a client does.
        if change.put is not None:
            action = ReadFile(change.put.path)
            self._note_read(action, self._performer.perform(action))
        if change.swap is not None:
            self._note_read(ReadRegister(), self._performer.perform(ReadRegister()))

    def _note_read(self, action: Action, outcome: Any) -> None:
        match action:
            case ReadChain(start):
                self._seen.size = max(self._seen.size, start + len(outcome))
            case ReadRegister():
                self._seen.register = outcome
            case ReadFile(path):
                self._seen.versions[path] = outcome[0]
            case Change():
                pass

    def _version(self, path: bytes) -> int:
        return self._seen.versions.get(path, 0)

    def _content(self) -> bytes:
        return self._random.randbytes(24)
