"""Format 1 to 2: a journalled batch ends with the statement that the server was set back, or null.

Of the bytes in the folder nothing else changes. What the journal of format 1 has was committed by a
program that knew no restorations, so that each batch gets null.
"""

from __future__ import annotations

from pathlib import Path

from secure_msg.codec import cbor
from secure_msg.codec.errors import MalformedData
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import Disk
from secure_msg.store.journal import (
    MAX_PAYLOAD,
    JournalRecord,
    Segment,
    check_segments,
    read_segments,
    segment_bytes,
)
from secure_msg.store.serverkeys import ServerKeys

FIELDS_BEFORE, FIELDS_AFTER = 5, 6


def migrate(root: Path, keys: ServerKeys, disk: Disk) -> None:
    """A segment that a crash has left done is known by its batches. Raises Damaged, OSError."""
    key = keys.derive("journal")
    folder = root / "journal"
    segments = read_segments(folder, key) if folder.is_dir() else []
    check_segments(segments)
    for segment in segments:
        records = [_with_restored(segment, record) for record in segment.records]
        disk.replace(segment.path, segment_bytes(key, records))


def _with_restored(segment: Segment, record: JournalRecord) -> JournalRecord:
    try:
        batch = cbor.decode(record.payload, limit=MAX_PAYLOAD)
    except MalformedData:
        batch = None
    if type(batch) is not list or len(batch) not in (FIELDS_BEFORE, FIELDS_AFTER):
        raise Damaged(f"journal/{segment.path.name} holds record {record.index} of another form")
    if len(batch) == FIELDS_BEFORE:
        batch.append(None)
    return JournalRecord(record.index, cbor.encode(batch))
