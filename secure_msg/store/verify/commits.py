"""What each log leaf commits to, made again from the entries that it took up."""

from __future__ import annotations

import struct

from secure_msg.codec.errors import MalformedData
from secure_msg.crypto.mac import HmacSha256
from secure_msg.ledger import merkle
from secure_msg.ledger.log import (
    NO_TOUCHED,
    GenesisLeaf,
    LogLeaf,
    RestoredLeaf,
    Touched,
    read_mapped,
    server_identity,
    touched_hash,
)
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.log import LogLeaves, leaf_place
from secure_msg.store.verify.maps import MapHistory
from secure_msg.store.verify.report import Remedy

BUCKET_BITS = 16
LOST = -1

_TOUCH = struct.Struct(">HIQ32s")
"""Place of the commit in its bucket, number of the chain, its size, its root."""


class Commits:
    """Takes the touched chains in the order of their ids; 46 bytes a touched chain and commit."""

    def __init__(
        self, inspection: Inspection, leaves: LogLeaves, maps: MapHistory | None = None
    ) -> None:
        self._inspection = inspection
        self._leaves = leaves
        self._maps = maps
        self._blind = HmacSha256(inspection.keys.derive("blind"))
        self._buckets: dict[int, bytearray] = {}
        self._chains: list[bytes] = []
        self.restored: dict[int, bytes] = {}
        """Log index -> hash of the statement that its restored leaf names."""
        self._times = [self._read(index) for index in range(leaves.size)]
        self._check_times()

    @property
    def size(self) -> int:
        return self._leaves.size

    def time_agrees(self, index: int, time: int) -> bool:
        """Whether a commit of this index exists and, as far as its leaf is there, has this time."""
        return 0 <= index < self.size and self._times[index] in (time, LOST)

    def touch(self, index: int, chain: bytes, size: int, root: bytes) -> None:
        """The commit `index` left this chain with `size` entries and `root`."""
        if self._maps is not None:
            self._maps.touch(index, chain, size, root)
        if not self._chains or self._chains[-1] != chain:
            self._chains.append(chain)
        bucket = self._buckets.setdefault(index >> BUCKET_BITS, bytearray())
        place = index & (1 << BUCKET_BITS) - 1
        bucket += _TOUCH.pack(place, len(self._chains) - 1, size, root)

    def check(self) -> None:
        """Compare every touched root. Only where all chains are whole does a difference count."""
        for number in range((self.size >> BUCKET_BITS) + 1):
            first = number << BUCKET_BITS
            touched = self._touched(number)
            for index in range(max(first, 1), min(first + (1 << BUCKET_BITS), self.size)):
                hashes = touched.get(index - first)
                root = merkle.root_of(hashes) if hashes else NO_TOUCHED
                if self._times[index] == LOST:
                    continue
                if self._leaf(index).touched_root != root:
                    self._damage(index, "does not commit to the entries that name it")
        if self._maps is not None:
            self._check_maps(self._maps)

    def _check_maps(self, maps: MapHistory) -> None:
        for index in range(1, self.size):
            root = maps.after(index)
            if self._times[index] != LOST and self._leaf(index).map_root != root:
                self._damage(index, "does not have the root of the map that its entries give")

    def _touched(self, number: int) -> dict[int, list[bytes]]:
        """Index in the bucket -> touched hashes, in the order of the chains' ids."""
        places: dict[int, list[tuple[int, int, bytes]]] = {}
        for place, *touched in _TOUCH.iter_unpack(self._buckets.pop(number, b"")):
            places.setdefault(place, []).append((touched[0], touched[1], touched[2]))
        return {
            place: self._hashes((number << BUCKET_BITS) + place, touched)
            for place, touched in places.items()
        }

    def _hashes(self, index: int, touched: list[tuple[int, int, bytes]]) -> list[bytes]:
        """The leaves of a commit's touched root."""
        blind = HmacSha256(self._blind(index.to_bytes(8, "big")))
        chains = ((self._chains[number], size, root) for number, size, root in touched)
        return [touched_hash(Touched(*one, blind(one[0]))) for one in chains]

    def _read(self, index: int) -> int:
        """The time of a leaf; LOST where it is damaged."""
        if index in self._leaves.lost:
            return LOST
        try:
            leaf = self._leaf(index) if index else self._genesis()
        except MalformedData:
            self._damage(index, "has not the form of one")
            return LOST
        if isinstance(leaf, RestoredLeaf):
            self.restored[index] = leaf.statement
        return leaf.time

    def _check_times(self) -> None:
        last = 0
        for index, time in enumerate(self._times):
            if time != LOST and time < last:
                self._damage(index, "is older than the one before it")
            last = max(last, time)

    def _genesis(self) -> GenesisLeaf:
        leaf, identity = GenesisLeaf.from_bytes(self._leaves[0]), self._inspection.keys.identity
        expected = (identity.name_salt, server_identity(identity.public))
        if (leaf.name_salt, leaf.server) != expected:
            self._damage(0, "names another server")
        return leaf

    def _leaf(self, index: int) -> LogLeaf | RestoredLeaf:
        return read_mapped(self._leaves[index])

    def _damage(self, index: int, what: str) -> None:
        path, span = leaf_place(self._inspection.layout.ledger, index, self.size)
        self._inspection.damage(path, f"log leaf {index} {what}", Remedy.NONE, span)
