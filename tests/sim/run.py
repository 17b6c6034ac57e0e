"""One simulated run: a schedule from a seed, its history, and what must be true of it."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from secure_msg.crypto.random import SeededRandom
from secure_msg.ledger.transaction import Append, Transaction
from secure_msg.store.serverkeys import open_or_create
from tests.sim import conversation
from tests.sim.conversation import Conversation, ReadChain, ReadFile, ReadRegister
from tests.sim.history import (
    OPENING,
    SHARED,
    THREAD,
    Patient,
    Performer,
    Recorder,
    Seen,
    SimulatedClient,
    ident,
)
from tests.sim.linearizability import Verdict, check
from tests.sim.storeprocess import DieAt, Nursery, StoreProcess

CLIENTS = 8
READER = 100


@dataclass(frozen=True, slots=True)
class KillAfter:
    """SIGKILL from outside once so many more answers have come."""

    answers: int


Fault = DieAt | KillAfter


@dataclass(frozen=True, slots=True)
class Schedule:
    """`earlier` entries are in the chain before: a run may cross a group of 256."""

    earlier: int
    operations: int
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, seed: int, *, kills: int = 4, operations: int = 16) -> Schedule:
        chosen = random.Random(seed)
        faults = tuple(_fault(chosen) for _ in range(kills))
        return cls(chosen.choice([0, 0, 60, 240]), operations, faults)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a schedule; `folder` is the store's, left as a last SIGKILL left it."""

    schedule: Schedule
    recorder: Recorder
    verdict: Verdict
    kills: int
    folder: Path

    def placed_twice(self) -> list[bytes]:
        """Messages that were acknowledged at more than one place, time or log index."""
        return [message for message, places in self.recorder.places.items() if len(places) > 1]


def _fault(chosen: random.Random) -> Fault:
    if chosen.random() < 0.5:
        return KillAfter(chosen.randrange(1, 40))
    # Often enough low: a second kill within the recovery from the first.
    step = chosen.randrange(1, chosen.choice([12, 60, 120]))
    return DieAt(step, after=chosen.random() < 0.5)


def simulate(nursery: Nursery, folder: Path, seed: int, schedule: Schedule) -> Run:
    """Run `schedule` on a new store in `folder`."""
    folder.mkdir()
    open_or_create(folder, None, SeededRandom(b"simulated"))
    with _short_address() as address:
        world = _World(nursery, folder, address, schedule)
        initial = world.begin()
        world.run(seed)
        world.read_all()
        world.end()
    history = world.recorder.operations
    verdict = check(history, conversation.model(initial, history))
    return Run(schedule, world.recorder, verdict, world.kills, folder)


@contextmanager
def _short_address() -> Iterator[str]:
    """A socket's path; it may not be long."""
    with tempfile.TemporaryDirectory(prefix="sim-") as folder:
        yield f"{folder}/store"


class _World:
    """The store process of the moment, and the clients."""

    def __init__(self, nursery: Nursery, folder: Path, address: str, schedule: Schedule) -> None:
        self._nursery = nursery
        self._folder = folder
        self._address = address
        self._schedule = schedule
        self._process: StoreProcess | None = None
        self._stopped = threading.Event()
        self.recorder = Recorder()
        self.kills = 0

    def begin(self) -> Conversation:
        """A conversation that has begun, before anything is recorded."""
        self._start(None)
        line = self._connect()
        opening = Append(THREAD, "opened", OPENING, label=b"two")
        line.ask("commit", Transaction((opening,)))
        earlier = [ident(f"earlier {number}")[:16] for number in range(self._schedule.earlier)]
        appends = tuple(Append(THREAD, "message", one, unique=one, seen=1) for one in earlier)
        if appends:
            line.ask("commit", Transaction(appends))
        return Conversation((OPENING, *earlier))

    def run(self, seed: int) -> None:
        """The clients' operations, while the store dies and comes back by the schedule."""
        size = 1 + self._schedule.earlier
        clients = [
            SimulatedClient(number, seed, self.recorder, self._connect, Seen(size, b""))
            for number in range(CLIENTS)
        ]
        threads = [
            threading.Thread(target=one.run, args=(self._schedule.operations,)) for one in clients
        ]
        for thread in threads:
            thread.start()
        whole = False
        try:
            self._break(threads)
            whole = True
        finally:
            if not whole:
                self._stopped.set()
            for thread in threads:
                thread.join()

    def read_all(self) -> None:
        """After a last kill: all that there is, read once more and part of the history."""
        self._kill()
        self._start(None)
        reader = Performer(READER, self.recorder, self._connect())
        reader.perform(ReadChain(0))
        reader.perform(ReadRegister())
        for path in (SHARED, *(ident(f"session of {number}") for number in range(CLIENTS))):
            reader.perform(ReadFile(path))

    def end(self) -> None:
        self._kill()

    def _break(self, threads: list[threading.Thread]) -> None:
        """One process after the other meets its fault; the last one meets none."""
        for fault in self._schedule.faults:
            self._kill()
            self._start(fault if isinstance(fault, DieAt) else None)
            self._outlive(fault, threads)
        if not self._running:
            self._start(None)

    def _outlive(self, fault: Fault, threads: list[threading.Thread]) -> None:
        """Return when the process is gone, or nobody asks anything any more."""
        due = self.recorder.answers + (fault.answers if isinstance(fault, KillAfter) else 0)
        while self._running and any(thread.is_alive() for thread in threads):
            if isinstance(fault, KillAfter) and self.recorder.answers >= due:
                self._kill()
            time.sleep(0.003)

    @property
    def _running(self) -> bool:
        return self._process is not None and self._process.running

    def _start(self, die: DieAt | None) -> None:
        if self._process is not None:
            self.kills += 1
        self._process = self._nursery.start(self._folder, self._address, die)
        self._process.ready()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _connect(self) -> Patient:
        return Patient(self._address, self._stopped)
