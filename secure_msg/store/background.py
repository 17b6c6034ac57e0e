"""When the flush runs, and what waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from secure_msg.ledger.transaction import StorageFailed
from secure_msg.store.committer import Offload
from secure_msg.store.flush import Flusher, Snapshot
from secure_msg.store.journal import Journal
from secure_msg.store.observer import FlushReport, Observer
from secure_msg.store.sequencer import REFUSAL, Sequencer
from secure_msg.store.state import State

FLUSH_SECONDS = 1.0
FLUSH_BYTES = 16 << 20
UNFLUSHED_LIMIT = 64 << 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FlushParts:
    state: State
    journal: Journal
    flusher: Flusher
    sequencer: Sequencer
    offload: Offload
    observer: Observer


class Background:
    """One flush at a time, a second after the first unflushed commit or when much waits.

    Blocking work is offloaded; locks are taken in threads of the caller's kind only, so that the
    offload may run it in threads that know nothing of the server's green ones.
    """

    def __init__(self, parts: FlushParts, on_wake: Callable[[], object]) -> None:
        self._parts = parts
        self._on_wake = on_wake
        self._one = threading.Lock()
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="flush", daemon=True)
        self.flushes = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending = True
        self._wake.set()
        self._thread.join()

    def grown(self) -> None:
        """A batch was committed."""
        if self._parts.state.unflushed_bytes >= FLUSH_BYTES:
            self._wake.set()

    def wait_for_room(self) -> None:
        """Return when memory has room for more, or nothing is accepted any more."""
        parts = self._parts
        while parts.state.unflushed_bytes > UNFLUSHED_LIMIT and parts.sequencer.accepting:
            self._wake.set()
            with self._room:
                self._room.wait(0.05)

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """Flush all that is committed now; no other flush runs inside. Raises StorageFailed."""
        with self._one:
            if not self._parts.sequencer.accepting:
                raise StorageFailed(REFUSAL)
            with self._stopping_on_failure():
                self._write_or_stop()
                yield

    def begin(self) -> tuple[int, Snapshot]:
        """Between two batches: the segment that goes on, and all that stands in older ones."""
        number: int = self._parts.offload(self._parts.journal.rotate)
        return number, self._parts.flusher.take()

    def write(self, number: int, snapshot: Snapshot) -> None:
        """Put the snapshot into the files and drop it from journal and memory. Raises OSError."""
        parts = self._parts
        began = perf_counter()
        written: int = parts.offload(lambda: parts.flusher.write(snapshot))
        parts.flusher.settle(snapshot)
        parts.offload(lambda: self._clean(number, snapshot))
        self.flushes += 1
        parts.observer.flushed(FlushReport(perf_counter() - began, written))
        with self._room:
            self._room.notify_all()

    def _clean(self, number: int, snapshot: Snapshot) -> None:
        self._parts.flusher.clean(snapshot)
        self._parts.journal.drop_before(number)

    def _write_or_stop(self) -> None:
        """Whatever ends a flush early ends the acceptance of commits: the journal would grow."""
        whole = False
        try:
            self.write(*self._parts.sequencer.run_between(self.begin).result())
            whole = True
        finally:
            if not whole:
                self._parts.sequencer.refuse()

    @contextmanager
    def _stopping_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _log.critical("the files cannot be written: %s", error.strerror)
            self._parts.sequencer.refuse()
            raise StorageFailed("the disk failed; the journal keeps what is committed") from error

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            if not self._ending and self._parts.sequencer.accepting:
                self._flush_when_due()

    def _flush_when_due(self) -> None:
        parts = self._parts
        try:
            self._on_wake()
            if parts.state.published.log.size > parts.flusher.log_size:
                with self.flushed():
                    pass
        except StorageFailed:
            return
