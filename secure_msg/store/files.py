"""The store in plain files: the entry point (docs/spec/storage.md; port: `Store`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from secure_msg.codec.proofs import HeadProof, LogNews, MapProof, Receipt
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.transaction import (
    ChainHead,
    Committed,
    Damaged,
    PrivateFile,
    PrivateName,
    StorageFull,
    StoredEntry,
    Transaction,
)
from secure_msg.store.background import Background, Flush, FlushParts
from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.committer import Committer, Installer, Offload
from secure_msg.store.durable import Disk
from secure_msg.store.flush import Flusher
from secure_msg.store.folders import Folders
from secure_msg.store.heads import HeadsFile
from secure_msg.store.hold import Hold
from secure_msg.store.journal import Journal
from secure_msg.store.layout import Layout
from secure_msg.store.lock import FolderLock
from secure_msg.store.logfiles import LogFiles
from secure_msg.store.lognews import log_news
from secure_msg.store.migrations import migrate
from secure_msg.store.observer import Observer, Unobserved
from secure_msg.store.reader import Reader
from secure_msg.store.recovery import adopt_heads, check_reach, read_checkpoint, replay
from secure_msg.store.requests import checked_request
from secure_msg.store.restorations import Restorations
from secure_msg.store.room import Room
from secure_msg.store.sequencer import Request, Sequencer
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.stage import Base, Stage, stage_keys
from secure_msg.store.state import State
from secure_msg.store.stats import Stats, condition
from secure_msg.store.tree import ChainTree
from secure_msg.store.views import Views

T = TypeVar("T")
IDLE_LEAF_MS = 6 * 3600 * 1000

_log = logging.getLogger(__name__)


def run_here(work: Callable[[], T]) -> T:
    """The `offload` of plain threads: blocking work blocks this thread alone."""
    return work()


@dataclass(frozen=True, slots=True)
class Outside:
    """All that the store takes from outside of itself."""

    keys: ServerKeys
    clock: Callable[[], int]
    random: RandomBytes
    offload: Offload
    disk: Disk
    on_damage: Callable[[str], None] | None
    observer: Observer
    floor: int


class FileStore:
    """Open it by `open`, once a process, and `close` it; any thread may call all of the port."""

    def __init__(self, lock: FolderLock, layout: Layout, outside: Outside) -> None:
        keys, disk = outside.keys, outside.disk
        self._lock = lock
        self._hold = Hold(layout.root)
        self._layout = layout
        self._outside = outside
        self._state = State()
        self._views = Views(layout, self._state)
        self._log = LogFiles(layout.ledger)
        self._folders = Folders(self._views, keys.derive("index"))
        self._reader = Reader(
            views=self._views,
            folders=self._folders,
            log=self._log,
            name_salt=keys.identity.name_salt,
            on_damage=outside.on_damage,
        )
        self._restorations = Restorations(layout.root, keys, disk, outside.random)
        self._stage_keys = stage_keys(keys)
        self._installer = Installer(self._state, self._folders, self._log)
        self._room = Room(disk, layout.root, outside.floor)
        self._sequencer = Sequencer(self._process)
        self._leaf_at = self._read_at = 0
        self._heads = HeadsFile(layout.heads, keys.derive("heads"), disk)
        found = self._heads.load()
        self._journal = Journal(layout.journal, keys.derive("journal"), disk)
        self._checkpoint = read_checkpoint(layout, keys.identity)
        check_reach(found.mark, self._journal, self._checkpoint)
        adopt_heads(self._state, found, keys.identity, self._log)
        self._committer = Committer(
            installer=self._installer,
            state=self._state,
            journal=self._journal,
            keys=keys,
            new_stage=self._next_stage,
            offload=outside.offload,
            observer=outside.observer,
            room=self._room,
        )
        self._flusher = Flusher(
            layout=layout,
            disk=disk,
            state=self._state,
            folders=self._folders,
            heads=self._heads,
            log=self._log,
            found=found,
        )
        parts = FlushParts(
            self._state,
            self._journal,
            self._flusher,
            self._sequencer,
            outside.offload,
            outside.observer,
            self._room,
            self._hold,
        )
        self._background = Background(parts, lambda: self.tick(outside.clock()))

    @classmethod
    def open(
        cls,
        path: Path,
        keys: ServerKeys,
        clock: Callable[[], int],
        random: RandomBytes,
        offload: Offload = run_here,
        *,
        disk: Disk | None = None,
        on_damage: Callable[[str], None] | None = None,
        observer: Observer | None = None,
        floor: int = 0,
    ) -> FileStore:
        """The store in `path`, whole again after whatever ended it.

        `clock` gives ms since 1970 UTC; `offload` runs blocking work elsewhere and waits for it.
        `observer` is told of each batch and flush; commits leave `floor` bytes of the disk free.
        Raises InUse, WrongFormat, Damaged, StorageFull, OSError.
        """
        outside = Outside(
            keys, clock, random, offload, disk or Disk(), on_damage, observer or Unobserved(), floor
        )
        layout = Layout(path, ChainKeys(keys.derive("rows"), keys.derive("salt")))
        lock = FolderLock(path)
        opened = False
        try:
            migrate(path, keys, outside.disk)
            layout.prepare(outside.disk)
            store = cls(lock, layout, outside)
            store._recover()
            store._sequencer.start()
            store._background.start()
            opened = True
        finally:
            if not opened:
                lock.release()
        return store

    # The port.

    def commit(self, transaction: Transaction) -> Committed:
        request = checked_request(transaction)
        for put in transaction.puts:
            if not self._folders.at_hand(put.account):
                # Here and not in the committer, where everybody would wait for its chain.
                with self._reader.watched("a private folder"):
                    self._folders.load(put.account)
        self._background.wait_for_room()
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
        view = self._views.now(chain)
        if view is None or not 0 <= sequence < view.head.size:
            raise ValueError("there is no such entry")
        with self._reader.watched("a chain"):
            entry = ChainTree(view).entries(sequence, 1)[0]
        if not entry.erasable:
            raise ValueError("this entry is not erasable")
        # The body leaves the journal with the flush; after it no replay can bring it back.
        with self._background.flushed(erasing=True):
            self._outside.offload(lambda: view.files.erase(self._outside.disk, sequence))
            self._hold.disturb()

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

    def log_news(self, seen: int) -> LogNews:
        with self._reader.watched("the log"):
            published = self._state.published
            statements = self._restorations.newest(published.log.size)
            return log_news(self._log, published, seen, statements)

    # Beside the port.

    def tick(self, now: int) -> bool:
        """Commit a timed empty leaf when six hours have passed since the last commit.

        And while the disk takes no writes: one that gets through ends that. Raises StorageFull.
        """
        # By what the clock said then, not by the leaf's time, at which a clock set back is held.
        self._leaf_at = min(self._leaf_at, now)
        if not self._room.full and now - self._leaf_at < IDLE_LEAF_MS:
            return False
        request = Request(Transaction(), 0, timed=True)
        self._sequencer.submit(request)
        request.done.result()
        return True

    def flush(self) -> None:
        """Put all that is committed into its files, and wait for it.

        Raises StorageFailed, StorageFull.
        """
        with self._background.flushed():
            pass

    def close(self) -> None:
        """Commit what waits, flush, and let go of the folder. After a failure it only lets go."""
        failed = not self._sequencer.accepting
        self._background.stop()
        self._sequencer.stop()
        try:
            if not failed:
                self._background.finish()
        finally:
            self._journal.close()
            self._heads.close()
            self._lock.release()

    @property
    def condition(self) -> str:
        """As in `Stats`; asked before each request."""
        return condition(read_only=not self._sequencer.accepting, full=self._room.full)

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
            self._background.flushes,
            state.unflushed_bytes,
            self._reader.damaged,
            self._room.full,
        )

    def _recover(self) -> None:
        """Make whole what a crash left, then mark the start by a timed leaf."""
        accounts = replay(
            self._state,
            self._journal,
            self._installer,
            self._stage,
            self._checkpoint,
            keep=self._restorations.keep,
        )
        for account in accounts:
            self._flusher.sweep(account, self._superseded(account))
        try:
            self._background.write(self._begin_with_leaf())
        except (StorageFull, OSError) as error:
            self._start_full(error)
        else:
            self._restorations.done()

    def _start_full(self, error: StorageFull | OSError) -> None:
        """Serve what is there; the flush comes when the disk takes writes. Raises what it must."""
        log = self._state.published.log
        passes = isinstance(error, StorageFull) or self._room.refused(error) is not None
        if not passes or log.size < 2 or self._restorations.announced() is not None:
            raise error
        checkpoint = self._outside.keys.checkpoint(log.size, log.frontier.root())
        self._state.published = replace(self._state.published, checkpoint=checkpoint)

    def _begin_with_leaf(self) -> Flush:
        # Leaf 0 is the genesis leaf, which holds no map root: proofs need one more.
        for _ in range(1 if self._state.published.log.size else 2):
            if not self._tell_restored():
                self._commit_at_start(Request(Transaction(), 0, timed=True))
        return self._background.begin()

    def _tell_restored(self) -> bool:
        """Say that the store was set back to a copy, where that is announced and not yet said."""
        before = self._state.published
        announced = self._restorations.announced()
        size = before.log.size
        if announced is None or size < 2 or self._restorations.said(announced, size):
            return False
        said: list[bytes] = []

        def say(now: int) -> bytes:
            said.append(self._restorations.statement(announced, now, before.log, before.time))
            return said[0]

        self._commit_at_start(Request(Transaction(), 0, timed=True, restored=say))
        self._restorations.keep(size, said[0])
        _log.warning("the store was set back to a copy of log size %d", size)
        return True

    def _commit_at_start(self, request: Request) -> None:
        self._process([request])
        request.done.result()

    def _superseded(self, account: bytes) -> list[Path]:
        """The blobs in a folder that are no path's latest."""
        try:
            files = self._folders.load(account).files
        except Damaged:
            _log.exception("a private folder is damaged; nothing of it is unlinked")
            return []
        latest = {(path, file.version) for path, file in files.items()}
        return [file for file, *which in self._layout.blobs(account) if tuple(which) not in latest]

    def _base(self) -> Base:
        state = self._state
        return Base(state.chains.get, state.names.get, self._folders.file, self._reader.find)

    def _stage(self, index: int, at: int) -> Stage:
        return Stage(self._base(), self._stage_keys, self._outside.random, index, at)

    def _next_stage(self) -> Stage:
        published = self._state.published
        self._read_at = self._outside.clock()
        return self._stage(published.log.size, max(self._read_at, published.time))

    def _process(self, batch: list[Request]) -> None:
        before = self._state.published.log.size
        if not self._committer.process(batch):
            self._sequencer.refuse()
        if self._state.published.log.size > before:
            self._leaf_at = self._read_at
        self._background.grown()
