"""A chain's folder: rows, levels and entries (docs/spec/storage.md, "Chains").

Nothing here knows the chain's head: what is read is what the files say, and who reads joins it to
the head (`tree.py`). Only the rows' unique ids and log indices, which no head covers, have a MAC.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from secure_msg.crypto.mac import equal, hmac_sha256
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
TABLE_SIZE = 4 * GROUP
NO_UNIQUE = bytes(UNIQUE_SIZE)


@dataclass(frozen=True, slots=True)
class ChainKeys:
    """The server's keys for rows and for derived salts."""

    rows: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Row:
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
        return [self._row(start + number, part) for number, part in enumerate(parts)]

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
                found.append(self._entry(start + number, data))
            start, count = start + here, count - here
        return found

    def write(self, writes: WriteSet, entries: Sequence[Entry]) -> None:
        """Put consecutive entries in their places; doing it again changes nothing."""
        writes.make_folder(self.folder)
        first = entries[0].sequence
        rows = b"".join(self._row_bytes(entry) for entry in entries)
        writes.write_at(self.folder / "leaves", [(first * ROW_SIZE, rows)])
        for group, members in groupby(entries, lambda entry: entry.sequence // GROUP):
            self._write_frames(writes, group, list(members))

    def write_level(self, writes: WriteSet, level: int, start: int, roots: Sequence[bytes]) -> None:
        path = self.folder / f"level-{level}"
        writes.write_at(path, [(start * HASH_SIZE, b"".join(roots))])

    def erase(self, disk: Disk, sequence: int) -> None:
        """Write the group's file again without this entry's salt and body."""
        path, start = self._entries_path(sequence // GROUP), sequence // GROUP * GROUP
        table = read_at(path, 0, TABLE_SIZE)
        count = sum(1 for at in range(0, TABLE_SIZE, 4) if table[at : at + 4] != bytes(4))
        frames = self._frames(start, count)
        kept = self._entry(sequence, frames[sequence - start])
        if kept.body is None:
            return
        frame = read_frame(frames[sequence - start], b"")
        frames[sequence - start] = erased_frame(frame)
        offsets, position = bytearray(), TABLE_SIZE
        for data in frames:
            position += len(data)
            offsets += position.to_bytes(4, "big")
        disk.replace(path, bytes(offsets).ljust(TABLE_SIZE, b"\0") + b"".join(frames))

    def _entries_path(self, group: int) -> Path:
        return self.folder / f"entries-{group:06d}"

    def _entry(self, sequence: int, data: bytes) -> Entry:
        salt = b"" if data[:1] == b"\1" else derived_salt(self._keys.salt, self._chain, sequence)
        return entry_of(self._chain, sequence, read_frame(data, salt))

    def _frames(self, start: int, count: int) -> list[bytes]:
        """The frames of `count` entries of one group."""
        path, slot = self._entries_path(start // GROUP), start % GROUP
        table = read_at(path, 0, TABLE_SIZE)
        ends = [
            int.from_bytes(table[4 * at : 4 * at + 4], "big")
            for at in range(max(slot - 1, 0), slot + count)
        ]
        bounds = ends if slot else [TABLE_SIZE, *ends]
        if bounds[0] < TABLE_SIZE or any(
            end < begin for begin, end in zip(bounds, bounds[1:], strict=False)
        ):
            raise Damaged(f"the table of {path.name} is malformed")
        data = read_at(path, bounds[0], bounds[-1] - bounds[0])
        return [
            data[begin - bounds[0] : end - bounds[0]]
            for begin, end in zip(bounds, bounds[1:], strict=False)
        ]

    def _write_frames(self, writes: WriteSet, group: int, entries: list[Entry]) -> None:
        path, slot = self._entries_path(group), entries[0].sequence % GROUP
        start = int.from_bytes(read_at(path, 4 * slot - 4, 4), "big") if slot else TABLE_SIZE
        frames = [frame_bytes(entry) for entry in entries]
        offsets, position = bytearray(), start
        for data in frames:
            position += len(data)
            offsets += position.to_bytes(4, "big")
        writes.write_at(path, [(4 * slot, bytes(offsets)), (start, b"".join(frames))])

    def _row_bytes(self, entry: Entry) -> bytes:
        unique = entry.unique or NO_UNIQUE
        data = entry.leaf + unique + entry.log_index.to_bytes(INDEX_SIZE, "big")
        return data + self._row_mac(entry.sequence, data)

    def _row(self, sequence: int, data: bytes) -> Row:
        covered = data[:-MAC_SIZE]
        if not equal(self._row_mac(sequence, covered), data[-MAC_SIZE:]):
            raise Damaged("a row of leaves does not check")
        unique = data[HASH_SIZE : HASH_SIZE + UNIQUE_SIZE]
        index = int.from_bytes(covered[HASH_SIZE + UNIQUE_SIZE :], "big")
        return Row(data[:HASH_SIZE], unique, index)

    def _row_mac(self, sequence: int, data: bytes) -> bytes:
        position = sequence.to_bytes(8, "big")
        return hmac_sha256(self._keys.rows, self._chain, position, data)[:MAC_SIZE]
