"""The queue in front of the one committer: what waits together is committed together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from secure_msg.ledger.transaction import Busy, Committed, StorageFailed, StoreError, Transaction

QUEUE_LIMIT = 4096
BATCH_LIMIT = 512
BATCH_BYTES = 16 << 20
REFUSAL = "the store failed; it accepts nothing more until it is started again"

T = TypeVar("T")


class Outcome(Generic[T]):
    """What comes of something: settled once, and waited for by one other thread.

    A Future does more, and making and waiting for one takes as long as staging an entry.
    """

    __slots__ = ("_error", "_latch", "_value", "settled")

    def __init__(self) -> None:
        self._latch = threading.Lock()
        self._latch.acquire()
        self._value: T | None = None
        self._error: Exception | None = None
        self.settled = False

    def set_result(self, value: T) -> None:
        self._value = value
        self._settle()

    def set_exception(self, error: Exception) -> None:
        self._error = error
        self._settle()

    def result(self, seconds: float = -1) -> T:
        """Waits, without end or so long; raises what was set instead of a result, TimeoutError."""
        if not self._latch.acquire(timeout=seconds):
            raise TimeoutError
        self._latch.release()
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def _settle(self) -> None:
        self.settled = True
        self._latch.release()


@dataclass(slots=True)
class Request:
    """One waiting transaction; `size` bounds what a batch holds. `timed` makes a leaf anyway.

    `restored` gives, for the leaf's time, a statement that takes the place of the touched chains:
    nothing else is in that batch.
    """

    transaction: Transaction
    size: int
    timed: bool = False
    restored: Callable[[int], bytes] | None = None
    done: Outcome[Committed] = field(default_factory=Outcome)


@dataclass(slots=True)
class _Between:
    """Work that is done between two batches."""

    work: Callable[[], None]
    failed: Callable[[], None]


class Sequencer:
    """Runs `process` on one batch after the other, in a thread of its own.

    While one batch becomes durable the next one gathers in the queue. `process` settles every
    request; when it does not return, the sequencer is broken and all later ones fail.
    """

    def __init__(self, process: Callable[[list[Request]], None]) -> None:
        self._process = process
        # Its bound is kept by `submit`, under the gate.
        self._queue: queue.SimpleQueue[Request | _Between | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._accepting = True
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue it. Raises Busy when too many wait, StorageFailed when nothing is accepted."""
        with self._gate:
            if not self._accepting:
                raise StorageFailed(REFUSAL)
            if self._queue.qsize() >= QUEUE_LIMIT:
                raise Busy("too many requests wait; send it again shortly")
            self._queue.put(request)

    def run_between(self, work: Callable[[], T]) -> Outcome[T]:
        """Do `work` in the committer's thread, between two batches."""
        done: Outcome[T] = Outcome()

        def settle() -> None:
            try:
                done.set_result(work())
            except OSError as error:
                done.set_exception(error)

        def failed() -> None:
            done.set_exception(StorageFailed(REFUSAL))

        with self._gate:
            if not self._accepting:
                raise StorageFailed(REFUSAL)
            self._queue.put(_Between(settle, failed))
        return done

    def refuse(self) -> None:
        """Accept nothing more, and fail all that wait."""
        with self._gate:
            self._accepting = False
            self._drain()

    def stop(self) -> None:
        """Let what waits be committed, then end."""
        with self._gate:
            self._accepting = False
        self._queue.put(None)
        self._thread.join()

    @property
    def accepting(self) -> bool:
        return self._accepting

    def waiting(self) -> int:
        return self._queue.qsize()

    def _run(self) -> None:
        while not self._ended:
            self._run_once()

    def _run_once(self) -> None:
        """In a frame of its own: an idle server holds nothing of its last batch or flush."""
        batch, between = self._gather()
        if batch:
            self._run_batch(batch)
        if between is not None:
            self._run_between(between)

    def _run_batch(self, batch: list[Request]) -> None:
        whole = False
        try:
            self._process(batch)
            whole = True
        finally:
            if not whole:  # a bug: nobody may wait for ever, and the state is not to be trusted
                fail([request for request in batch if not request.done.settled])
                self.refuse()

    def _run_between(self, between: _Between) -> None:
        whole = False
        try:
            between.work()
            whole = True
        finally:
            if not whole:  # as above
                between.failed()
                self.refuse()

    def _gather(self) -> tuple[list[Request], _Between | None]:
        """Wait for a request and take what else is there, up to work that comes between."""
        batch: list[Request] = []
        size = 0
        item = self._queue.get()
        while isinstance(item, Request):
            batch.append(item)
            size += item.size
            if len(batch) >= BATCH_LIMIT or size >= BATCH_BYTES:
                return batch, None
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, None
        self._ended = item is None
        return batch, item

    def _drain(self) -> None:
        ends = False
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, Request):
                fail([item])
            elif item is None:
                ends = True
            else:
                item.failed()
        if ends:  # for the committer, whom somebody waits for
            self._queue.put(None)


def fail(requests: list[Request], error: StoreError | None = None) -> None:
    for request in requests:
        request.done.set_exception(error or StorageFailed(REFUSAL))
