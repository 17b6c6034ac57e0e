"""From the files and the journal to the state in memory (docs/spec/storage.md, "Start")."""

from __future__ import annotations

import logging
from collections.abc import Callable

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.errors import InvalidSignature
from secure_msg.ledger.checkpoint import Checkpoint, verify_checkpoint
from secure_msg.ledger.errors import BadCheckpoint
from secure_msg.ledger.log import read_mapped
from secure_msg.ledger.map import Leaf, SparseMap, chain_label, head_value, name_label, name_value
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.committer import Installer
from secure_msg.store.heads import FoundHeads
from secure_msg.store.journal import MAX_PAYLOAD, Journal, JournalRecord
from secure_msg.store.layout import Layout
from secure_msg.store.logfiles import LogFiles, LogHead
from secure_msg.store.records import Batch, MarkRecord
from secure_msg.store.serverkeys import ServerIdentity
from secure_msg.store.stage import Stage
from secure_msg.store.state import Published, State, chain_of

_log = logging.getLogger(__name__)


def check_reach(mark: MarkRecord, journal: Journal, checkpoint: Checkpoint | None) -> None:
    """Heads, journal and checkpoint must meet: else one is older than the others, or cut short."""
    first, end = journal.span()
    if first is not None and first > mark.log_size:
        raise Damaged(
            f"ledger/heads ends with log size {mark.log_size} and the journal begins with {first}"
        )
    if checkpoint is not None and checkpoint.size < mark.log_size:
        _log.error("ledger/checkpoint is older than the files; it is signed again")
    reached = max(mark.log_size, end)
    if checkpoint is not None and checkpoint.size > reached:
        raise Damaged(
            f"heads and journal end with log size {reached}, but a checkpoint for "
            f"{checkpoint.size} was signed: the tail is lost"
        )


def adopt_heads(state: State, found: FoundHeads, identity: ServerIdentity, log: LogFiles) -> None:
    """The state at the last mark. Raises Damaged."""
    for record in found.heads.values():
        state.chains.settle(chain_of(record))
    for skeleton, account in found.names.items():
        state.names.settle(skeleton, account)
    mark = found.mark
    head = LogHead(Frontier(mark.log_size, mark.frontier), mark.leaf, mark.path)
    map_at_mark = SparseMap(_leaves(state, identity.name_salt))
    if head.size > 1 and read_mapped(mark.leaf).map_root != map_at_mark.root:
        raise Damaged("the heads do not lead to the map root in the newest log leaf")
    log.load(head)
    state.published = Published(head, map_at_mark, b"", mark.time)


def replay(
    state: State,
    journal: Journal,
    installer: Installer,
    new_stage: Callable[[int, int], Stage],
    checkpoint: Checkpoint | None,
    *,
    keep: Callable[[int, bytes], None],
) -> frozenset[bytes]:
    """Apply what the journal has beyond the mark. Raises Damaged.

    `keep` is given the statements of restorations, by log index: no other file has them yet.
    The accounts given back are those whose folders may hold blobs that a crash left behind.
    """
    _compare(state, checkpoint)
    accounts: set[bytes] = set()
    for record in journal.records():
        batch = _batch(record)
        accounts.update(put.account for put in batch.puts)
        size = state.published.log.size
        if record.index == size:
            stage = new_stage(record.index, batch.time)
            stage.replay(batch)
            installer.install(installer.prepare(stage), b"")
            if batch.restored is not None:
                keep(record.index, batch.restored)
            _compare(state, checkpoint)
    return frozenset(accounts)


def read_checkpoint(layout: Layout, identity: ServerIdentity) -> Checkpoint | None:
    """The checkpoint on disk; None when there is none, or none that checks, which is reported."""
    try:
        data = layout.checkpoint.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return verify_checkpoint(data, identity.origin, identity.public)
    except (BadCheckpoint, InvalidSignature):
        _log.error("ledger/checkpoint does not check; it is signed again")
        return None


def _compare(state: State, checkpoint: Checkpoint | None) -> None:
    log = state.published.log
    same_size = checkpoint is not None and checkpoint.size == log.size
    if checkpoint and same_size and checkpoint.root != log.frontier.root():
        raise Damaged(f"the log of size {log.size} is not the one that ledger/checkpoint signs")


def _batch(record: JournalRecord) -> Batch:
    try:
        return from_bytes(Batch, record.payload, limit=MAX_PAYLOAD)
    except MalformedData:
        raise Damaged(f"journal record {record.index} is malformed") from None


def _leaves(state: State, name_salt: bytes) -> list[Leaf]:
    chains = [
        (chain_label(one.id), head_value(one.size, one.frontier.root()))
        for one in state.chains.settled()
    ]
    names = [
        (name_label(name_salt, skeleton), name_value(account))
        for skeleton, account in state.names.settled()
    ]
    return chains + names
