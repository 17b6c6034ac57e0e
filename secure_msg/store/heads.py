"""The heads: each chain's latest one, and the names, in two copies (docs/spec/storage.md, "Heads").

Append-only; what stands after the last mark belongs to a flush that did not end and is ignored.
Nothing else knows registers and labels: a record that one copy has lost comes from the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

from secure_msg.codec.cbor import decode_checked
from secure_msg.codec.schema import Union, record, to_bytes
from secure_msg.crypto.mac import HmacSha256, equal
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import AppendFile, Disk
from secure_msg.store.records import HeadRecord, MarkRecord, NameRecord

MAGIC = b"smhead1\n"
HEADER_SIZE = 4 + 8 + 16
MAX_PAYLOAD = 8192
MAX_DAMAGED_TOGETHER = 64
COMPACT_ABOVE = 1 << 20

NO_MARK = MarkRecord(0, (), b"", (), 0)

Line: TypeAlias = HeadRecord | NameRecord | MarkRecord

_log = logging.getLogger(__name__)


@record
@dataclass(frozen=True, slots=True)
class _Payload:
    line: Annotated[
        HeadRecord | NameRecord | MarkRecord,
        Union({"head": HeadRecord, "name": NameRecord, "mark": MarkRecord}),
    ]


@dataclass(slots=True)
class FoundHeads:
    """What the copies say at the last mark that counts, which has the ordinal `last`.

    `live_bytes` is about the size of a compact copy.
    """

    heads: dict[bytes, HeadRecord] = field(default_factory=dict)
    names: dict[str, bytes] = field(default_factory=dict)
    mark: MarkRecord = NO_MARK
    live_bytes: int = 0
    last: int = -1

    def live(self) -> Iterator[HeadRecord | NameRecord]:
        yield from self.heads.values()
        for skeleton, account in self.names.items():
            yield NameRecord(skeleton, account)


@dataclass(frozen=True, slots=True)
class HeadsCopy:
    """One copy as it is: ordinal -> (record, where it ends) of all that check.

    `gaps` are the byte ranges after the magic in which none does.
    """

    data: bytes
    lines: dict[int, tuple[Line, int]]
    gaps: list[tuple[int, int]]

    @property
    def whole(self) -> bool:
        """Whether it ends with a mark and has nothing that does not check."""
        ends = bool(self.lines) and isinstance(self.lines[max(self.lines)][0], MarkRecord)
        return ends and not self.gaps and self.data.startswith(MAGIC)


class HeadsFile:
    """Opened by `load`; after that only the flush appends to it."""

    def __init__(self, paths: tuple[Path, Path], key: bytes, disk: Disk) -> None:
        self._paths = paths
        self._mac_of = HmacSha256(key)
        self._disk = disk
        self._files: list[AppendFile] = []
        self._ordinal = 0
        self.alike = True
        """Whether both copies say the same; after a write that failed only `rewrite` helps."""

    def load(self) -> FoundHeads:
        """The state at the last mark; copies that differ are made alike. Raises Damaged."""
        copies = self.copies()
        found = self.join(copies)
        if all(one.whole for one in copies) and copies[0].data == copies[1].data:
            self._files = [self._disk.open_append(path) for path in self._paths]
        else:
            if any(one.data for one in copies):
                _log.warning("the copies of ledger/heads are not whole; they are written again")
            self.rewrite(found.live(), found.mark)
        return found

    def copies(self) -> tuple[HeadsCopy, HeadsCopy]:
        """Both copies as they are; a missing one is empty. Nothing is changed."""
        first, second = (path.read_bytes() if path.exists() else b"" for path in self._paths)
        scanned = self._scan(first)
        return scanned, scanned if first == second else self._scan(second)

    def join(self, copies: tuple[HeadsCopy, HeadsCopy]) -> FoundHeads:
        """The state at the last mark, each record from a copy that has it. Raises Damaged."""
        lines = copies[1].lines | copies[0].lines
        found = self._apply(lines, [self._base(one.data, one.lines) for one in copies])
        if found.mark is NO_MARK and any(one.data for one in copies) and not lines:
            raise Damaged("ledger/heads is damaged in both copies from its beginning on")
        return found

    def append(self, lines: Iterable[HeadRecord | NameRecord], mark: MarkRecord) -> None:
        """Append `lines` and the mark that makes them count; durable on return."""
        data = b"".join(self._frames([*lines, mark]))
        self.alike = False
        for file in self._files:
            file.append(data)
            file.sync()
        self.alike = True

    def rewrite(self, lines: Iterable[HeadRecord | NameRecord], mark: MarkRecord) -> None:
        """Put copies of exactly these lines in the place of the old ones."""
        self.alike = False
        self.close()
        data = self.image(lines, mark)
        for path in self._paths:
            self._disk.replace(path, data)
        self._files = [self._disk.open_append(path) for path in self._paths]
        self.alike = True

    def image(self, lines: Iterable[HeadRecord | NameRecord], mark: MarkRecord) -> bytes:
        """A copy of exactly these lines."""
        return MAGIC + b"".join(self._frames([*lines, mark]))

    @property
    def size(self) -> int:
        """Bytes of one copy."""
        return self._files[0].size

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files = []

    def _frames(self, lines: Iterable[Line]) -> Iterator[bytes]:
        for line in lines:
            payload = to_bytes(_Payload(line))
            ordinal = self._ordinal.to_bytes(8, "big")
            self._ordinal += 1
            yield len(payload).to_bytes(4, "big") + ordinal + self._mac(ordinal, payload) + payload

    def _mac(self, ordinal: bytes, payload: bytes) -> bytes:
        return self._mac_of(ordinal, payload)[:16]

    def _scan(self, data: bytes) -> HeadsCopy:
        lines: dict[int, tuple[Line, int]] = {}
        gaps: list[tuple[int, int]] = []
        position, expected = len(MAGIC), 0
        while position < len(data):
            read = self._read(data, position)
            if read is None:
                gap, position = position, self._next_valid(data, position, expected)
                gaps.append((gap, position))
                continue
            ordinal, line, position = read
            lines[ordinal] = (line, position)
            expected = ordinal + 1
        return HeadsCopy(data, lines, gaps)

    def _read(self, data: bytes, position: int) -> tuple[int, Line, int] | None:
        """(ordinal, record, end) at `position`, None when none that checks is there."""
        body = position + HEADER_SIZE
        size = int.from_bytes(data[position : position + 4], "big")
        ordinal = data[position + 4 : position + 12]
        payload = data[body : body + size]
        if position < 0 or size > MAX_PAYLOAD or len(payload) != size:
            return None
        if not equal(self._mac(ordinal, payload), data[position + 12 : body]):
            return None
        return int.from_bytes(ordinal, "big"), _line(payload), body + size

    def _base(self, data: bytes, lines: dict[int, tuple[Line, int]]) -> int:
        """The ordinal that a copy begins with, whole without those before; 0 if that is lost."""
        read = self._read(data, len(MAGIC))
        return read[0] if read is not None and read[0] == min(lines) else 0

    def _next_valid(self, data: bytes, position: int, expected: int) -> int:
        """Where a record that checks begins after a damaged one, else the end of data."""
        for ordinal in range(expected, expected + MAX_DAMAGED_TOGETHER):
            sought = ordinal.to_bytes(8, "big")
            at = data.find(sought, position + 5)
            while at != -1:
                if self._read(data, at - 4) is not None:
                    return at - 4
                at = data.find(sought, at + 1)
        return len(data)

    def _apply(self, lines: dict[int, tuple[Line, int]], bases: list[int]) -> FoundHeads:
        found = FoundHeads()
        if not lines:
            return found
        first, last = _counting(lines, bases)
        for ordinal in range(first, last + 1):
            line, _ = lines[ordinal]
            if isinstance(line, HeadRecord):
                found.heads[line.chain] = line
            elif isinstance(line, NameRecord):
                found.names[line.skeleton] = line.account
            else:
                found.mark = line
        found.last = last
        self._ordinal = max(lines) + 1
        live = len(found.heads) + len(found.names)
        found.live_bytes = lines[last][1] * live // (last - first + 1)
        return found


def _counting(lines: dict[int, tuple[Line, int]], bases: list[int]) -> tuple[int, int]:
    """The ordinals from the first that counts to the last mark that does. Raises Damaged.

    A mark whose own batch is not all there is one that a power loss left of a flush that did not
    end: its sectors reach the disk in any order. The mark before it counts then, and the journal,
    which such a flush has not dropped, must begin there (`check_reach`).
    """
    marks = sorted(one for one, (line, _) in lines.items() if isinstance(line, MarkRecord))
    if not marks:
        raise Damaged("all marks of ledger/heads are damaged in both copies")
    *earlier, last = marks
    first = _first(lines, bases, last)
    if earlier and not all(one in lines for one in range(max(first, earlier[-1]), last)):
        last = earlier[-1]
        first = _first(lines, bases, last)
    missing = last - first + 1 - sum(1 for one in lines if first <= one <= last)
    if missing:
        raise Damaged(f"{missing} records of ledger/heads are damaged in both copies")
    return first, last


def _first(lines: dict[int, tuple[Line, int]], bases: list[int], last: int) -> int:
    """The ordinal from which on the records up to `last` count.

    A copy that was written again stands beside one that lacks what came right before it, when a
    second crash follows on a first.
    """
    return max([min(lines), *(one for one in bases if one <= last)])


def _line(payload: bytes) -> Line:
    """The record of a payload whose MAC was checked: only a server with our key can have made it.

    A start reads one for each chain, so it is not checked field by field.
    """
    [[kind, *fields]] = decode_checked(payload)
    if kind == "head":
        chain, owner, size, hashes, *rest = fields
        return HeadRecord(chain, owner, size, tuple(hashes), *rest)
    if kind == "name":
        return NameRecord(*fields)
    size, hashes, leaf, path, time = fields
    return MarkRecord(size, tuple(hashes), leaf, tuple(path), time)
