"""The journal: its records, their order, and what of the files it still has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import HmacSha256
from secure_msg.store.entry import Entry, derived_salt, entry_of, live_frame
from secure_msg.store.journal import MAX_PAYLOAD, Segment, read_segments, segment_bytes
from secure_msg.store.records import Batch, BatchAppend, IndexedFile, PutBody
from secure_msg.store.state import PUT, private_chain
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.mend import Gone, Whole
from secure_msg.store.verify.report import Remedy


def read_journal(inspection: Inspection) -> list[Segment]:
    folder = inspection.layout.journal
    if not folder.is_dir():
        return []
    segments = read_segments(folder, inspection.keys.derive("journal"))
    for segment in segments:
        inspection.known.add(segment.path)
        inspection.report.counts.files += 1
        inspection.report.counts.bytes += segment.data_size
        inspection.report.counts.journal_records += len(segment.records)
    return segments


def read_batches(inspection: Inspection, segments: list[Segment]) -> dict[int, Batch]:
    """The payload of each record, by the index of its log leaf."""
    found: dict[int, Batch] = {}
    for segment in segments:
        for record in segment.records:
            try:
                found[record.index] = from_bytes(Batch, record.payload, limit=MAX_PAYLOAD)
            except MalformedData:
                what = f"record {record.index} is malformed"
                inspection.damage(segment.path, what, Remedy.NONE)
    return found


def unflushed_chains(batches: Mapping[int, Batch], log_size: int) -> frozenset[bytes]:
    """The chains that the batches from the mark's `log_size` on append to."""
    tail = [batch for index, batch in batches.items() if index >= log_size]
    appended = {append.chain for batch in tail for append in batch.appends}
    return frozenset(
        appended | {private_chain(put.account) for batch in tail for put in batch.puts}
    )


def check_journal(inspection: Inspection, segments: list[Segment], log_size: int) -> None:
    """`log_size` is the mark's: what stands before it is in the files."""
    before = len(inspection.report.damage)
    if log_size and not segments:
        # A flush goes on in a new segment before it drops the older ones.
        what = "it has no segment: what was not yet in the files is lost"
        inspection.damage(inspection.layout.journal, what, Remedy.NONE)
    for number, segment in enumerate(segments):
        later = any(one.records or one.valid_after for one in segments[number + 1 :])
        if not segment.whole:
            _report_rest(inspection, segment, segments, later=later, log_size=log_size)
    _check_order(inspection, segments, log_size)
    found = inspection.report.damage[before:]
    if found and all(one.remedy is Remedy.DERIVED for one in found):
        _keep_needed(inspection, segments, log_size)


def _keep_needed(inspection: Inspection, segments: list[Segment], log_size: int) -> None:
    """All that a start needs are the records from the mark on, and they are whole."""
    key = inspection.keys.derive("journal")
    for segment in segments:
        needed = [record for record in segment.records if record.index >= log_size]
        mend = Whole(segment_bytes(key, needed)) if needed else Gone()
        inspection.mends[segment.path] = [mend]


def _report_rest(
    inspection: Inspection, segment: Segment, found: list[Segment], *, later: bool, log_size: int
) -> None:
    span = (segment.valid_end, segment.data_size)
    if segment.torn and not segment.valid_after and not later:
        inspection.note(segment.path, "a write was cut short here; a start cuts it off", span)
        return
    ends = [record.index for one in found for record in one.records]
    # What stands before the mark is in the files already.
    needed = not later or max(ends, default=-1) < log_size
    remedy = Remedy.NONE if needed else Remedy.DERIVED
    inspection.damage(segment.path, "a record does not check", remedy, span)


def _check_order(inspection: Inspection, segments: list[Segment], log_size: int) -> None:
    expected: int | None = None
    for segment in segments:
        for record in segment.records:
            if expected is None and record.index > log_size:
                what = f"it begins with record {record.index}, the files end with {log_size}"
                inspection.damage(segment.path, what, Remedy.NONE)
            elif expected is not None and record.index != expected:
                what = f"record {record.index} stands where {expected} should"
                remedy = Remedy.DERIVED if record.index <= log_size else Remedy.NONE
                inspection.damage(segment.path, what, remedy)
            expected = record.index + 1


class Kept:
    """What the journal still has of entries and blobs that are in the files already."""

    def __init__(self, inspection: Inspection, batches: dict[int, Batch], log_size: int) -> None:
        self._salt = HmacSha256(inspection.keys.derive("salt"))
        self._frames: dict[bytes, list[Placed]] = {}
        self._blobs: dict[tuple[bytes, bytes, int], bytes] = {}
        for index, batch in batches.items():
            if index < log_size:
                self._take(index, batch)

    def entry(self, chain: bytes, sequence: int, leaf: bytes) -> Entry | None:
        """The entry of this place and leaf hash, with its unique id and log index."""
        for placed in self._frames.get(chain, ()):
            found = placed.entry(chain, sequence, self._salt)
            if found.leaf == leaf:
                return found
        return None

    def blob(self, account: bytes, file: IndexedFile) -> bytes | None:
        found = self._blobs.get((account, file.path, file.version))
        return found if found is not None and sha256(found) == file.content else None

    def _take(self, index: int, batch: Batch) -> None:
        for append in batch.appends:
            self._add(append.chain, Placed(index, batch.time, append))
        for put in batch.puts:
            content = bytes(32) if put.blob is None else sha256(put.blob)
            body = to_bytes(PutBody(put.path, put.version, content, len(put.blob or b"")))
            append = BatchAppend(private_chain(put.account), 0, PUT, body, b"", b"", b"")
            self._add(append.chain, Placed(index, batch.time, append))
            if put.blob is not None:
                self._blobs[put.account, put.path, put.version] = put.blob

    def _add(self, chain: bytes, placed: Placed) -> None:
        self._frames.setdefault(chain, []).append(placed)


@dataclass(frozen=True, slots=True)
class Placed:
    """An append of the batch `index`."""

    index: int
    time: int
    append: BatchAppend

    def entry(self, chain: bytes, sequence: int, key: HmacSha256) -> Entry:
        one = self.append
        salt = one.salt or derived_salt(key, chain, sequence)
        frame = live_frame(one.kind, self.time, erasable=bool(one.salt), salt=salt, body=one.body)
        return entry_of(chain, sequence, frame, unique=one.unique, log_index=self.index)
