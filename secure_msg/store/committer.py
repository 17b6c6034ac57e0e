"""From a batch of transactions to a signed, durable commit (docs/spec/storage.md, "Commit").

The order is the promise: check, journal, fdatasync, sign, make visible, answer. What is not yet
durable is in the Stage alone, so that a reader never sees it and a failure leaves nothing to undo.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

from secure_msg.ledger.merkle import Node
from secure_msg.ledger.transaction import Committed, StoreError
from secure_msg.store.folders import Folders
from secure_msg.store.journal import Journal
from secure_msg.store.logfiles import LogFiles, LogHead
from secure_msg.store.observer import BatchReport, Observer
from secure_msg.store.room import Room
from secure_msg.store.sequencer import Request, fail
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.stage import Stage
from secure_msg.store.state import Pending, PendingBlob, Published, State

Offload: TypeAlias = Callable[[Callable[[], Any]], Any]
"""Runs blocking work somewhere and gives its result back; what it raises comes through."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that waits for its fdatasync and signature."""

    stage: Stage
    published: Published
    leaf: bytes
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A batch is durable and signed; what both took, in seconds."""

    checkpoint: bytes
    fdatasync: float
    signature: float


class Installer:
    """Makes a batch part of the state."""

    def __init__(self, state: State, folders: Folders, log: LogFiles) -> None:
        self._state = state
        self._folders = folders
        self._log = log

    def prepare(self, stage: Stage) -> Prepared:
        """The map and log after the batch; the state is left as it is."""
        before = self._state.published
        leaf, after = stage.leaf(before.map)
        log, nodes = before.log.append(leaf)
        return Prepared(stage, Published(log, after, b"", stage.time), leaf, nodes)

    def install(self, prepared: Prepared, checkpoint: bytes) -> None:
        """Show the batch to readers, all of it at once."""
        stage, state = prepared.stage, self._state
        after = prepared.published
        with state.lock:
            for chain_id, staged in stage.chains.items():
                state.chains.put(staged.chain)
                state.dirty_chains.add(chain_id)
                if staged.new.entries:
                    state.pending.setdefault(chain_id, Pending()).grow(staged.new)
            state.unflushed_bytes += stage.memory
            self._install_puts(stage)
            for skeleton, account in stage.names.items():
                state.names.put(skeleton, account)
            state.dirty_names.update(stage.names)
            state.published = Published(after.log, after.map, checkpoint, after.time)
            self._log.grow(prepared.leaf, prepared.nodes)

    def _install_puts(self, stage: Stage) -> None:
        state = self._state
        for key, put in stage.blobs.items():
            replaces = stage.replaced[key]
            older = state.blobs.get(key)
            settling = state.settling.get(key)
            if older is not None:
                replaces = older.replaces
            elif settling is not None:
                replaces = settling.version if settling.blob is not None else 0
            state.blobs[key] = PendingBlob(put.version, put.blob, replaces)
        sizes = {
            account: stage.chains[chain].chain.size for account, chain in stage.folders.items()
        }
        self._folders.install(stage.files, sizes)


class Committer:
    """What the sequencer runs on each batch; the only user of the journal between flushes."""

    def __init__(
        self,
        *,
        installer: Installer,
        state: State,
        journal: Journal,
        keys: ServerKeys,
        new_stage: Callable[[], Stage],
        offload: Offload,
        observer: Observer,
        room: Room,
    ) -> None:
        self._installer = installer
        self._state = state
        self._journal = journal
        self._keys = keys
        self._new_stage = new_stage
        self._offload = offload
        self._observer = observer
        self._room = room
        self.failed = False
        self.batches = 0
        self.transactions = 0

    def process(self, batch: list[Request]) -> bool:
        """Settle every request of the batch; False when the disk failed.

        Refusals wait for the disk too: one may follow from a transaction of the same batch, and
        would tell of a change that a crash can still take back.
        """
        stage = self._new_stage()
        outcomes = [(request, _stage_one(stage, request)) for request in batch]
        accepted = sum(isinstance(outcome, Committed) for _, outcome in outcomes)
        if not stage.empty or any(request.timed for request in batch):
            prepared = self._installer.prepare(stage)
            try:
                sealed: Sealed = self._offload(lambda: self._make_durable(prepared))
            except OSError as error:
                return self._refuse(error, batch)
            self._room.found()
            self._installer.install(prepared, sealed.checkpoint)
            self.batches += 1
            self._report(stage, accepted, sealed)
        self.transactions += accepted
        for request, outcome in outcomes:
            _settle(request, outcome)
        return True

    def _refuse(self, error: OSError, batch: list[Request]) -> bool:
        """Nothing of the batch may count; whether the next one may be tried."""
        full = self._room.refused(error)
        if full is None:
            _log.critical("the journal cannot be written: %s", error.strerror)
            self.failed = True
        fail(batch, full)
        return full is not None

    def _make_durable(self, prepared: Prepared) -> Sealed:
        """Journal and fdatasync, then sign: the blocking part, which touches nothing shared."""
        stage = prepared.stage
        payload = stage.payload()
        # The journal takes it once, and the flush once more, with what it has not yet written.
        self._room.need(2 * len(payload) + self._state.unflushed_bytes)
        began = perf_counter()
        self._journal.append(stage.index, payload)
        durable = perf_counter()
        log: LogHead = prepared.published.log
        checkpoint = self._keys.checkpoint(log.size, log.frontier.root())
        return Sealed(checkpoint, durable - began, perf_counter() - durable)

    def _report(self, stage: Stage, transactions: int, sealed: Sealed) -> None:
        entries = sum(len(staged.new.entries) for staged in stage.chains.values())
        report = BatchReport(transactions, entries, sealed.fdatasync, sealed.signature)
        self._observer.committed(report)


def _stage_one(stage: Stage, request: Request) -> Committed | StoreError | ValueError:
    """The transaction's outcome: what it came to, or why it is refused."""
    try:
        if request.restored is not None:
            stage.restored = request.restored(stage.time)
        return stage.transact(request.transaction)
    except (StoreError, ValueError) as error:
        return error


def _settle(request: Request, outcome: Committed | StoreError | ValueError) -> None:
    if isinstance(outcome, Committed):
        request.done.set_result(outcome)
    else:
        request.done.set_exception(outcome)
