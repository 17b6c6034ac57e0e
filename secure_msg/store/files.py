"""The store in plain files: the entry point (docs/spec/storage.md; port: `Store`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.map import MapProof
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.receipt import HeadProof, Receipt
from secure_msg.ledger.transaction import (
    ChainHead,
    Committed,
    PrivateFile,
    PrivateName,
    StorageFailed,
    StoredEntry,
    Transaction,
)
from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.committer import Committer, Installer
from secure_msg.store.durable import Disk
from secure_msg.store.flush import Flusher, Snapshot
from secure_msg.store.folders import Folders
from secure_msg.store.heads import HeadsFile
from secure_msg.store.journal import Journal
from secure_msg.store.layout import Layout
from secure_msg.store.lock import FolderLock
from secure_msg.store.logfiles import LogFiles
from secure_msg.store.reader import Reader
from secure_msg.store.recovery import adopt_heads, read_checkpoint, replay
from secure_msg.store.requests import checked_request
from secure_msg.store.sequencer import Request, Sequencer
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.stage import Base, Stage, StageKeys
from secure_msg.store.state import State
from secure_msg.store.tree import ChainTree

T = TypeVar("T")
IDLE_LEAF_MS = 6 * 3600 * 1000
FLUSH_SECONDS = 1.0
FLUSH_BYTES = 16 << 20
UNFLUSHED_LIMIT = 64 << 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stats:
    """For operators. `read_only` after a failure of the disk; `damaged` reads were refused."""

    read_only: bool
    log_size: int
    chains: int
    names: int
    waiting: int
    batches: int
    transactions: int
    flushes: int
    unflushed_bytes: int
    damaged: int


def run_here(work: Callable[[], T]) -> T:
    """The `offload` of plain threads: blocking work blocks this thread alone."""
    return work()


class FileStore:
    """Open it by `open`, once a process; `close` it. All of the port may be called by any thread."""

    def __init__(
        self,
        lock: FolderLock,
        path: Path,
        keys: ServerKeys,
        clock: Callable[[], int],
        random: RandomBytes,
        offload: Callable[[Callable[[], Any]], Any],
        disk: Disk,
        on_damage: Callable[[str], None] | None,
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._random = random
        self._offload = offload
        self._keys = keys
        self._layout = Layout(path, ChainKeys(keys.derive("rows"), keys.derive("salt")))
        self._disk = disk
        self._layout.prepare(disk)
        self._state = State()
        self._log = LogFiles(self._layout.ledger)
        self._folders = Folders(
            self._state, self._layout, lambda chain: self._reader.view(chain), keys.derive("index")
        )
        self._reader = Reader(
            self._layout,
            self._state,
            self._folders,
            self._log,
            keys.identity.name_salt,
            on_damage,
        )
        self._stage_keys = StageKeys(
            keys.derive("salt"),
            keys.derive("blind"),
            keys.identity.name_salt,
            keys.identity.public,
        )
        self._base = Base(
            self._state.chains.get,
            self._state.names.get,
            self._folders.file,
            self._reader.find,
        )
        self._heads = HeadsFile(self._layout.heads, keys.derive("heads"), disk)
        self._installer = Installer(self._state, self._folders, self._log)
        self._flush_mutex = threading.Lock()
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._closing = False
        self._flushes = 0
        self._sequencer = Sequencer(self._process)
        self._recover()
        self._background = threading.Thread(target=self._run, name="flush", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        keys: ServerKeys,
        clock: Callable[[], int],
        random: RandomBytes,
        offload: Callable[[Callable[[], Any]], Any] = run_here,
        *,
        disk: Disk | None = None,
        on_damage: Callable[[str], None] | None = None,
    ) -> FileStore:
        """The store in `path`, whole again after whatever ended it.

        `clock` gives ms since 1970 UTC; `offload` runs blocking work elsewhere and waits for it.
        Raises InUse, WrongFormat, Damaged, OSError.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FolderLock(path)
        opened = False
        try:
            store = cls(lock, path, keys, clock, random, offload, disk or Disk(), on_damage)
            store._start()
            opened = True
        finally:
            if not opened:
                lock.release()
        return store

    # The port.

    def commit(self, transaction: Transaction) -> Committed:
        request = checked_request(transaction)
        for put in transaction.puts:
            # Here and not in the committer, where everybody would wait for this folder's chain.
            self._folders.load(put.account)
        self._wait_for_room()
        self._sequencer.submit(request)
        return request.done.result()

    def head(self, chain: bytes) -> ChainHead:
        return self._reader.head(chain)

    def entries(self, chain: bytes, start: int, count: int) -> tuple[StoredEntry, ...]:
        return self._reader.entries(chain, start, count)

    def frontier(self, chain: bytes, size: int) -> Frontier:
        return self._reader.frontier(chain, size)

    def private(self, account: bytes, path: bytes) -> PrivateFile | None:
        return self._reader.private(account, path)

    def private_names(self, account: bytes) -> tuple[PrivateName, ...]:
        return self._reader.private_names(account)

    def erase(self, chain: bytes, sequence: int) -> None:
        view = self._reader.view(chain)
        if view is None or not 0 <= sequence < view.head.size:
            raise ValueError("there is no such entry")
        if not ChainTree(view).entries(sequence, 1)[0].erasable:
            raise ValueError("this entry is not erasable")
        with self._flush_mutex:
            # The body leaves the journal with the flush; after it no replay can bring it back.
            self._flush_locked()
            self._offload(lambda: view.files.erase(self._disk, sequence))

    def name_owner(self, skeleton: str) -> bytes | None:
        return self._reader.name_owner(skeleton)

    def name_proof(self, skeleton: str) -> MapProof:
        return self._reader.name_proof(skeleton)

    def chains(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        return self._reader.chains(kind)

    def receipt(self, chain: bytes, sequence: int) -> Receipt:
        return self._reader.receipt(chain, sequence)

    def head_proof(self, chain: bytes) -> HeadProof:
        return self._reader.head_proof(chain)

    def checkpoint(self) -> bytes:
        return self._reader.checkpoint()

    def ledger_file(self, path: str) -> bytes | None:
        return self._reader.ledger_file(path)

    # Beside the port.

    def tick(self, now: int) -> bool:
        """Commit a timed empty leaf when six hours have passed since the last commit."""
        if now - self._state.published.time < IDLE_LEAF_MS:
            return False
        request = Request(Transaction(), 0, timed=True)
        self._sequencer.submit(request)
        request.done.result()
        return True

    def flush(self) -> None:
        """Put all that is committed into its files, and wait for it. Raises StorageFailed."""
        with self._flush_mutex:
            self._flush_locked()

    def close(self) -> None:
        """Commit what waits, flush, and let go of the folder."""
        self._sequencer.stop()
        self._closing = True
        self._wake.set()
        self._background.join()
        if not self._committer.failed:
            self._write_files(*self._begin_flush())
        self._journal.close()
        self._heads.close()
        self._lock.release()

    def stats(self) -> Stats:
        state = self._state
        return Stats(
            not self._sequencer.accepting,
            state.published.log.size,
            len(state.chains),
            len(state.names),
            self._sequencer.waiting(),
            self._committer.batches,
            self._committer.transactions,
            self._flushes,
            state.unflushed_bytes,
            self._reader.damaged,
        )

    def _recover(self) -> None:
        found = self._heads.load()
        identity = self._keys.identity
        adopt_heads(self._state, found, identity, self._log)
        self._flusher = Flusher(
            self._layout, self._disk, self._state, self._folders, self._heads, self._log, found
        )
        self._journal = Journal(self._layout.journal, self._keys.derive("journal"), self._disk)
        checkpoint = read_checkpoint(self._layout, identity)
        recovered = replay(self._state, self._journal, self._installer, self._stage, checkpoint)
        self._committer = Committer(
            self._installer, self._state, self._journal, self._keys, self._next_stage, self._offload
        )
        # Leaf 0 is the genesis leaf; a start is marked by a timed leaf of its own.
        for _ in range(1 if self._state.published.log.size else 2):
            self._process([Request(Transaction(), 0, timed=True)])
        self._write_files(*self._begin_flush())
        self._sweep(recovered.accounts)

    def _sweep(self, accounts: frozenset[bytes]) -> None:
        """Unlink the superseded blobs that a crash left behind."""
        for account in accounts:
            files = self._folders.load(account).files
            for file, path, version in self._layout.blobs(account):
                kept = files.get(path)
                if kept is None or kept.version != version:
                    self._disk.remove(file)

    def _start(self) -> None:
        self._sequencer.start()
        self._background.start()

    def _stage(self, index: int, at: int) -> Stage:
        return Stage(self._base, self._stage_keys, self._random, index, at)

    def _next_stage(self) -> Stage:
        published = self._state.published
        return self._stage(published.log.size, max(self._clock(), published.time))

    def _process(self, batch: list[Request]) -> None:
        if not self._committer.process(batch):
            self._sequencer.refuse()
        if self._state.unflushed_bytes >= FLUSH_BYTES:
            self._wake.set()

    def _wait_for_room(self) -> None:
        while self._state.unflushed_bytes > UNFLUSHED_LIMIT and self._sequencer.accepting:
            self._wake.set()
            with self._room:
                self._room.wait(0.05)

    # The flush.

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            if self._closing or not self._sequencer.accepting:
                continue
            try:
                if self._state.published.log.size > self._flusher.log_size:
                    self.flush()
                self.tick(self._clock())
            except StorageFailed:
                continue

    def _flush_locked(self) -> None:
        whole = False
        try:
            number, snapshot = self._sequencer.run_between(self._begin_flush).result()
            self._write_files(number, snapshot)
            whole = True
        except OSError as error:
            _log.critical("the files cannot be written: %s", error.strerror)
            raise StorageFailed("the disk failed; the journal keeps what is committed") from error
        finally:
            if not whole:
                self._sequencer.refuse()

    def _begin_flush(self) -> tuple[int, Snapshot]:
        """Between two batches: what is committed so far, and the segment that goes on after it."""
        number = self._offload(self._journal.rotate)
        return number, self._flusher.take()

    def _write_files(self, number: int, snapshot: Snapshot) -> None:
        """Blocking work is offloaded; the locks are taken here, in a thread of the caller's kind."""
        self._offload(lambda: self._flusher.write(snapshot))
        self._flusher.settle(snapshot)
        self._offload(lambda: self._clean(number, snapshot))
        self._flushes += 1
        with self._room:
            self._room.notify_all()

    def _clean(self, number: int, snapshot: Snapshot) -> None:
        self._flusher.clean(snapshot)
        self._journal.drop_before(number)
