"""A chain's folder: rows, levels and entries (docs/spec/storage.md, "Chains").

Nothing here knows the chain's head: what is read is what the files say, and who reads joins it to
the head (`tree.py`). Only the rows' unique ids and log indices, which no head covers, have a MAC.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from secure_msg.crypto.mac import HmacSha256, equal
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import Disk, WriteSet
from secure_msg.store.entry import (
    HASH_SIZE,
    Entry,
    derived_salt,
    entry_of,
    erased_frame,
    frame_bytes,
    read_frame,
)

GROUP = 256
ROW_SIZE = 64
UNIQUE_SIZE = 16
INDEX_SIZE = 6
MAC_SIZE = 10
SLOT_SIZE = 8
TABLE_SIZE = SLOT_SIZE * GROUP
NO_UNIQUE = bytes(UNIQUE_SIZE)


@dataclass(frozen=True, slots=True)
class ChainKeys:
    """The server's keys for rows and for derived salts."""

    rows: bytes
    salt: bytes
    row_mac: HmacSha256 = field(init=False, repr=False, compare=False)
    salt_mac: HmacSha256 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row_mac", HmacSha256(self.rows))
        object.__setattr__(self, "salt_mac", HmacSha256(self.salt))


class Row(NamedTuple):
    leaf: bytes
    unique: bytes
    log_index: int


def read_at(path: Path, offset: int, size: int) -> bytes:
    """`size` bytes at `offset`. Raises Damaged when they are not there."""
    try:
        with path.open("rb", buffering=0) as file:
            # Before memory is taken: a damaged offset may ask for gigabytes.
            whole = os.fstat(file.fileno()).st_size >= offset + size
            if whole:
                file.seek(offset)
                data = file.read(size)
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read ({os.strerror(error.errno or 0)})") from error
    if not whole or len(data) != size:
        raise Damaged(f"{path.name} ends before byte {offset + size}")
    return data


class ChainFiles:
    """Reads and writes one chain's folder. Sizes and sequences are the caller's to know."""

    def __init__(self, folder: Path, chain: bytes, keys: ChainKeys) -> None:
        self.folder = folder
        self._chain = chain
        self._keys = keys

    def leaves(self, start: int, count: int) -> list[bytes]:
        """Leaf hashes; not checked, the head will tell."""
        data = read_at(self.folder / "leaves", start * ROW_SIZE, count * ROW_SIZE)
        return [data[at : at + HASH_SIZE] for at in range(0, len(data), ROW_SIZE)]

    def rows(self, start: int, count: int) -> list[Row]:
        """Whole rows, by their MACs. Raises Damaged."""
        data = read_at(self.folder / "leaves", start * ROW_SIZE, count * ROW_SIZE)
        parts = (data[at : at + ROW_SIZE] for at in range(0, len(data), ROW_SIZE))
        return [self.row(start + number, part) for number, part in enumerate(parts)]

    def level(self, level: int, start: int, count: int) -> list[bytes]:
        """Roots of complete subtrees of 256^level entries; not checked, the head will tell."""
        path = self.folder / f"level-{level}"
        data = read_at(path, start * HASH_SIZE, count * HASH_SIZE)
        return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]

    def entries(self, start: int, count: int) -> list[Entry]:
        """Entries with the headers that follow from their frames; unique and log index left out."""
        found: list[Entry] = []
        while count > 0:
            here = min(count, GROUP - start % GROUP)
            for number, data in enumerate(self._frames(start, here)):
                found.append(self.entry(start + number, data))
            start, count = start + here, count - here
        return found

    def write(self, writes: WriteSet, entries: Sequence[Entry]) -> None:
        """Put consecutive entries in their places; doing it again changes nothing."""
        writes.make_folder(self.folder)
        first = entries[0].sequence
        rows = b"".join(self.row_bytes(entry) for entry in entries)
        writes.write_at(self.folder / "leaves", [(first * ROW_SIZE, rows)])
        for group, members in groupby(entries, lambda entry: entry.sequence // GROUP):
            self._write_frames(writes, group, list(members))

    def write_level(self, writes: WriteSet, level: int, start: int, roots: Sequence[bytes]) -> None:
        path = self.folder / f"level-{level}"
        writes.write_at(path, [(start * HASH_SIZE, b"".join(roots))])

    def erase(self, disk: Disk, sequence: int) -> None:
        """Write the group's file again without this entry's salt and body."""
        path, start = self._entries_path(sequence // GROUP), sequence // GROUP * GROUP
        frames = [self._raw_frame(path, slot) for slot in range(GROUP)]
        frame = read_frame(frames[sequence - start], b"")
        if frame.body is None:
            # By a run that may have been killed before the new file's name was durable.
            disk.sync_folder(self.folder)
            return
        frames[sequence - start] = erased_frame(frame)
        disk.replace(path, entries_bytes(frames))

    def _entries_path(self, group: int) -> Path:
        return self.folder / f"entries-{group:06d}"

    def entry(self, sequence: int, data: bytes) -> Entry:
        """The entry of this frame; unique and log index left out. Raises Damaged."""
        salt = (
            b"" if data[:1] == b"\1" else derived_salt(self._keys.salt_mac, self._chain, sequence)
        )
        return entry_of(self._chain, sequence, read_frame(data, salt))

    def _frames(self, start: int, count: int) -> list[bytes]:
        """The frames of `count` entries of one group."""
        path, slot = self._entries_path(start // GROUP), start % GROUP
        spans = _spans(read_at(path, SLOT_SIZE * slot, SLOT_SIZE * count))
        if min(offset for offset, _ in spans) < TABLE_SIZE:
            raise Damaged(f"the table of {path.name} is malformed")
        if all(a + size == b for (a, size), (b, _) in pairwise(spans)):
            first, end = spans[0][0], sum(spans[-1])
            data = read_at(path, first, end - first)
            return [data[offset - first : offset - first + size] for offset, size in spans]
        return [read_at(path, offset, size) for offset, size in spans]

    def _raw_frame(self, path: Path, slot: int) -> bytes:
        """A frame as it is, empty where none can be read: a neighbour's damage stays its own."""
        try:
            [(offset, size)] = _spans(read_at(path, SLOT_SIZE * slot, SLOT_SIZE))
            return read_at(path, offset, size) if offset >= TABLE_SIZE else b""
        except Damaged:
            return b""

    def _write_frames(self, writes: WriteSet, group: int, entries: list[Entry]) -> None:
        path, slot = self._entries_path(group), entries[0].sequence % GROUP
        start = max(path.stat().st_size if path.exists() else 0, TABLE_SIZE)
        frames = [frame_bytes(entry) for entry in entries]
        table = _table(frames, start)
        writes.write_at(path, [(SLOT_SIZE * slot, table), (start, b"".join(frames))])

    def row_bytes(self, entry: Entry) -> bytes:
        """The 64 bytes of an entry's row."""
        unique = entry.unique or NO_UNIQUE
        data = entry.leaf + unique + entry.log_index.to_bytes(INDEX_SIZE, "big")
        return data + self._row_mac(entry.sequence, data)

    def row(self, sequence: int, data: bytes) -> Row:
        """The row of these 64 bytes. Raises Damaged when its MAC does not check."""
        covered = data[:-MAC_SIZE]
        if not equal(self._row_mac(sequence, covered), data[-MAC_SIZE:]):
            raise Damaged("a row of leaves does not check")
        unique = data[HASH_SIZE : HASH_SIZE + UNIQUE_SIZE]
        index = int.from_bytes(covered[HASH_SIZE + UNIQUE_SIZE :], "big")
        return Row(data[:HASH_SIZE], unique, index)

    def _row_mac(self, sequence: int, data: bytes) -> bytes:
        position = sequence.to_bytes(8, "big")
        return self._keys.row_mac(self._chain, position, data)[:MAC_SIZE]


def entries_bytes(frames: Sequence[bytes]) -> bytes:
    """An entries file of exactly these frames, in order; an empty one leaves its slot empty."""
    return _table(frames, TABLE_SIZE).ljust(TABLE_SIZE, b"\0") + b"".join(frames)


def _table(frames: Sequence[bytes], start: int) -> bytes:
    """The slots of frames that stand one after the other from `start` on."""
    table = bytearray()
    for data in frames:
        slot = start.to_bytes(4, "big") + len(data).to_bytes(4, "big")
        table += slot if data else bytes(SLOT_SIZE)
        start += len(data)
    return bytes(table)


def _spans(table: bytes) -> list[tuple[int, int]]:
    """(offset, size) of each slot."""
    numbers = [int.from_bytes(table[at : at + 4], "big") for at in range(0, len(table), 4)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
