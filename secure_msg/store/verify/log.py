"""The log's tiles and bundles, from the mark's frontier down to each leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from secure_msg.codec.errors import MalformedData
from secure_msg.ledger import merkle
from secure_msg.ledger.log import LEAF_SIZE
from secure_msg.ledger.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    bundle_entries,
    tile_hashes,
)
from secure_msg.store.records import MarkRecord
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.mend import Whole
from secure_msg.store.verify.report import Remedy

LENGTH_SIZE = 2

Leads: TypeAlias = Callable[[list[bytes]], bool]
"""Whether these hashes are the ones that the tile above, or the frontier, knows."""


class LogLeaves:
    """The leaves of the log, packed; `lost` are the indices of those that are damaged."""

    def __init__(self) -> None:
        self.size = 0
        self.lost: set[int] = set()
        self._packed = bytearray()

    def add(self, leaf: bytes | None) -> None:
        if leaf is None or len(leaf) != LEAF_SIZE:
            self.lost.add(self.size)
            leaf = bytes(LEAF_SIZE)
        self._packed += leaf
        self.size += 1

    def __getitem__(self, index: int) -> bytes:
        return bytes(self._packed[index * LEAF_SIZE : (index + 1) * LEAF_SIZE])


def leaf_place(folder: Path, index: int, size: int) -> tuple[Path, tuple[int, int]]:
    """The bundle below `folder` that holds a leaf of a log of `size`, and its bytes there."""
    number, at = divmod(index, TILE_WIDTH)
    bundle = Tile(None, number, min(TILE_WIDTH, size - number * TILE_WIDTH))
    start = at * (LENGTH_SIZE + LEAF_SIZE)
    return folder / bundle.path, (start, start + LENGTH_SIZE + LEAF_SIZE)


class LogCheck:
    """From the top level down: each tile is what the one above it knows."""

    def __init__(self, inspection: Inspection, mark: MarkRecord) -> None:
        self._inspection = inspection
        self._mark = mark
        self._folder = inspection.layout.ledger
        self._leaves = LogLeaves()

    def run(self) -> LogLeaves:
        size = self._mark.log_size
        above: list[bytes | None] = []
        for level in range(max((size.bit_length() - 1) // TILE_HEIGHT, 0), 0, -1):
            above = [one for tile in self._tiles(level) for one in self._check_tile(tile, above)]
        for tile in self._tiles(0):
            self._check_bundle(tile, self._check_tile(tile, above))
        self._inspection.report.counts.log_leaves = size
        return self._leaves

    def _tiles(self, level: int) -> Iterator[Tile]:
        count = self._mark.log_size >> (TILE_HEIGHT * level)
        for start in range(0, count, TILE_WIDTH):
            yield Tile(level, start // TILE_WIDTH, min(TILE_WIDTH, count - start))

    def _leads(self, tile: Tile, above: list[bytes | None]) -> Leads:
        if tile.width == TILE_WIDTH:
            root = above[tile.index] if tile.index < len(above) else None
            return lambda hashes: root is not None and merkle.root_of(hashes) == root
        size, level = self._mark.log_size, tile.level or 0
        higher = (size >> (TILE_HEIGHT * (level + 1))).bit_count()
        expected = self._mark.frontier[higher : higher + tile.width.bit_count()]
        return lambda hashes: _frontier(hashes) == expected

    def _check_tile(self, tile: Tile, above: list[bytes | None]) -> Sequence[bytes | None]:
        """The tile's hashes, from below where its own are damaged; None where they are lost."""
        leads, stored = self._leads(tile, above), self._read(tile)
        if stored is not None and leads(stored):
            return stored
        derived = self._from_below(tile)
        if derived is not None and not leads(derived):
            derived = None
        remedy = Remedy.NONE if derived is None else Remedy.DERIVED
        what = "it is missing or malformed" if stored is None else "its hashes do not lead upwards"
        mend = None if derived is None else Whole(b"".join(derived))
        self._inspection.damage(self._path(tile), what, remedy, mend=mend)
        return derived or [None] * tile.width

    def _from_below(self, tile: Tile) -> list[bytes] | None:
        if not tile.level:
            entries = self._read(Tile(None, tile.index, tile.width))
            return None if entries is None else [merkle.leaf_hash(one) for one in entries]
        start = tile.index * TILE_WIDTH
        roots = []
        for index in range(start, start + tile.width):
            below = self._read(Tile(tile.level - 1, index))
            if below is None:
                return None
            roots.append(merkle.root_of(below))
        return roots

    def _check_bundle(self, hash_tile: Tile, hashes: Sequence[bytes | None]) -> None:
        tile = Tile(None, hash_tile.index, hash_tile.width)
        entries = self._read(tile)
        if entries is None:
            self._inspection.damage(self._path(tile), "it is missing or malformed", Remedy.NONE)
        at = 0
        for number, known in enumerate(hashes):
            entry = b"" if entries is None else entries[number]
            good = entries is not None and known == merkle.leaf_hash(entry)
            end = at + LENGTH_SIZE + len(entry)
            if entries is not None and not good:
                what = f"log leaf {self._leaves.size} does not match its hash"
                self._inspection.damage(self._path(tile), what, Remedy.NONE, (at, end))
            self._leaves.add(entry if good else None)
            at = end

    def _path(self, tile: Tile) -> Path:
        return self._folder / tile.path

    def _read(self, tile: Tile) -> list[bytes] | None:
        data = self._inspection.read(self._path(tile))
        if data is None:
            return None
        read = bundle_entries if tile.level is None else tile_hashes
        try:
            return list(read(data, tile.width))
        except MalformedData:
            return None


def _frontier(hashes: list[bytes]) -> tuple[bytes, ...]:
    found = merkle.EMPTY
    for one in hashes:
        found = found.append(one)
    return found.hashes
