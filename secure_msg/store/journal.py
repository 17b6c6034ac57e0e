"""The journal: what was committed and is not yet in its files (docs/spec/storage.md, "Journal")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import AppendFile, Disk, is_passing

SEGMENT_MAGIC = b"smjrnl1\n"
RECORD_MAGIC = b"smjr"
HEAD_SIZE = 4 + 4 + 8 + 4
HEADER_SIZE = HEAD_SIZE + 32
SECTOR = 512
ZEROS = bytes(4)
MAX_PAYLOAD = 64 << 20


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One batch's payload; `index` is the number of its log leaf."""

    index: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as found: its valid records, and where the first byte is that is part of none.

    `torn` says that the rest looks like a write that was cut short, `valid_after` that a record
    stands in it that checks.
    """

    path: Path
    records: list[JournalRecord]
    valid_end: int
    data_size: int
    valid_after: bool
    torn: bool

    @property
    def whole(self) -> bool:
        return self.valid_end == self.data_size


class Journal:
    """Appends go to the newest segment. One caller at a time; `append` may run in any thread."""

    def __init__(self, folder: Path, key: bytes, disk: Disk) -> None:
        """Open the journal in `folder` (which exists) and cut a torn tail. Raises Damaged."""
        self._folder = folder
        self._key = key
        self._disk = disk
        self._file: AppendFile | None = None
        self._found = read_segments(folder, key)
        self._numbers = [int(segment.path.name) for segment in self._found]
        check_segments(self._found)
        self._keep_found()

    def records(self) -> Iterator[JournalRecord]:
        """What was found when the journal was opened, in order. Can be taken once."""
        found, self._found = self._found, []
        for segment in found:
            yield from segment.records

    def span(self) -> tuple[int | None, int]:
        """The first index that was found (None: no record at all), and the one after the last."""
        indices = [record.index for segment in self._found for record in segment.records]
        return (indices[0], indices[-1] + 1) if indices else (None, 0)

    def append(self, index: int, payload: bytes) -> None:
        """Write one record and make it durable.

        After an OSError that passes nothing of it is there; after another one nobody knows.
        """
        file = self._file or self._begin_segment()
        end = file.size
        try:
            file.append(_frame(self._key, index, payload))
            file.sync()
        except OSError as error:
            if is_passing(error):
                file.cut_back(end)
            raise

    def rotate(self) -> int:
        """Go on in a new segment; its number is returned: all before it is in older ones."""
        self._begin_segment()
        return self._numbers[-1]

    def drop_before(self, number: int) -> None:
        """Unlink all segments older than `number`, for good."""
        old = [one for one in self._numbers if one < number]
        for one in old:
            self._disk.remove(self._path(one))
        if old:
            self._disk.sync_folder(self._folder)
        self._numbers = [one for one in self._numbers if one >= number]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin_segment(self) -> AppendFile:
        self.close()
        number = self._numbers[-1] + 1 if self._numbers else 1
        file = self._disk.open_append(self._path(number))
        try:
            # What a beginning that failed has left there is written over.
            file.cut_back(0)
            file.append(SEGMENT_MAGIC)
        except OSError:
            file.close()
            raise
        self._numbers.append(number)
        self._file = file
        return file

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}"

    def _keep_found(self) -> None:
        """Cut a torn tail, and make durable what is read from the kernel's memory only.

        A kill can come between write and sync: what follows on such a record must not outlive it.
        """
        for segment in self._found:
            if not segment.whole:
                self._disk.cut(segment.path, segment.valid_end)
            elif segment.records:
                self._disk.sync_file(segment.path)


def read_segments(folder: Path, key: bytes) -> list[Segment]:
    """The segments in `folder` as they are, in order. Nothing is changed."""
    return [_scan(path, key) for path in sorted(filter(_is_segment, folder.iterdir()))]


def check_segments(segments: list[Segment]) -> None:
    """Raises Damaged unless the records follow one another and only a torn tail ends them."""
    expected: int | None = None
    for number, segment in enumerate(segments):
        later = any(one.records or one.valid_after for one in segments[number + 1 :])
        if not segment.whole and (segment.valid_after or later or not segment.torn):
            raise Damaged(
                f"journal/{segment.path.name} is damaged from byte {segment.valid_end} on "
                f"(of {segment.data_size} bytes), and not by a write that was cut short"
            )
        for record in segment.records:
            if expected is not None and record.index != expected:
                raise Damaged(
                    f"journal/{segment.path.name} goes on with record {record.index} "
                    f"where {expected} should stand"
                )
            expected = record.index + 1


def segment_bytes(key: bytes, records: Iterable[JournalRecord]) -> bytes:
    """A segment of exactly these records."""
    return SEGMENT_MAGIC + b"".join(_frame(key, one.index, one.payload) for one in records)


def _scan(path: Path, key: bytes) -> Segment:
    data = path.read_bytes()
    if not data.startswith(SEGMENT_MAGIC):
        # Magic and first record are synced together: the sectors after the first may be there.
        torn = len(data) < len(SEGMENT_MAGIC) or not data[:SECTOR].strip(b"\0")
        return Segment(path, [], 0, len(data), _valid_after(key, data, 0), torn)
    records = []
    position = len(SEGMENT_MAGIC)
    while (record := _read_frame(key, data, position)) is not None:
        records.append(record)
        position += HEADER_SIZE + len(record.payload)
    after, torn = _valid_after(key, data, position), _is_torn(key, data, position)
    return Segment(path, records, position, len(data), after, torn)


def _valid_after(key: bytes, data: bytes, position: int) -> bool:
    """Whether any valid record begins after `position`."""
    start = data.find(RECORD_MAGIC, position + 1)
    while start != -1:
        if _read_frame(key, data, start) is not None:
            return True
        start = data.find(RECORD_MAGIC, start + 1)
    return False


def _is_segment(path: Path) -> bool:
    return len(path.name) == 8 and path.name.isascii() and path.name.isdigit()


def _frame(key: bytes, index: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(4, "big") + index.to_bytes(8, "big")
    check = hmac_sha256(key, head)[:4]
    return RECORD_MAGIC + head + check + hmac_sha256(key, head, payload) + payload


def _read_frame(key: bytes, data: bytes, position: int) -> JournalRecord | None:
    """The record that begins at `position`, None when none that checks does."""
    body = position + HEADER_SIZE
    size = _declared(key, data, position)
    if size is None or size > len(data) - body:
        return None
    head, payload = data[position + 4 : position + 16], data[body : body + size]
    if not equal(hmac_sha256(key, head, payload), data[position + HEAD_SIZE : body]):
        return None
    return JournalRecord(int.from_bytes(head[4:], "big"), payload)


def _declared(key: bytes, data: bytes, position: int) -> int | None:
    """The payload size that the head at `position` gives, None when it is no head that checks."""
    head, check = data[position + 4 : position + 16], data[position + 16 : position + HEAD_SIZE]
    if data[position : position + 4] != RECORD_MAGIC or len(check) != 4:
        return None
    if not equal(hmac_sha256(key, head)[:4], check):
        return None
    size = int.from_bytes(head[:4], "big")
    return size if size <= MAX_PAYLOAD else None


def _is_torn(key: bytes, data: bytes, position: int) -> bool:
    """Whether what stands from `position` on looks like a write that was cut short.

    It ends early, or has zeros at its end or in a whole sector: what the disk never got. A record
    that is all there and does not check was changed later.
    """
    rest = len(data) - position
    size = _declared(key, data, position)
    if rest < HEADER_SIZE or (size is not None and rest < HEADER_SIZE + size):
        return True
    end = len(data) if size is None else position + HEADER_SIZE + size
    if data.endswith(ZEROS):
        return True
    starts = range(position - position % SECTOR, end, SECTOR)
    sectors = (data[max(start, position) : min(start + SECTOR, end)] for start in starts)
    # However small a record's part of its first or last sector is: it begins with the magic, and a
    # batch does not end with a zero.
    return any(sector and not sector.strip(b"\0") for sector in sectors)
