"""What a batch sees: the state below it with the batch's own changes, and what that permits.

Looking changes nothing but a memory of what was looked up (docs/spec/storage.md, "Transaction").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from secure_msg.ledger.transaction import (
    Append,
    Conflict,
    NameClaim,
    Placed,
    Put,
    Stale,
    Transaction,
)
from secure_msg.store.entry import Entry
from secure_msg.store.records import IndexedFile
from secure_msg.store.state import Chain, Pending

MAX_SEARCHED = 256
"""The committer searches while everybody waits: one sender's old `seen` may not cost them much."""
BEGINNINGS = ("account", "opened")

Found: TypeAlias = tuple[Placed, int]
"""Where an entry stands, and the index of its log leaf."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a stage reads of the state below it; each may look at the disk and raise Damaged."""

    chain: Callable[[bytes], Chain | None]
    name: Callable[[str], bytes | None]
    file: Callable[[bytes, bytes], IndexedFile | None]
    find: Callable[[bytes, bytes, int], Found | None]
    """(chain, unique, seen) -> where a committed entry with that id stands."""


@dataclass(slots=True)
class Staged:
    """A batch's effects on one chain."""

    chain: Chain
    new: Pending = field(default_factory=Pending)


class Overlay:
    """The chains, names and files that a batch changed, over a Base."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._known: dict[bytes, Chain | None] = {}
        self.chains: dict[bytes, Staged] = {}
        self.names: dict[str, bytes] = {}
        self.files: dict[tuple[bytes, bytes], IndexedFile | None] = {}

    def repeats(self, appends: tuple[Append, ...]) -> list[Found]:
        """Where those of these entries stand whose unique id is there. Raises Stale, Damaged."""
        found = []
        for append in appends:
            if append.unique is not None:
                size = self.size(append.chain)
                if size - append.seen > MAX_SEARCHED:
                    raise Stale(f"more than {MAX_SEARCHED} entries since what was seen")
                place = self._find(append.chain, append.unique, append.seen)
                if place is not None:
                    found.append(place)
        return found

    def check(self, transaction: Transaction) -> None:
        """Raises Conflict, Damaged, ValueError when it may not follow on what is there."""
        self._check_appends(transaction.appends)
        self._check_registers(transaction)
        self._check_puts(transaction.puts)
        self._check_names(transaction.names)

    def chain(self, chain: bytes) -> Chain | None:
        staged = self.chains.get(chain)
        if staged is not None:
            return staged.chain
        return self._below(chain)

    def _below(self, chain: bytes) -> Chain | None:
        if chain not in self._known:
            self._known[chain] = self._base.chain(chain)
        return self._known[chain]

    def size(self, chain: bytes) -> int:
        found = self.chain(chain)
        return found.size if found else 0

    def _register(self, chain: bytes) -> bytes:
        found = self.chain(chain)
        return found.register if found else b""

    def name(self, skeleton: str) -> bytes | None:
        return self.names.get(skeleton) or self._base.name(skeleton)

    def file(self, account: bytes, path: bytes) -> IndexedFile | None:
        if (account, path) in self.files:
            return self.files[account, path]
        return self._base.file(account, path)

    def _find(self, chain: bytes, unique: bytes, seen: int) -> Found | None:
        staged = self.chains.get(chain)
        for entry in staged.new.entries if staged else ():
            if entry.sequence >= seen and entry.unique == unique:
                return _placed(chain, entry), entry.log_index
        before = self._below(chain)
        if before is None or before.size <= seen:
            return None
        return self._base.find(chain, unique, seen)

    def _check_appends(self, appends: tuple[Append, ...]) -> None:
        added: dict[bytes, int] = {}
        for append in appends:
            chain = self.chain(append.chain)
            already = added.get(append.chain, 0)
            size = (chain.size if chain else 0) + already
            if append.expected_size is not None and append.expected_size != size:
                raise Conflict("size")
            if chain is not None and chain.owner is not None:
                raise ValueError("a private folder's chain grows by puts only")
            if size == 0 and append.kind not in BEGINNINGS:
                raise ValueError(f"a chain begins with one of {BEGINNINGS}")
            added[append.chain] = already + 1

    def _check_registers(self, transaction: Transaction) -> None:
        current: dict[bytes, bytes] = {}
        begun = {append.chain for append in transaction.appends}
        for register in transaction.registers:
            if current.get(register.chain, self._register(register.chain)) != register.expected:
                raise Conflict("register")
            if register.new is not None:
                if register.chain not in begun and self.chain(register.chain) is None:
                    raise ValueError("a register stands beside a chain that exists")
                current[register.chain] = register.new

    def _check_puts(self, puts: tuple[Put, ...]) -> None:
        current: dict[tuple[bytes, bytes], int] = {}
        for put in puts:
            key = (put.account, put.path)
            if key not in current:
                file = self.file(*key)
                current[key] = file.version if file else 0
            if current[key] != put.expected_version:
                raise Conflict("version")
            if put.blob is None and not put.expected_version:
                raise Conflict("version")
            current[key] = put.expected_version + 1 if put.blob is not None else 0

    def _check_names(self, names: tuple[NameClaim, ...]) -> None:
        current: dict[str, bytes] = {}
        for claim in names:
            owner = current.get(claim.skeleton) or self.name(claim.skeleton)
            if owner is not None and owner != claim.account:
                raise Conflict("name")
            current[claim.skeleton] = claim.account


def _placed(chain: bytes, entry: Entry) -> Placed:
    return Placed(chain, entry.sequence, entry.time, entry.header)
