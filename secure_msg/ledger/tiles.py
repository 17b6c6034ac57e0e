"""The log's files: C2SP tlog-tiles names and contents (docs/spec/ledger.md, "Log")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secure_msg.codec.errors import MalformedData
from secure_msg.ledger.merkle import HASH_SIZE, ReadNode

TILE_HEIGHT = 8
TILE_WIDTH = 256
MAX_ENTRY = 65_535

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_MAX_LEVEL = 63
_MAX_INDEX = 2**53


@dataclass(frozen=True, slots=True)
class Tile:
    """`width` hashes of level 8 * `level` from `index` * 256 on; level None: that many entries."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_index_path(self.index)}{partial}"


def parse_path(path: str) -> Tile | None:
    """The tile of a canonical path, None for any other text."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, index, width = found.groups()
    tile = Tile(
        None if level == "entries" else int(level),
        int(re.sub("[x/]", "", index)),
        TILE_WIDTH if width is None else int(width),
    )
    in_range = (tile.level or 0) <= _MAX_LEVEL and tile.index < _MAX_INDEX
    return tile if in_range and tile.path == path else None


def tiles_of_growth(old: int, new: int) -> Iterator[Tile]:
    """The hash tiles and entry bundles to write when the log grows from `old` to `new` leaves."""
    yield from (Tile(None, tile.index, tile.width) for tile in _level_growth(0, old, new))
    level = 0
    while new >> (TILE_HEIGHT * level):
        yield from _level_growth(level, old, new)
        level += 1


def _level_growth(level: int, old: int, new: int) -> Iterator[Tile]:
    before, after = old >> (TILE_HEIGHT * level), new >> (TILE_HEIGHT * level)
    if after > before:
        for index in range(before // TILE_WIDTH, (after - 1) // TILE_WIDTH + 1):
            yield Tile(level, index, min(TILE_WIDTH, after - index * TILE_WIDTH))


def tile_bytes(tile: Tile, node: ReadNode) -> bytes:
    """The contents of a hash tile."""
    if tile.level is None:
        raise ValueError("an entry bundle has no hashes")
    level, start = TILE_HEIGHT * tile.level, tile.index * TILE_WIDTH
    return b"".join(node(level, start + offset) for offset in range(tile.width))


def tile_hashes(data: bytes, width: int) -> tuple[bytes, ...]:
    """The hashes of a tile. Raises MalformedData."""
    if len(data) != width * HASH_SIZE:
        raise MalformedData(f"tile: not {width} hashes")
    return tuple(data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE))


def bundle_bytes(entries: Sequence[bytes]) -> bytes:
    """The contents of an entry bundle: each entry after its length as u16be."""
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise ValueError("an entry of a bundle has at most 65535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def bundle_entries(data: bytes, width: int) -> tuple[bytes, ...]:
    """The entries of a bundle. Raises MalformedData."""
    entries: list[bytes] = []
    offset = 0
    while offset < len(data) and len(entries) < width:
        end = offset + 2 + int.from_bytes(data[offset : offset + 2], "big")
        if offset + 2 > len(data) or end > len(data):
            raise MalformedData("entry bundle: an entry is cut short")
        entries.append(data[offset + 2 : end])
        offset = end
    if offset != len(data) or len(entries) != width:
        raise MalformedData(f"entry bundle: not {width} entries")
    return tuple(entries)


def _index_path(index: int) -> str:
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))
