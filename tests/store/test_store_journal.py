"""The journal alone: torn tails at every byte, and damage that is not one."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import Disk
from secure_msg.store.journal import HEADER_SIZE, SEGMENT_MAGIC, Journal

KEY = b"k" * 32
PAYLOADS = [b"first", b"second, longer", b"third " * 9]


def written(folder: Path) -> Path:
    folder.mkdir()
    journal = Journal(folder, KEY, Disk())
    for index, payload in enumerate(PAYLOADS):
        journal.append(index, payload)
    journal.close()
    return folder / "00000001"


def found(folder: Path) -> list[bytes]:
    journal = Journal(folder, KEY, Disk())
    records = [record.payload for record in journal.records()]
    journal.append(len(records), b"goes on")
    journal.close()
    again = [record.payload for record in Journal(folder, KEY, Disk()).records()]
    assert again == [*records, b"goes on"]
    return records


def test_a_tail_torn_at_any_byte_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    data = path.read_bytes()
    last = len(data) - HEADER_SIZE - len(PAYLOADS[-1])
    for end in range(last, len(data)):
        for tail in (b"", bytes(100)):
            path.write_bytes(data[:end] + tail)
            for later in path.parent.glob("0000000[2-9]"):
                later.unlink()
            assert found(path.parent) == PAYLOADS[:2]


def test_a_segment_torn_before_its_first_record_is_empty(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    for end in range(len(SEGMENT_MAGIC) + HEADER_SIZE):
        path.write_bytes(path.read_bytes()[:end])
        for later in path.parent.glob("0000000[2-9]"):
            later.unlink()
        assert found(path.parent) == []


def test_a_changed_bit_anywhere_names_file_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    data = path.read_bytes()
    starts = [0, len(SEGMENT_MAGIC)]
    for payload in PAYLOADS[:-1]:
        starts.append(starts[-1] + HEADER_SIZE + len(payload))
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        begin = max(start for start in starts if start <= position)
        with pytest.raises(Damaged, match=f"00000001 is damaged from byte {begin} on"):
            Journal(path.parent, KEY, Disk())
        assert path.read_bytes() == damaged


def test_damage_in_an_older_segment_is_not_a_torn_tail(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    journal = Journal(path.parent, KEY, Disk())
    journal.append(3, b"in the next segment")
    journal.close()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged, match="00000001"):
        Journal(path.parent, KEY, Disk())


def test_a_missing_segment_is_a_gap(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    for index in (3, 4):
        journal = Journal(path.parent, KEY, Disk())
        journal.append(index, b"more")
        journal.close()
    (path.parent / "00000002").unlink()
    with pytest.raises(Damaged, match="record 4 where 3 should stand"):
        Journal(path.parent, KEY, Disk())


def test_a_sector_that_was_never_written_is_a_torn_tail(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    journal = Journal(path.parent, KEY, Disk())
    journal.append(3, b"x" * 3000)
    journal.close()
    path = path.with_name("00000002")
    data = path.read_bytes()
    for sector in range(0, len(data), 512):
        path.write_bytes(data[:sector] + bytes(512) + data[sector + 512 :])
        assert len(list(Journal(path.parent, KEY, Disk()).records())) == 3


def test_a_first_sector_of_zeros_before_a_good_record_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    journal = Journal(path.parent, KEY, Disk())
    for index in (3, 4):
        journal.append(index, b"x" * 600)
    journal.close()
    path = path.with_name("00000002")
    path.write_bytes(bytes(512) + path.read_bytes()[512:])
    with pytest.raises(Damaged, match="00000002 is damaged from byte 0 on"):
        Journal(path.parent, KEY, Disk())


def test_records_under_another_key_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    with pytest.raises(Damaged):
        Journal(path.parent, b"x" * 32, Disk())


def test_dropped_segments_are_gone(tmp_path: Path) -> None:
    path = written(tmp_path / "journal")
    journal = Journal(path.parent, KEY, Disk())
    number = journal.rotate()
    journal.append(3, b"kept")
    journal.drop_before(number)
    journal.close()
    assert [one.payload for one in Journal(path.parent, KEY, Disk()).records()] == [b"kept"]
    assert not path.exists()


@pytest.mark.parametrize("before", [1, 2, 3, 4, 511])
@pytest.mark.parametrize("after", [1, 2, 3, 4, 511])
def test_a_sector_of_which_a_record_has_little_is_a_torn_tail_too(
    tmp_path: Path, before: int, after: int
) -> None:
    """A record may begin or end within a few bytes of a sector's edge."""
    folder = tmp_path / "journal"
    folder.mkdir()
    begin = 3 * 512 - before
    journal = Journal(folder, KEY, Disk())
    journal.append(0, bytes(begin - len(SEGMENT_MAGIC) - HEADER_SIZE - 1) + b"\xf6")
    journal.append(1, b"x" * (4 * 512 + after - begin - HEADER_SIZE))
    journal.close()
    path = folder / "00000001"
    data = path.read_bytes()
    assert len(data) == 4 * 512 + after
    for start, end in ((begin, 3 * 512), (3 * 512, 4 * 512), (4 * 512, 4 * 512 + after)):
        path.write_bytes(data[:start] + bytes(end - start) + data[end:])
        found = Journal(folder, KEY, Disk())
        assert [one.index for one in found.records()] == [0]
        found.close()
