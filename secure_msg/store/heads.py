"""The heads file: each chain's latest head, and the names (docs/spec/storage.md, "Heads").

Append-only; what stands after the last mark belongs to a flush that did not end and is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

from secure_msg.codec.schema import Union, from_bytes, record, to_bytes
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.store.durable import AppendFile, Disk
from secure_msg.store.records import HeadRecord, MarkRecord, NameRecord

MAGIC = b"smhead1\n"
HEADER_SIZE = 4 + 8 + 16
MAX_PAYLOAD = 4096
MAX_DAMAGED_TOGETHER = 8
COMPACT_ABOVE = 1 << 20

NO_MARK = MarkRecord(0, (), b"", (), 0)

Line: TypeAlias = HeadRecord | NameRecord | MarkRecord


@record
@dataclass(frozen=True, slots=True)
class _Payload:
    line: Annotated[
        HeadRecord | NameRecord | MarkRecord,
        Union({"head": HeadRecord, "name": NameRecord, "mark": MarkRecord}),
    ]


@dataclass(slots=True)
class FoundHeads:
    """What the file says at its last mark; `damage` names byte ranges that do not check."""

    heads: dict[bytes, HeadRecord] = field(default_factory=dict)
    names: dict[str, bytes] = field(default_factory=dict)
    mark: MarkRecord = NO_MARK
    damage: list[tuple[int, int]] = field(default_factory=list)
    records: int = 0
    size: int = 0

    @property
    def live_bytes(self) -> int:
        """About what a file of the live records alone would have."""
        live = len(self.heads) + len(self.names)
        return self.size * live // max(self.records, 1)


class HeadsFile:
    """Opened by `load`; after that only the flush appends to it."""

    def __init__(self, path: Path, key: bytes, disk: Disk) -> None:
        self._path = path
        self._key = key
        self._disk = disk
        self._file: AppendFile | None = None
        self._ordinal = 0

    def load(self) -> FoundHeads:
        """Read up to the last mark and cut what follows it."""
        data = self._path.read_bytes() if self._path.exists() else b""
        found, end = self._read(data)
        if not end:
            self.rewrite([], NO_MARK)
            return found
        if end < len(data):
            self._disk.cut(self._path, end)
        self._file = self._disk.open_append(self._path)
        return found

    def append(self, lines: Iterable[HeadRecord | NameRecord], mark: MarkRecord) -> None:
        """Append `lines` and the mark that makes them count; durable on return."""
        if self._file is None:
            raise RuntimeError("the heads file is not open")
        self._file.append(b"".join(self._frames([*lines, mark])))
        self._file.sync()

    @property
    def size(self) -> int:
        return 0 if self._file is None else self._file.size

    def rewrite(self, lines: Iterable[HeadRecord | NameRecord], mark: MarkRecord) -> None:
        """Put a file of exactly these lines in the place of the old one."""
        self.close()
        self._disk.replace(self._path, MAGIC + b"".join(self._frames([*lines, mark])))
        self._file = self._disk.open_append(self._path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _frames(self, lines: Iterable[Line]) -> Iterator[bytes]:
        for line in lines:
            payload = to_bytes(_Payload(line))
            ordinal = self._ordinal.to_bytes(8, "big")
            self._ordinal += 1
            yield len(payload).to_bytes(4, "big") + ordinal + self._mac(ordinal, payload) + payload

    def _mac(self, ordinal: bytes, payload: bytes) -> bytes:
        return hmac_sha256(self._key, ordinal, payload)[:16]

    def _read(self, data: bytes) -> tuple[FoundHeads, int]:
        """What counts in `data`, and where the last mark ends (0: there is none)."""
        found, end = FoundHeads(), 0
        pending: list[HeadRecord | NameRecord] = []
        for stop, line in self._lines(data, found.damage):
            if isinstance(line, MarkRecord):
                _apply(found, pending)
                found.records += len(pending) + 1
                found.mark, found.size, pending, end = line, stop, [], stop
            else:
                pending.append(line)
        found.damage = [span for span in found.damage if span[0] < end]
        return found, end

    def _lines(self, data: bytes, damage: list[tuple[int, int]]) -> Iterator[tuple[int, Line]]:
        """(end, line) of each record that checks; what lies between them is put into `damage`."""
        position = len(MAGIC)
        if data[:position] != MAGIC and data:
            damage.append((0, position))
        while position < len(data):
            line = self._line(data, position)
            if line is None:
                after = self._next_valid(data, position)
                damage.append((position, after))
                position = after
                continue
            self._ordinal = int.from_bytes(data[position + 4 : position + 12], "big") + 1
            position += HEADER_SIZE + int.from_bytes(data[position : position + 4], "big")
            yield position, line

    def _line(self, data: bytes, position: int) -> Line | None:
        """The record at `position` if it checks and its ordinal is not from before."""
        body = position + HEADER_SIZE
        size = int.from_bytes(data[position : position + 4], "big")
        ordinal = data[position + 4 : position + 12]
        payload = data[body : body + size]
        if size > MAX_PAYLOAD or len(payload) != size:
            return None
        if not equal(self._mac(ordinal, payload), data[position + 12 : body]):
            return None
        if int.from_bytes(ordinal, "big") < self._ordinal:
            return None
        return from_bytes(_Payload, payload).line

    def _next_valid(self, data: bytes, position: int) -> int:
        """Where the next record that checks begins after a damaged one, else the end of data."""
        for ahead in range(1, MAX_DAMAGED_TOGETHER + 1):
            ordinal = (self._ordinal + ahead).to_bytes(8, "big")
            at = data.find(ordinal, position)
            while at != -1:
                if self._line(data, at - 4) is not None:
                    return at - 4
                at = data.find(ordinal, at + 1)
        return len(data)


def _apply(found: FoundHeads, lines: Iterable[HeadRecord | NameRecord]) -> None:
    for line in lines:
        if isinstance(line, HeadRecord):
            found.heads[line.chain] = line
        else:
            found.names[line.skeleton] = line.account
