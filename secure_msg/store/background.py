"""When the flush runs, and what waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, perf_counter

from secure_msg.ledger.transaction import Busy, StorageFailed, StorageFull
from secure_msg.store.committer import Offload
from secure_msg.store.durable import is_passing
from secure_msg.store.flush import Flusher, Snapshot
from secure_msg.store.hold import Hold
from secure_msg.store.journal import Journal
from secure_msg.store.observer import FlushReport, Observer
from secure_msg.store.room import Room
from secure_msg.store.sequencer import REFUSAL, Sequencer
from secure_msg.store.state import State

FLUSH_SECONDS = 1.0
FLUSH_BYTES = 16 << 20
UNFLUSHED_LIMIT = 64 << 20
LONGEST_PAUSE = 32.0
"""Seconds between two attempts of a flush that finds no room; the first pause is one second."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FlushParts:
    state: State
    journal: Journal
    flusher: Flusher
    sequencer: Sequencer
    offload: Offload
    observer: Observer
    room: Room
    hold: Hold


@dataclass(slots=True)
class Flush:
    """One flush, to be done again from where it can be: all its steps may be repeated.

    `number` is the segment that goes on; all of the snapshot stands in older ones.
    """

    number: int
    snapshot: Snapshot
    settled: bool = False
    written: int = 0


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
        self._left: Flush | None = None
        self._erasing = False
        self._pause, self._not_before = FLUSH_SECONDS, 0.0
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
        """Return when memory has room for more, or nothing is accepted at the moment."""
        parts = self._parts
        while parts.state.unflushed_bytes > UNFLUSHED_LIMIT and parts.sequencer.accepting:
            if parts.room.full:
                return
            self._wake.set()
            with self._room:
                self._room.wait(0.05)

    @contextmanager
    def flushed(self, *, erasing: bool = False) -> Iterator[None]:
        """Flush all that is committed now; no other flush runs inside.

        With `erasing` what was written leaves the journal even while a backup holds it.
        Raises StorageFailed, StorageFull.
        """
        with self._one:
            self._erasing = erasing
            if not self._parts.sequencer.accepting:
                raise StorageFailed(REFUSAL)
            try:
                with self._stopping_on_failure():
                    self._write_or_stop()
                    yield
            finally:
                self._erasing = False

    def begin(self) -> Flush:
        """Between two batches: take all that is not in the files. Raises OSError."""
        number: int = self._parts.offload(self._parts.journal.rotate)
        return Flush(number, self._parts.flusher.take())

    def write(self, flush: Flush) -> None:
        """Put a snapshot into the files and drop it from journal and memory.

        Raises OSError; when it passes, this flush is done again before any other.
        """
        parts = self._parts
        began = perf_counter()
        self._left = flush
        if not flush.settled:
            flush.written = parts.offload(lambda: parts.flusher.write(flush.snapshot))
            parts.flusher.settle(flush.snapshot)
            flush.settled = True
        parts.offload(lambda: self._clean(flush))
        self._left = None
        self.flushes += 1
        parts.observer.flushed(FlushReport(perf_counter() - began, flush.written))
        with self._room:
            self._room.notify_all()

    def finish(self) -> None:
        """The last flush, when nothing else runs. What finds no room stays in the journal."""
        try:
            if self._left is not None:
                self.write(self._left)
            self.write(self.begin())
        except OSError as error:
            if not is_passing(error):
                raise
            _log.warning("no room for the last flush (%s); the journal keeps it", error.strerror)

    def _clean(self, flush: Flush) -> None:
        parts = self._parts
        parts.flusher.supersede(flush.snapshot)
        with parts.hold.cleaning() as free:
            if self._erasing and not free:
                parts.hold.disturb()
            if self._erasing or free:
                parts.flusher.clean()
                parts.journal.drop_before(flush.number)

    def _write_or_stop(self) -> None:
        """Whatever ends a flush early ends the acceptance of commits: the journal would grow."""
        safe = False
        try:
            if self._left is not None:
                self.write(self._left)
            self.write(self._parts.sequencer.run_between(self.begin).result())
            safe = True
        except OSError as error:
            safe = is_passing(error)
            if safe:
                self._parts.room.stall(error)
                self._put_off()
            raise
        finally:
            if not safe:
                self._parts.sequencer.refuse()
        self._parts.room.flow()
        self._pause = FLUSH_SECONDS

    def _put_off(self) -> None:
        """Each attempt may leave bytes that nothing names: the next ones come less often."""
        self._not_before = monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    @contextmanager
    def _stopping_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = self._parts.room.refused(error)
            if full is not None:
                raise full from error
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
        unflushed = parts.state.published.log.size > parts.flusher.log_size
        with suppress(StorageFull, StorageFailed):
            if (unflushed or self._left) and monotonic() >= self._not_before:
                with self.flushed():
                    pass
        with suppress(StorageFull, StorageFailed, Busy):
            self._on_wake()
