"""The public log in memory and in its tiles (docs/spec/storage.md, "Ledger")."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from secure_msg.codec.errors import MalformedData
from secure_msg.ledger import merkle
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    bundle_bytes,
    bundle_entries,
    tile_hashes,
)
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import WriteSet


@dataclass(frozen=True, slots=True)
class LogHead:
    """The log at a size: `leaf` is the newest, `path` its inclusion path."""

    frontier: Frontier
    leaf: bytes
    path: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return self.frontier.size

    def append(self, leaf: bytes) -> tuple[LogHead, tuple[merkle.Node, ...]]:
        """The log with one more leaf, and the subtrees that it completed."""
        frontier, nodes = self.frontier.grown(merkle.leaf_hash(leaf))
        # Left of the newest leaf stand exactly the complete subtrees that were there before it.
        return LogHead(frontier, leaf, tuple(reversed(self.frontier.hashes))), nodes


EMPTY_LOG = LogHead(merkle.EMPTY, b"", ())


class _Tail:
    """What of one tile level is not in a full tile on disk: items from `start` (of 256) on."""

    __slots__ = ("items", "start")

    def __init__(self, start: int, items: list[bytes]) -> None:
        self.start = start
        self.items = items

    def window(self, tile: Tile) -> list[bytes] | None:
        """The items of `tile`, None when they stand in a full tile on disk."""
        first = tile.index * TILE_WIDTH - self.start
        return None if first < 0 else self.items[first : first + tile.width]

    def drop_full(self, size: int) -> None:
        """Forget what full tiles hold when the level has `size` items on disk."""
        full = size // TILE_WIDTH * TILE_WIDTH
        del self.items[: full - self.start]
        self.start = full


class LogFiles:
    """The tails of all levels, and the tiles below `folder`. Level None is the entries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._tails = _empty_tails()

    def load(self, head: LogHead) -> None:
        """Take up the log at `head` from the tiles. Raises Damaged."""
        self._tails = _empty_tails()
        self._tails[None] = self._load_tail(None, head.size)
        level = 0
        while head.size >> (TILE_HEIGHT * level):
            self._tails[level] = self._load_tail(level, head.size >> (TILE_HEIGHT * level))
            level += 1
        self._check_tails(head)

    def grow(self, leaf: bytes, nodes: tuple[merkle.Node, ...]) -> None:
        """Take up one leaf and the subtrees that it completed."""
        with self._lock:
            self._tails[None].items.append(leaf)
            for node in nodes[::TILE_HEIGHT]:
                level = node.level // TILE_HEIGHT
                self._tails.setdefault(level, _Tail(0, [])).items.append(node.hash)

    def tiles(self, size: int) -> list[tuple[Tile, bytes]]:
        """The tiles and bundles of a log of `size` leaves that are not on disk as full ones."""
        found = []
        with self._lock:
            for level, tail in self._tails.items():
                count = _level_size(level, size)
                for first in range(tail.start, count, TILE_WIDTH):
                    tile = Tile(level, first // TILE_WIDTH, min(TILE_WIDTH, count - first))
                    found.append((tile, _contents(level, tail.window(tile) or [])))
        return found

    def write(self, writes: WriteSet, tiles: list[tuple[Tile, bytes]]) -> None:
        for tile, data in tiles:
            path = self.folder / tile.path
            writes.make_folder(path.parent)
            writes.write(path, data)

    def written(self, size: int) -> None:
        """The tiles of a log of `size` leaves are on disk and marked."""
        with self._lock:
            for level, tail in self._tails.items():
                tail.drop_full(_level_size(level, size))

    def superseded(self, size: int) -> list[Path]:
        """Partial tiles on disk, in folders that `size` still grows or has just filled, to unlink."""
        found = []
        for level in list(self._tails):
            count = _level_size(level, size)
            for index in {max(count - 1, 0) // TILE_WIDTH, count // TILE_WIDTH}:
                width = min(TILE_WIDTH, max(count - index * TILE_WIDTH, 0))
                folder = _partials(self.folder, Tile(level, index))
                if folder.is_dir():
                    found += [path for path in folder.iterdir() if path.name != str(width)]
        return found

    def read(self, tile: Tile, size: int) -> bytes | None:
        """The contents of `tile` in a log of `size` leaves. Raises Damaged."""
        if tile.index * TILE_WIDTH + tile.width > _level_size(tile.level, size):
            return None
        items = self._window(tile)
        if items is None:
            items = self._full(tile.level, tile.index)[: tile.width]
            self._check_full(tile)
        return _contents(tile.level, items)

    def _window(self, tile: Tile) -> list[bytes] | None:
        with self._lock:
            return self._tails[tile.level].window(tile)

    def _full(self, level: int | None, index: int) -> list[bytes]:
        return _read_tile(self.folder, Tile(level, index))

    def _check_full(self, tile: Tile) -> None:
        """Join a full tile on disk to the root of the tile above it, up to what is in memory."""
        level, index = tile.level, tile.index
        if level is None:
            expected = self._full(0, index)
            found = [merkle.leaf_hash(entry) for entry in self._full(None, index)]
            if found != expected:
                raise Damaged(f"{tile.path} does not match its hashes")
            level = 0
        while True:
            above = Tile(level + 1, index // TILE_WIDTH)
            root = merkle.root_of(self._full(level, index))
            items = self._window(above)
            known = items if items is not None else self._full(above.level, above.index)
            if known[index % TILE_WIDTH] != root:
                raise Damaged(f"{Tile(level, index).path} does not match the tile above it")
            if items is not None:
                return
            level, index = level + 1, above.index

    def _load_tail(self, level: int | None, count: int) -> _Tail:
        start, width = count // TILE_WIDTH * TILE_WIDTH, count % TILE_WIDTH
        if not width:
            return _Tail(start, [])
        return _Tail(start, _read_tile(self.folder, Tile(level, start // TILE_WIDTH, width)))

    def _check_tails(self, head: LogHead) -> None:
        """The tails against the log's frontier, which the checkpoint covers."""
        entries = [merkle.leaf_hash(entry) for entry in self._tails[None].items]
        if entries != self._tails[0].items:
            raise Damaged("the newest entry bundle does not match its tile")
        hashes = list(head.frontier.hashes)
        for level in sorted(one for one in self._tails if one is not None):
            tail = merkle.EMPTY
            for item in self._tails[level].items:
                tail = tail.append(item)
            kept = len(hashes) - len(tail.hashes)
            if tuple(hashes[kept:]) != tail.hashes:
                raise Damaged(f"the newest tile of level {level} does not match the log's head")
            del hashes[kept:]


def _empty_tails() -> dict[int | None, _Tail]:
    return {None: _Tail(0, []), 0: _Tail(0, [])}


def _level_size(level: int | None, size: int) -> int:
    return size >> (TILE_HEIGHT * (level or 0))


def _contents(level: int | None, items: list[bytes]) -> bytes:
    return bundle_bytes(items) if level is None else b"".join(items)


def _partials(folder: Path, tile: Tile) -> Path:
    path = folder / tile.path
    return path.with_name(path.name + ".p")


def _read_tile(folder: Path, tile: Tile) -> list[bytes]:
    path = folder / tile.path
    try:
        data = path.read_bytes()
        read = bundle_entries if tile.level is None else tile_hashes
        return list(read(data, tile.width))
    except OSError:
        raise Damaged(f"{tile.path} cannot be read") from None
    except MalformedData:
        raise Damaged(f"{tile.path} is malformed") from None
