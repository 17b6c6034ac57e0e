"""One batch on top of the state: transactions are checked in order, later ones see earlier ones.

Nothing of the shared state is changed here. `Stage` is also what the replay of a journal uses, so
that a batch has the same effects then as when it was new (docs/spec/storage.md, "Transaction").
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from secure_msg.codec.cbor import encode_checked
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import HmacSha256
from secure_msg.ledger import log
from secure_msg.ledger.chain import SALT_SIZE
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
    Damaged,
    Placed,
    Put,
    Transaction,
)
from secure_msg.store.chainfiles import GROUP
from secure_msg.store.entry import Entry, derived_salt, new_entry
from secure_msg.store.overlay import Base, Found, Overlay, Staged
from secure_msg.store.records import (
    Batch,
    BatchAppend,
    BatchName,
    BatchPut,
    BatchRegister,
    IndexedFile,
)
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import PUT, Chain, private_chain

__all__ = ["NO_CONTENT", "Base", "Found", "Stage", "StageKeys", "Staged", "stage_keys"]

NO_CONTENT = bytes(32)
SALTS = 8
"""How many are drawn at once; those that a batch has no use for go with it."""

ENTRY_OVERHEAD = 400
"""About what an entry, or a blob, takes in memory beside its bytes."""

AppendFields: TypeAlias = tuple[bytes, int, str, bytes, bytes, bytes, bytes]
PutFields: TypeAlias = tuple[bytes, bytes, int, bytes | None]


@dataclass(frozen=True, slots=True)
class StageKeys:
    salt: HmacSha256
    blind: HmacSha256
    name_salt: bytes
    public: bytes


def stage_keys(keys: ServerKeys) -> StageKeys:
    identity = keys.identity
    salt, blind = HmacSha256(keys.derive("salt")), HmacSha256(keys.derive("blind"))
    return StageKeys(salt, blind, identity.name_salt, identity.public)


class Stage(Overlay):
    """The effects of one batch, which becomes the log leaf `index` at `time`."""

    def __init__(
        self, base: Base, keys: StageKeys, random: Callable[[int], bytes], index: int, time: int
    ) -> None:
        super().__init__(base)
        self._keys = keys
        self._random = random
        self.index = index
        self.time = time
        self.blobs: dict[tuple[bytes, bytes], BatchPut] = {}
        self.folders: dict[bytes, bytes] = {}
        """Account -> the chain of its folder, of those that were put into."""
        self.replaced: dict[tuple[bytes, bytes], int] = {}
        self.memory = 0
        """About the bytes that the batch takes until it is in the files."""
        self.restored: bytes | None = None
        """A statement that takes the place of the touched chains in the leaf."""
        self._salts: list[bytes] = []
        # The fields of the records of a Batch: what was asked, in the order of each kind.
        self._appends: list[AppendFields] = []
        self._puts: list[PutFields] = []
        self._registers: list[tuple[bytes, bytes]] = []
        self._names: list[tuple[str, bytes]] = []

    @property
    def empty(self) -> bool:
        return not (self._appends or self._puts or self._registers or self._names)

    def batch(self) -> Batch:
        return Batch(
            self.time,
            tuple(BatchAppend(*one) for one in self._appends),
            tuple(BatchPut(*one) for one in self._puts),
            tuple(BatchRegister(*one) for one in self._registers),
            tuple(BatchName(*one) for one in self._names),
            self.restored,
        )

    def payload(self) -> bytes:
        """The bytes of `batch()`, whose fields were checked before they came here."""
        lists = (self._appends, self._puts, self._registers, self._names)
        return encode_checked((self.time, *map(tuple, lists), self.restored))

    def transact(self, transaction: Transaction) -> Committed:
        """Check one transaction and apply it. Raises Conflict, Stale, Damaged, ValueError."""
        repeated = self.repeats(transaction.appends)
        if repeated:
            return Committed(tuple(place for place, _ in repeated), (), True, repeated[0][1])
        self.check(transaction)
        placed = [self._take_append(one) for one in transaction.appends]
        versions = [self._take_put(one) for one in transaction.puts]
        for register in transaction.registers:
            if register.new is not None:
                self._set_register(register.chain, register.new)
        for claim in transaction.names:
            if self.name(claim.skeleton) is None:
                self._claim(claim.skeleton, claim.account)
        return Committed(tuple(placed), tuple(versions), False, self.index)

    def replay(self, batch: Batch) -> None:
        """Apply a journalled batch again. Raises Damaged when it does not follow on the state."""
        for append in batch.appends:
            if append.sequence != self.size(append.chain):
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
        blind = HmacSha256(self._keys.blind(self.index.to_bytes(8, "big")))
        for chain_id, staged in self.chains.items():
            if staged.new.entries:
                size, root = staged.chain.size, staged.chain.frontier.root()
                touched.append(log.Touched(chain_id, size, root, blind(chain_id)))
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

    # Effects.

    def _take_append(self, append: Append) -> Placed:
        chain, kind, body, erasable, _, unique, _, label = append
        salt = self._salt() if erasable else b""
        sequence = self.size(chain)
        fields = (chain, sequence, kind, body, salt, unique or b"", b"" if sequence else label)
        entry = self._append(fields)
        return Placed(chain, sequence, entry.time, entry.header)

    def _salt(self) -> bytes:
        """Drawn for several entries at once: in a system call others may take the turn."""
        if not self._salts:
            drawn = self._random(SALT_SIZE * SALTS)
            self._salts = [drawn[at : at + SALT_SIZE] for at in range(0, len(drawn), SALT_SIZE)]
        return self._salts.pop()

    def _take_put(self, put: Put) -> int:
        version = put.expected_version + 1
        self._put(put.account, put.path, version, put.blob)
        return version

    def append(self, append: BatchAppend) -> Entry:
        one = append
        fields = (one.chain, one.sequence, one.kind, one.body, one.salt, one.unique, one.label)
        return self._append(fields)

    def put(self, put: BatchPut) -> None:
        self._put(put.account, put.path, put.version, put.blob)

    def set_register(self, register: BatchRegister) -> None:
        self._set_register(register.chain, register.value)

    def claim_name(self, name: BatchName) -> None:
        self._claim(name.skeleton, name.account)

    def _append(self, fields: AppendFields) -> Entry:
        self._appends.append(fields)
        chain, _, kind, body, salt, unique, label = fields
        staged = self._staged(chain) or self._begin(Chain(chain, None, EMPTY, b"", label, kind))
        return self._add(staged, kind, body, salt, unique)

    def _put(self, account: bytes, path: bytes, version: int, blob: bytes | None) -> None:
        self._puts.append((account, path, version, blob))
        folder = self.folders.get(account)
        if folder is None:
            folder = self.folders[account] = private_chain(account)
        content = NO_CONTENT if blob is None else sha256(blob)
        length = len(blob or b"")
        body = encode_checked((path, version, content, length))  # of a PutBody
        staged = self._staged(folder) or self._begin(Chain(folder, account, EMPTY, b"", b"", PUT))
        entry = self._add(staged, PUT, body, b"", b"")
        self.memory += length + ENTRY_OVERHEAD
        key = (account, path)
        self.replaced.setdefault(key, version - 1)
        self.blobs[key] = BatchPut(account, path, version, blob)
        file = IndexedFile(path, version, content, length, entry.sequence)
        self.files[key] = None if blob is None else file

    def _set_register(self, chain_id: bytes, value: bytes) -> None:
        staged = self._staged(chain_id)
        if staged is None:
            raise Damaged("a journalled register stands beside no chain")
        self._registers.append((chain_id, value))
        before = staged.chain
        staged.chain = Chain(
            before.id, before.owner, before.frontier, value, before.label, before.begun
        )

    def _claim(self, skeleton: str, account: bytes) -> None:
        self._names.append((skeleton, account))
        self.names[skeleton] = account

    def _staged(self, chain_id: bytes) -> Staged | None:
        """A chain that is there, to be changed; None when there is none."""
        staged = self.chains.get(chain_id)
        if staged is None:
            chain = self._below(chain_id)
            if chain is not None:
                staged = self._begin(chain)
        return staged

    def _begin(self, chain: Chain) -> Staged:
        staged = self.chains[chain.id] = Staged(chain)
        return staged

    def _add(self, staged: Staged, kind: str, body: bytes, salt: bytes, unique: bytes) -> Entry:
        """Append one entry. No `salt`: not erasable."""
        chain, new = staged.chain, staged.new
        before = chain.frontier
        entry = new_entry(
            (chain.id, before.size),
            kind,
            self.time,
            body,
            salt or derived_salt(self._keys.salt, chain.id, before.size),
            erasable=bool(salt),
            unique=unique,
            log_index=self.index,
        )
        if before.size % GROUP == GROUP - 1:
            after, nodes = before.grown(entry.leaf)
            new.levels += _stored_levels(nodes)
        else:
            after = before.append(entry.leaf)
        staged.chain = Chain(chain.id, chain.owner, after, chain.register, chain.label, chain.begun)
        self.memory += len(body) + ENTRY_OVERHEAD
        new.entries.append(entry)
        new.before.append(before)
        return entry


def _stored_levels(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The roots of complete subtrees of 256, 256², … entries."""
    return nodes[8::8]
