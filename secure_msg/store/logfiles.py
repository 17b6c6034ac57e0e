"""The public log in memory and in its tiles (docs/spec/storage.md, "Ledger")."""

from __future__ import annotations

import logging
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

_log = logging.getLogger(__name__)


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
    """What of one tile level is not in a full tile on disk: items from `start` (of 256) on.

    `stored` items were on disk after the last write of this run: what is there is not written
    again, where a backup may be reading it.
    """

    __slots__ = ("items", "start", "stored")

    def __init__(self, start: int, items: list[bytes]) -> None:
        self.start = start
        self.items = items
        self.stored = -1

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
        """Take up the log at `head` from the newest tiles, or what they are made of.

        Raises Damaged when a level's hashes are lost; a lost entry leaves a hole, not served.
        """
        self._tails = _empty_tails()
        for level in range(max((head.size.bit_length() + 7) // TILE_HEIGHT, 1)):
            self._tails[level] = self._load_tail(level, head)
        hashes = self._tails[0].items
        entries = _try_tile(self.folder, _newest(None, head.size)) or [b""] * len(hashes)
        kept = [
            entry if merkle.leaf_hash(entry) == known else b""
            for entry, known in zip(entries, hashes, strict=True)
        ]
        if b"" in kept:
            _log.error("%s has lost entries", _newest(None, head.size).path)
        self._tails[None] = _Tail(head.size - len(kept), kept)

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
                if count == tail.stored:
                    continue
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
                tail.stored = _level_size(level, size)
                tail.drop_full(tail.stored)

    def superseded(self, before: int, size: int) -> list[Path]:
        """Partial tiles on disk that were replaced when the log grew from `before` to `size`."""
        found = []
        for level in list(self._tails):
            count = _level_size(level, size)
            first = _level_size(level, before) // TILE_WIDTH
            for index in range(first, count // TILE_WIDTH + 1):
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
        if b"" in items:
            raise Damaged(f"{tile.path} has lost entries")
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

    def _load_tail(self, level: int, head: LogHead) -> _Tail:
        """The newest tile of a level as the frontier has it, from its file or from below."""
        tile = _newest(level, head.size)
        start = tile.index * TILE_WIDTH
        if not tile.width:
            return _Tail(start, [])
        expected = _of_level(head.frontier, level)
        items = _try_tile(self.folder, tile)
        if items is None or _frontier(items) != expected:
            _log.error("%s is damaged; it is made again", tile.path)
            items = self._from_below(tile)
        if items is None or _frontier(items) != expected:
            raise Damaged(f"{tile.path} is damaged, and so is what it is made of")
        return _Tail(start, items)

    def _from_below(self, tile: Tile) -> list[bytes] | None:
        if not tile.level:
            entries = _try_tile(self.folder, Tile(None, tile.index, tile.width))
            return None if entries is None else [merkle.leaf_hash(one) for one in entries]
        start = tile.index * TILE_WIDTH
        below = [
            _try_tile(self.folder, Tile(tile.level - 1, index))
            for index in range(start, start + tile.width)
        ]
        return None if None in below else [merkle.root_of(one or []) for one in below]


def _newest(level: int | None, size: int) -> Tile:
    """The tile that a level of a log of `size` leaves is filling; its width may be 0."""
    index, width = divmod(_level_size(level, size), TILE_WIDTH)
    return Tile(level, index, width)


def _of_level(frontier: Frontier, level: int) -> tuple[bytes, ...]:
    """The hashes of a frontier that stand in the newest tile of a level."""
    above = (frontier.size >> (TILE_HEIGHT * (level + 1))).bit_count()
    count = (frontier.size >> (TILE_HEIGHT * level) & (TILE_WIDTH - 1)).bit_count()
    return frontier.hashes[above : above + count]


def _frontier(items: list[bytes]) -> tuple[bytes, ...]:
    found = merkle.EMPTY
    for item in items:
        found = found.append(item)
    return found.hashes


def _empty_tails() -> dict[int | None, _Tail]:
    return {None: _Tail(0, []), 0: _Tail(0, [])}


def _level_size(level: int | None, size: int) -> int:
    return size >> (TILE_HEIGHT * (level or 0))


def _contents(level: int | None, items: list[bytes]) -> bytes:
    return bundle_bytes(items) if level is None else b"".join(items)


def _partials(folder: Path, tile: Tile) -> Path:
    path = folder / tile.path
    return path.with_name(path.name + ".p")


def _try_tile(folder: Path, tile: Tile) -> list[bytes] | None:
    """The items of a tile; None when they cannot be read."""
    try:
        return _read_tile(folder, tile) if tile.width else []
    except Damaged:
        return None


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
