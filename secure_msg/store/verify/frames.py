"""One entries file as bytes: its frames, and what of it no slot names."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chainfiles import GROUP, SLOT_SIZE, TABLE_SIZE, entries_bytes

_TABLE = struct.Struct(f">{2 * GROUP}I")

Span = tuple[int, int]
"""From the first byte to the one after the last."""


class EntriesFile:
    """`data` is None when the file is missing."""

    def __init__(self, path: Path, data: bytes | None) -> None:
        self.path = path
        self.data = data or b""
        self.missing = data is None
        self._slots = _TABLE.unpack(self.data[:TABLE_SIZE].ljust(TABLE_SIZE, b"\0"))
        self.mended: dict[int, bytes] = {}
        """Slot -> the frame that belongs there."""

    def span(self, slot: int) -> Span:
        """Where the table says that a frame is; (0, 0) when it has no such slot."""
        start = self._slots[2 * slot]
        return start, start + self._slots[2 * slot + 1]

    def frame(self, slot: int) -> bytes:
        """Raises Damaged."""
        start, end = self.span(slot)
        if self.missing:
            raise Damaged("the file is missing")
        if start < TABLE_SIZE or end > len(self.data) or start == end:
            raise Damaged(f"slot {slot} of the table names bytes {start} to {end}, no frame")
        return self.data[start:end]

    def candidates(self, slot: int) -> Iterator[bytes]:
        """Where the frame may be if its slot is wrong: between its neighbours."""
        start, end = self.span(slot)
        before = self.span(slot - 1)[1] if slot else TABLE_SIZE
        after = self.span(slot + 1)[0] if slot + 1 < GROUP else 0
        for first in {start, before}:
            for last in {end, before + end - start, after, len(self.data)}:
                if TABLE_SIZE <= first < last <= len(self.data):
                    yield self.data[first:last]

    def unmarked(self, count: int) -> Span | None:
        """The slots after the first `count`, unless they are empty."""
        span = (count * SLOT_SIZE, TABLE_SIZE)
        return span if any(self.data[slice(*span)]) else None

    def unnamed(self, count: int) -> Iterator[Span]:
        """The bytes after the table that the first `count` slots do not name."""
        at = TABLE_SIZE
        for start, end in [*sorted(self.span(slot) for slot in range(count)), (len(self.data), 0)]:
            if start > at:
                yield at, start
            at = max(at, end)

    def rebuilt(self, count: int) -> bytes:
        """The file with what is mended; of the others each slot keeps what it names."""
        return entries_bytes([self.mended.get(slot) or self._raw(slot) for slot in range(count)])

    def _raw(self, slot: int) -> bytes:
        start, end = self.span(slot)
        return self.data[start:end] if start >= TABLE_SIZE else b""
