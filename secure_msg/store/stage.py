"""One batch on top of the state: transactions are checked in order, later ones see earlier ones.

Nothing of the shared state is changed here. `Stage` is also what the replay of a journal uses, so
that a batch has the same effects then as when it was new (docs/spec/storage.md, "Transaction").
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import hmac_sha256
from secure_msg.ledger import log
from secure_msg.ledger.map import (
    Leaf,
    SparseMap,
    chain_label,
    head_value,
    name_label,
    name_value,
)
from secure_msg.ledger.merkle import EMPTY, Node
from secure_msg.ledger.transaction import (
    Append,
    Committed,
    Conflict,
    Damaged,
    NameClaim,
    Placed,
    Put,
    Stale,
    Transaction,
)
from secure_msg.store.entry import Entry, derived_salt, entry_of, live_frame
from secure_msg.store.records import (
    Batch,
    BatchAppend,
    BatchName,
    BatchPut,
    BatchRegister,
    IndexedFile,
    PutBody,
)
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import PUT, Chain, Pending, private_chain

MAX_SEARCHED = 256
"""The committer searches while everybody waits: one sender's old `seen` may not cost them much."""
NO_CONTENT = bytes(32)
BEGINNINGS = ("account", "opened")


Found: TypeAlias = tuple[Placed, int]
"""Where an entry stands, and the index of its log leaf."""


@dataclass(frozen=True, slots=True)
class StageKeys:
    salt: bytes
    blind: bytes
    name_salt: bytes
    public: bytes


def stage_keys(keys: ServerKeys) -> StageKeys:
    identity = keys.identity
    return StageKeys(keys.derive("salt"), keys.derive("blind"), identity.name_salt, identity.public)


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


class Stage:
    """The effects of one batch, which becomes the log leaf `index` at `time`."""

    def __init__(
        self, base: Base, keys: StageKeys, random: Callable[[int], bytes], index: int, time: int
    ) -> None:
        self._base = base
        self._keys = keys
        self._random = random
        self.index = index
        self.time = time
        self.chains: dict[bytes, Staged] = {}
        self.names: dict[str, bytes] = {}
        self.files: dict[tuple[bytes, bytes], IndexedFile | None] = {}
        self.blobs: dict[tuple[bytes, bytes], BatchPut] = {}
        self.replaced: dict[tuple[bytes, bytes], int] = {}
        self.restored: bytes | None = None
        """A statement that takes the place of the touched chains in the leaf."""
        self._batch: tuple[
            list[BatchAppend], list[BatchPut], list[BatchRegister], list[BatchName]
        ] = ([], [], [], [])

    @property
    def empty(self) -> bool:
        return not any(self._batch)

    def batch(self) -> Batch:
        appends, puts, registers, names = self._batch
        return Batch(
            self.time,
            tuple(appends),
            tuple(puts),
            tuple(registers),
            tuple(names),
            self.restored,
        )

    def transact(self, transaction: Transaction) -> Committed:
        """Check one transaction and apply it. Raises Conflict, Stale, Damaged, ValueError."""
        repeated = self._repeats(transaction.appends)
        if repeated:
            return Committed(tuple(place for place, _ in repeated), (), True, repeated[0][1])
        self._check_appends(transaction.appends)
        self._check_registers(transaction)
        self._check_puts(transaction.puts)
        self._check_names(transaction.names)
        placed = [self._take_append(one) for one in transaction.appends]
        versions = [self._take_put(one) for one in transaction.puts]
        for register in transaction.registers:
            if register.new is not None:
                self.set_register(BatchRegister(register.chain, register.new))
        for claim in transaction.names:
            if self._name(claim.skeleton) is None:
                self.claim_name(BatchName(claim.skeleton, claim.account))
        return Committed(tuple(placed), tuple(versions), False, self.index)

    def replay(self, batch: Batch) -> None:
        """Apply a journalled batch again. Raises Damaged when it does not follow on the state."""
        for append in batch.appends:
            if append.sequence != self._size(append.chain):
                raise Damaged("a journalled entry does not follow on its chain")
            self.append(append)
        for put in batch.puts:
            self.put(put)
        for register in batch.registers:
            self.set_register(register)
        for name in batch.names:
            self.claim_name(name)
        self.restored = batch.restored

    def leaf(self, before: SparseMap) -> tuple[bytes, SparseMap]:
        """The log leaf of this batch and the map after it; `before` is left as it is."""
        if self.index == 0:
            server = log.server_identity(self._keys.public)
            return log.GenesisLeaf(self.time, self._keys.name_salt, server).to_bytes(), before
        touched, leaves = [], []
        blind = hmac_sha256(self._keys.blind, self.index.to_bytes(8, "big"))
        for chain_id, staged in self.chains.items():
            if staged.new.entries:
                size, root = staged.chain.size, staged.chain.frontier.root()
                touched.append(log.Touched(chain_id, size, root, hmac_sha256(blind, chain_id)))
                leaves.append((chain_label(chain_id), head_value(size, root)))
        after = copy.copy(before)
        after.update([*leaves, *self._name_leaves()])
        if self.restored is not None:
            statement = sha256(self.restored)
            return log.RestoredLeaf(self.time, after.root, statement).to_bytes(), after
        return log.LogLeaf(self.time, after.root, log.touched_root(touched)).to_bytes(), after

    def _name_leaves(self) -> Iterable[Leaf]:
        for skeleton, account in self.names.items():
            yield name_label(self._keys.name_salt, skeleton), name_value(account)

    # What is there, with what this batch has changed so far.

    def _chain(self, chain: bytes) -> Chain | None:
        staged = self.chains.get(chain)
        return staged.chain if staged else self._base.chain(chain)

    def _size(self, chain: bytes) -> int:
        found = self._chain(chain)
        return found.size if found else 0

    def _register(self, chain: bytes) -> bytes:
        found = self._chain(chain)
        return found.register if found else b""

    def _name(self, skeleton: str) -> bytes | None:
        return self.names.get(skeleton) or self._base.name(skeleton)

    def _file(self, account: bytes, path: bytes) -> IndexedFile | None:
        if (account, path) in self.files:
            return self.files[account, path]
        return self._base.file(account, path)

    # Checks: none of them changes anything.

    def _repeats(self, appends: tuple[Append, ...]) -> list[Found]:
        found = []
        for append in appends:
            if append.unique is not None:
                size = self._size(append.chain)
                if size - append.seen > MAX_SEARCHED:
                    raise Stale(f"more than {MAX_SEARCHED} entries since what was seen")
                place = self._find(append.chain, append.unique, append.seen)
                if place is not None:
                    found.append(place)
        return found

    def _find(self, chain: bytes, unique: bytes, seen: int) -> Found | None:
        staged = self.chains.get(chain)
        for entry in staged.new.entries if staged else ():
            if entry.unique == unique:
                return _placed(chain, entry), entry.log_index
        before = self._base.chain(chain)
        if before is None or before.size <= seen:
            return None
        return self._base.find(chain, unique, seen)

    def _check_appends(self, appends: tuple[Append, ...]) -> None:
        added: dict[bytes, int] = {}
        for append in appends:
            chain = self._chain(append.chain)
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
                if register.chain not in begun and self._chain(register.chain) is None:
                    raise ValueError("a register stands beside a chain that exists")
                current[register.chain] = register.new

    def _check_puts(self, puts: tuple[Put, ...]) -> None:
        current: dict[tuple[bytes, bytes], int] = {}
        for put in puts:
            key = (put.account, put.path)
            if key not in current:
                file = self._file(*key)
                current[key] = file.version if file else 0
            if current[key] != put.expected_version:
                raise Conflict("version")
            if put.blob is None and not put.expected_version:
                raise Conflict("version")
            current[key] = put.expected_version + 1 if put.blob is not None else 0

    def _check_names(self, names: tuple[NameClaim, ...]) -> None:
        current: dict[str, bytes] = {}
        for claim in names:
            owner = current.get(claim.skeleton) or self._name(claim.skeleton)
            if owner is not None and owner != claim.account:
                raise Conflict("name")
            current[claim.skeleton] = claim.account

    # Effects.

    def _take_append(self, append: Append) -> Placed:
        salt = self._random(32) if append.erasable else b""
        sequence = self._size(append.chain)
        entry = self.append(
            BatchAppend(
                append.chain,
                sequence,
                append.kind,
                append.body,
                salt,
                append.unique or b"",
                append.label if sequence == 0 else b"",
            )
        )
        return _placed(append.chain, entry)

    def _take_put(self, put: Put) -> int:
        version = put.expected_version + 1
        self.put(BatchPut(put.account, put.path, version, put.blob))
        return version

    def append(self, append: BatchAppend) -> Entry:
        self._batch[0].append(append)
        begin = Chain(append.chain, None, EMPTY, b"", append.label, append.kind)
        return self._add(begin, append.kind, append.body, append.salt, append.unique)

    def put(self, put: BatchPut) -> None:
        self._batch[1].append(put)
        key = (put.account, put.path)
        content = NO_CONTENT if put.blob is None else sha256(put.blob)
        length = len(put.blob or b"")
        body = to_bytes(PutBody(put.path, put.version, content, length))
        begin = Chain(private_chain(put.account), put.account, EMPTY, b"", b"", PUT)
        entry = self._add(begin, PUT, body, b"", b"")
        self.replaced.setdefault(key, put.version - 1)
        self.blobs[key] = put
        self.files[key] = (
            None
            if put.blob is None
            else IndexedFile(put.path, put.version, content, length, entry.sequence)
        )

    def set_register(self, register: BatchRegister) -> None:
        chain = self._chain(register.chain)
        if chain is None:
            raise Damaged("a journalled register stands beside no chain")
        self._batch[2].append(register)
        changed = Chain(
            chain.id, chain.owner, chain.frontier, register.value, chain.label, chain.begun
        )
        self.chains.setdefault(chain.id, Staged(chain)).chain = changed

    def claim_name(self, name: BatchName) -> None:
        self._batch[3].append(name)
        self.names[name.skeleton] = name.account

    def _add(self, begin: Chain, kind: str, body: bytes, salt: bytes, unique: bytes) -> Entry:
        """Append one entry; `begin` is the chain before its first one. No `salt`: not erasable."""
        staged = self.chains.get(begin.id)
        if staged is None:
            staged = Staged(self._base.chain(begin.id) or begin)
            self.chains[begin.id] = staged
        chain = staged.chain
        used = salt or derived_salt(self._keys.salt, chain.id, chain.size)
        frame = live_frame(kind, self.time, erasable=bool(salt), salt=used, body=body)
        entry = entry_of(chain.id, chain.size, frame, unique=unique, log_index=self.index)
        frontier, nodes = chain.frontier.grown(entry.leaf)
        staged.chain = Chain(
            chain.id, chain.owner, frontier, chain.register, chain.label, chain.begun
        )
        staged.new.entries.append(entry)
        staged.new.before.append(chain.frontier)
        staged.new.levels += _stored_levels(nodes)
        return entry


def _stored_levels(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The roots of complete subtrees of 256, 256², … entries."""
    return nodes[8::8]


def _placed(chain: bytes, entry: Entry) -> Placed:
    return Placed(chain, entry.sequence, entry.time, entry.header)
