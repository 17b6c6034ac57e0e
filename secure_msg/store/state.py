"""What the store holds in memory: the heads of all chains, and what is not yet in its files."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from secure_msg.crypto.hash import sha256
from secure_msg.ledger.map import SparseMap
from secure_msg.ledger.merkle import EMPTY, Frontier, Node
from secure_msg.ledger.transaction import ChainHead
from secure_msg.store.chains import PUT, Chain, Chains, Names, chain_of
from secure_msg.store.entry import Entry
from secure_msg.store.logfiles import EMPTY_LOG, LogHead

__all__ = [
    "EMPTY_HEAD",
    "PUT",
    "BlobKey",
    "Chain",
    "Pending",
    "PendingBlob",
    "Published",
    "State",
    "chain_of",
    "private_chain",
]


def private_chain(account: bytes) -> bytes:
    """The id of the chain of an account's private folder (docs/spec/storage.md, "Names")."""
    return sha256(b"securemsg/private-chain/1", account)


EMPTY_HEAD = ChainHead(0, EMPTY.root(), b"")


@dataclass(slots=True)
class Pending:
    """A chain's entries that are not yet in its files, and the subtrees of 256^n that they end.

    `before` are the chain's frontiers before each entry. The lists only grow: whoever notes a
    length may go on reading up to it. A flush puts new ones in their place.
    """

    entries: list[Entry] = field(default_factory=list)
    levels: list[Node] = field(default_factory=list)
    before: list[Frontier] = field(default_factory=list)

    def grow(self, newer: Pending) -> None:
        self.entries += newer.entries
        self.levels += newer.levels
        self.before += newer.before

    def without(self, entries: int, levels: int) -> Pending:
        """What is left when the files have the first of each."""
        return Pending(self.entries[entries:], self.levels[levels:], self.before[entries:])


@dataclass(frozen=True, slots=True)
class PendingBlob:
    """A private file's newest version; `replaces` is the one on disk (0: none)."""

    version: int
    blob: bytes | None
    replaces: int


@dataclass(frozen=True, slots=True)
class Published:
    """What a proof is made of: all of one moment. `map` is never changed, only replaced."""

    log: LogHead = EMPTY_LOG
    map: SparseMap = field(default_factory=SparseMap)
    checkpoint: bytes = b""
    time: int = 0


BlobKey = tuple[bytes, bytes]
"""(account, path)"""


@dataclass(slots=True)
class State:
    """All under `lock`, which is held for moments only: never while disk or signature is at work.

    The committer alone changes it, and the flush takes out of `pending` what is in the files.
    `settling` are the blobs that the running flush is writing.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    chains: Chains = field(default_factory=Chains)
    names: Names = field(default_factory=Names)
    published: Published = field(default_factory=Published)
    pending: dict[bytes, Pending] = field(default_factory=dict)
    blobs: dict[BlobKey, PendingBlob] = field(default_factory=dict)
    settling: dict[BlobKey, PendingBlob] = field(default_factory=dict)
    dirty_chains: set[bytes] = field(default_factory=set)
    dirty_names: set[str] = field(default_factory=set)
    unflushed_bytes: int = 0

    def pending_blob(self, key: BlobKey) -> PendingBlob | None:
        return self.blobs.get(key) or self.settling.get(key)
