"""The latest heads of all chains in memory, packed while nothing happens to them.

A server has many more chains than it appends to between two flushes. What the files have is kept
as one byte string a chain; what is newer as objects, which the flush packs when it is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from secure_msg.ledger.merkle import HASH_SIZE, Frontier
from secure_msg.ledger.transaction import ChainHead
from secure_msg.store.records import HeadRecord

PUT = "put"
BEGUN = ("account", "opened", PUT)
"""The kinds of first entries: of an account, a thread, a private folder."""

_PACKED = Struct(">BBBBQ")
"""Place of `begun`, lengths of owner, register and label, size; they and the hashes follow."""


class Chain(NamedTuple):
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


class Chains:
    """Chain id -> Chain. `put` is the committer's, `settle` the flush's; both under the lock."""

    def __init__(self) -> None:
        self._settled: dict[bytes, bytes] = {}
        self._fresh: dict[bytes, Chain] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, chain_id: bytes) -> Chain | None:
        fresh = self._fresh.get(chain_id)
        if fresh is not None:
            return fresh
        packed = self._settled.get(chain_id)
        return None if packed is None else _unpacked(chain_id, packed)

    def put(self, chain: Chain) -> None:
        if chain.id not in self._fresh and chain.id not in self._settled:
            self._count += 1
        self._fresh[chain.id] = chain

    def settle(self, chain: Chain) -> None:
        """The files have this head of the chain, which may have gone on since."""
        if chain.id not in self._fresh and chain.id not in self._settled:
            self._count += 1
        self._settled[chain.id] = _packed(chain)
        if self._fresh.get(chain.id) is chain:
            del self._fresh[chain.id]

    def settled(self) -> Iterator[Chain]:
        """The heads as the files have them; nothing may settle meanwhile."""
        return (_unpacked(chain_id, packed) for chain_id, packed in self._settled.items())

    def labels(self, begun: str) -> list[tuple[bytes, bytes]]:
        """(chain id, label) of all chains that began with this kind of entry."""
        place = BEGUN.index(begun)
        found = [
            (chain_id, _label(packed))
            for chain_id, packed in self._settled.items()
            if packed[0] == place
        ]
        known = self._settled
        newer = (one for one in self._fresh.values() if one.id not in known)
        return found + [(one.id, one.label) for one in newer if one.begun == begun]


class Names:
    """Skeleton -> account, in the same two layers. A claimed name stays as it is."""

    def __init__(self) -> None:
        self._settled: dict[str, bytes] = {}
        self._fresh: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._settled) + len(self._fresh)

    def get(self, skeleton: str) -> bytes | None:
        return self._fresh.get(skeleton) or self._settled.get(skeleton)

    def put(self, skeleton: str, account: bytes) -> None:
        if skeleton not in self._settled:
            self._fresh[skeleton] = account

    def settle(self, skeleton: str, account: bytes) -> None:
        """The files have this name."""
        self._settled[skeleton] = account
        self._fresh.pop(skeleton, None)

    def settled(self) -> Iterator[tuple[str, bytes]]:
        """The names as the files have them; nothing may settle meanwhile."""
        return iter(self._settled.items())


def _packed(chain: Chain) -> bytes:
    owner = chain.owner or b""
    head = _PACKED.pack(
        BEGUN.index(chain.begun), len(owner), len(chain.register), len(chain.label), chain.size
    )
    return b"".join((head, owner, chain.register, chain.label, *chain.frontier.hashes))


def _unpacked(chain_id: bytes, packed: bytes) -> Chain:
    begun, owner_size, register_size, label_size, size = _PACKED.unpack_from(packed)
    owner_end = _PACKED.size + owner_size
    register_end = owner_end + register_size
    label_end = register_end + label_size
    hashes = tuple(packed[at : at + HASH_SIZE] for at in range(label_end, len(packed), HASH_SIZE))
    return Chain(
        chain_id,
        packed[_PACKED.size : owner_end] or None,
        Frontier(size, hashes),
        packed[owner_end:register_end],
        packed[register_end:label_end],
        BEGUN[begun],
    )


def _label(packed: bytes) -> bytes:
    start = _PACKED.size + packed[1] + packed[2]
    return packed[start : start + packed[3]]
