"""Real store processes that can be killed and started again within milliseconds.

    with Nursery() as nursery:
        process = nursery.start(folder, address, DieAt(40))
        process.kill()

A nursery is a process that has imported everything; it forks a store process for each start, so
that hundreds of kills cost no interpreter starts. Callers talk to a store process over a socket.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from types import TracebackType
from typing import Any

from secure_msg.crypto.random import system_random
from secure_msg.ledger.transaction import (
    Busy,
    Conflict,
    Stale,
    StorageFailed,
    StoreError,
    Transaction,
)
from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import open_keys

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DieAt:
    """SIGKILL at the durable step with this number since the start, before or after its effect."""

    step: int
    after: bool = False


class Lost(Exception):
    """The connection ended without an answer: what was asked may have happened or not."""


class StartFailed(Exception):
    """The store process refused to start; the text is what it said."""


class StoreProcess:
    """One store process, from its start to its end."""

    def __init__(self, pid: int, address: str, complaint: Path) -> None:
        self.pid = pid
        self._address = address
        self._complaint = complaint

    @property
    def running(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL; on return it is gone and its locks with it."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.wait()

    def wait(self) -> None:
        _await(lambda: not self.running, "a killed store process to be gone")

    def ready(self) -> bool:
        """Wait until it answers; False when it died on the way. Raises StartFailed."""
        _await(lambda: self._answers() or not self.running, "a store process to answer")
        if self._complaint.exists():
            raise StartFailed(self._complaint.read_text())
        return self.running

    def _answers(self) -> bool:
        try:
            Line(self._address).close()
        except Lost:
            return False
        return True


class Line:
    """A connection to whatever store process listens at `address`."""

    def __init__(self, address: str) -> None:
        """Raises Lost when nobody listens."""
        try:
            self._connection = Client(address, "AF_UNIX")
        except (OSError, EOFError) as error:
            raise Lost from error

    def ask(self, method: str, *arguments: Any) -> Any:
        """The store's answer; what it refuses is raised as it was there. Raises Lost."""
        try:
            self._connection.send((method, arguments))
            kind, value = self._connection.recv()
        except (OSError, EOFError) as error:
            raise Lost from error
        if kind == "answer":
            return value
        raise REFUSALS[kind](value)

    def close(self) -> None:
        self._connection.close()


class Nursery:
    """Forks store processes; all that are left are killed at the end."""

    def __enter__(self) -> Nursery:
        self._started: list[StoreProcess] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sim.storeprocess"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def start(self, folder: Path, address: str, die: DieAt | None = None) -> StoreProcess:
        """A store process on `folder`, listening at the socket `address`."""
        step = None if die is None else [die.step, die.after]
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] is not None
        assert pipes[1] is not None
        pipes[0].write(json.dumps([str(folder), address, step]) + "\n")
        pipes[0].flush()
        process = StoreProcess(int(pipes[1].readline()), address, _complaint(folder))
        self._started.append(process)
        return process

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._started[-8:]:
            process.kill()
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


REFUSALS: dict[str, Callable[[str], Exception]] = {
    "Conflict": Conflict,
    "Stale": Stale,
    "Busy": Busy,
    "StorageFailed": StorageFailed,
    "StoreError": StoreError,
}


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.002)


# From here on: what runs in the nursery and in the store processes.


def dying_disk(die: DieAt) -> Disk:
    """A disk that counts its steps, whichever there are, and kills the process at one of them."""
    lock, count = threading.Lock(), 0

    def wrapped(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def step(disk: Disk, *arguments: Any) -> Any:
            nonlocal count
            with lock:
                count += 1
                mine = count
            if mine == die.step and not die.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = plain(disk, *arguments)
            if mine == die.step:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        step.__name__ = name
        return step

    steps = {
        name: wrapped(name, plain)
        for name, plain in vars(Disk).items()
        if callable(plain) and not name.startswith("_")
    }
    disk: Disk = type("DyingDisk", (Disk,), steps)()
    return disk


def _complaint(folder: Path) -> Path:
    return folder.with_name(folder.name + ".complaint")


def _serve(folder: Path, address: str, die: DieAt | None) -> None:
    disk = Disk() if die is None else dying_disk(die)
    try:
        store = FileStore.open(folder, open_keys(folder, None), _clock, system_random, disk=disk)
    except StoreError as error:
        _complaint(folder).write_text(f"{type(error).__name__}: {error}")
        return
    Path(address).unlink(missing_ok=True)
    with Listener(address, "AF_UNIX", backlog=64) as listener:
        while True:
            connection = listener.accept()
            threading.Thread(target=_attend, args=(store, connection), daemon=True).start()


def _clock() -> int:
    return time.time_ns() // 1_000_000


def _attend(store: FileStore, connection: Connection) -> None:
    with connection:
        while True:
            try:
                method, arguments = connection.recv()
            except (EOFError, OSError):
                return
            try:
                connection.send(("answer", METHODS[method](store, *arguments)))
            except Conflict as conflict:
                connection.send(("Conflict", conflict.what))
            except StoreError as error:
                name = type(error).__name__
                connection.send((name if name in REFUSALS else "StoreError", str(error)))


def _commit(store: FileStore, transaction: Transaction) -> tuple[Any, ...]:
    done = store.commit(transaction)
    places = tuple((one.sequence, one.header) for one in done.placed)
    return places, done.versions, done.repeat, done.log_index


def _chain(store: FileStore, chain: bytes, start: int) -> tuple[bytes, ...]:
    bodies = (entry.body or b"" for entry in store.entries(chain, start, 1 << 20))
    return tuple(body[:16] for body in bodies)


def _file(store: FileStore, account: bytes, path: bytes) -> tuple[int, bytes]:
    found = store.private(account, path)
    return (0, b"") if found is None else (found.version, found.blob)


METHODS: dict[str, Callable[..., Any]] = {
    "commit": _commit,
    "chain": _chain,
    "file": _file,
    "register": lambda store, chain: store.head(chain).register,
    "flush": lambda store: store.flush(),
}


def _to_its_log(folder: Path) -> None:
    """The standard streams of a store process end in a file beside its folder."""
    log = os.open(folder.with_name(folder.name + ".log"), os.O_RDWR | os.O_CREAT | os.O_APPEND)
    for stream in (0, 1, 2):
        os.dup2(log, stream)


def _nurse() -> None:
    """Fork a store process for each line on standard input; end with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what is killed leaves no zombie
    for line in sys.stdin:
        folder, address, step = json.loads(line)
        pid = os.fork()
        if not pid:
            try:
                _to_its_log(Path(folder))
                _serve(Path(folder), address, None if step is None else DieAt(*step))
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    _nurse()
