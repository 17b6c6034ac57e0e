"""What the store holds in memory: the heads of all chains, and what is not yet in its files."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from secure_msg.crypto.hash import sha256
from secure_msg.ledger.map import SparseMap
from secure_msg.ledger.merkle import EMPTY, Frontier, Node
from secure_msg.ledger.transaction import ChainHead
from secure_msg.store.entry import Entry
from secure_msg.store.logfiles import EMPTY_LOG, LogHead
from secure_msg.store.records import HeadRecord

PUT = "put"


def private_chain(account: bytes) -> bytes:
    """The id of the chain of an account's private folder (docs/spec/storage.md, "Names")."""
    return sha256(b"securemsg/private-chain/1", account)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain's latest head; `owner` is the account of a private folder."""

    id: bytes
    owner: bytes | None
    frontier: Frontier
    register: bytes
    label: bytes
    begun: str

    @property
    def size(self) -> int:
        return self.frontier.size

    def head(self) -> ChainHead:
        return ChainHead(self.frontier.size, self.frontier.root(), self.register)

    def record(self) -> HeadRecord:
        frontier = self.frontier
        return HeadRecord(
            self.id,
            self.owner,
            frontier.size,
            frontier.hashes,
            self.register,
            self.label,
            self.begun,
        )


def chain_of(record: HeadRecord) -> Chain:
    frontier = Frontier(record.size, record.frontier)
    return Chain(record.chain, record.owner, frontier, record.register, record.label, record.begun)


EMPTY_HEAD = ChainHead(0, EMPTY.root(), b"")


@dataclass(slots=True)
class Pending:
    """A chain's entries that are not yet in its files, and the subtrees of 256^n that they end."""

    entries: list[Entry] = field(default_factory=list)
    levels: list[Node] = field(default_factory=list)


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
    chains: dict[bytes, Chain] = field(default_factory=dict)
    names: dict[str, bytes] = field(default_factory=dict)
    published: Published = field(default_factory=Published)
    pending: dict[bytes, Pending] = field(default_factory=dict)
    blobs: dict[BlobKey, PendingBlob] = field(default_factory=dict)
    settling: dict[BlobKey, PendingBlob] = field(default_factory=dict)
    dirty_chains: set[bytes] = field(default_factory=set)
    dirty_names: set[str] = field(default_factory=set)
    unflushed_bytes: int = 0

    def pending_blob(self, key: BlobKey) -> PendingBlob | None:
        return self.blobs.get(key) or self.settling.get(key)
