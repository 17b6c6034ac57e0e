"""What a room asks of the store: one all-or-nothing change, and what became of it.

The sizes and meanings are those of docs/spec/storage.md, section "Transaction".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from secure_msg.codec.proofs import HeadProof, LogNews, MapProof, Receipt
from secure_msg.ledger.merkle import Frontier


class StoreError(Exception):
    """Base of all that the store refuses or fails at."""


class Conflict(StoreError):
    """Something moved since the caller looked; nothing was written.

    `what` is "size", "register", "version" or "name".
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} moved on; look again")
        self.what = what


class Stale(StoreError):
    """The caller's `seen` lies too far back for the look-up of repeats; it reloads first."""


class Busy(StoreError):
    """The queue is full; the same request may be sent again shortly."""


class Damaged(StoreError):
    """Stored bytes do not match their chain; they are not served."""


class StorageFull(StoreError):
    """The disk takes no writes at the moment; nothing was written, and it may be sent again later.

    Reads go on, and commits by themselves as soon as there is room.
    """


class StorageFailed(StoreError):
    """The disk failed; the store accepts nothing more until it is started again."""


# Each send makes a dozen of these, and named tuples take a third of the time of frozen dataclasses.


class Append(NamedTuple):
    """One entry for a chain.

    `expected_size` refuses the transaction when the chain's size differs (None: any).
    `unique` is a 16-byte message id, looked up in the entries from `seen` on: a repeat writes
    nothing. `label` (at most 128 bytes) is kept beside the head of a chain that this append begins:
    an account's name, a thread's two members, so that directories are rebuilt at start without
    opening each chain.
    """

    chain: bytes
    kind: str
    body: bytes
    erasable: bool = False
    expected_size: int | None = None
    unique: bytes | None = None
    seen: int = 0
    label: bytes = b""


class Register(NamedTuple):
    """Compare-and-set of the 32 bytes that a chain carries beside its entries (b"" at first).

    A thread's register names its current session; `new` None only compares.
    """

    chain: bytes
    expected: bytes
    new: bytes | None = None


class Put(NamedTuple):
    """One private file's next version; `expected_version` 0: there is none, `blob` None: delete."""

    account: bytes
    path: bytes
    expected_version: int
    blob: bytes | None


class NameClaim(NamedTuple):
    """One skeleton for one account, for good."""

    skeleton: str
    account: bytes


class Transaction(NamedTuple):
    appends: tuple[Append, ...] = ()
    puts: tuple[Put, ...] = ()
    registers: tuple[Register, ...] = ()
    names: tuple[NameClaim, ...] = ()


class Placed(NamedTuple):
    """Where an append came to stand; `header` is its canonical ChainHeader."""

    chain: bytes
    sequence: int
    time: int
    header: bytes


class Committed(NamedTuple):
    """`versions` are the puts', in order; a repeat has the original places and no versions."""

    placed: tuple[Placed, ...]
    versions: tuple[int, ...]
    repeat: bool
    log_index: int


class StoredEntry(NamedTuple):
    """A verified entry; `body` is None once it was erased."""

    header: bytes
    salt: bytes
    body: bytes | None


class ChainHead(NamedTuple):
    size: int
    root: bytes
    register: bytes


class PrivateFile(NamedTuple):
    version: int
    blob: bytes


class PrivateName(NamedTuple):
    path: bytes
    version: int
    size: int


class Store(Protocol):
    """The port that every room sees. Reads are verified against the chain's head, or Damaged."""

    def commit(self, transaction: Transaction) -> Committed:
        """Block until durable, signed and provable.

        Raises Conflict, Stale, Busy, StorageFull, StorageFailed.
        """

    def head(self, chain: bytes) -> ChainHead:
        """Of a chain that does not exist: size 0, the empty root, register b""."""

    def entries(self, chain: bytes, start: int, count: int) -> tuple[StoredEntry, ...]: ...

    def frontier(self, chain: bytes, size: int) -> Frontier:
        """The compact range of the chain's first `size` entries."""

    def private(self, account: bytes, path: bytes) -> PrivateFile | None: ...

    def private_names(self, account: bytes) -> tuple[PrivateName, ...]: ...

    def erase(self, chain: bytes, sequence: int) -> None:
        """Remove an erasable entry's body and salt for good, from files and journal."""

    def name_owner(self, skeleton: str) -> bytes | None: ...

    def name_proof(self, skeleton: str) -> MapProof: ...

    def chains(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        """(chain id, label) of all chains of a kind ("account", "thread"), in no order.

        A chain's kind is given by its first entry: kind "account" begins an account, "opened" a
        thread, "put" a private folder.
        """

    def receipt(self, chain: bytes, sequence: int) -> Receipt: ...

    def head_proof(self, chain: bytes) -> HeadProof: ...

    def checkpoint(self) -> bytes: ...

    def log_news(self, seen: int) -> LogNews:
        """How the newest checkpoint follows on the log of `seen` leaves, and restorations."""

    def ledger_file(self, path: str) -> bytes | None:
        """A resource of the log by its tlog-tiles path ("checkpoint", "tile/0/000", ...)."""
