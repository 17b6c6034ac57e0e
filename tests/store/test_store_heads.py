"""The two copies of the heads: what one lost the other has, and what a crash may leave of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_msg.ledger import merkle
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import Disk
from secure_msg.store.heads import HeadsFile
from secure_msg.store.records import HeadRecord, MarkRecord, NameRecord
from tests.store.contract import ALICE, ident


def record_of(number: int) -> HeadRecord:
    leaf = merkle.leaf_hash(b"%d" % number)
    return HeadRecord(ident(str(number % 50)), None, 1, (leaf,), leaf, b"label", "opened")


def test_heads_are_compacted_and_keep_their_order(tmp_path: Path) -> None:
    paths = (tmp_path / "heads", tmp_path / "heads.copy")
    file = HeadsFile(paths, b"k" * 32, Disk())
    file.load()
    for number in range(200):
        mark = MarkRecord(number + 1, (), b"", (), number)
        file.append([record_of(number), NameRecord(f"name {number % 7}", ALICE)], mark)
    file.close()
    size = paths[0].stat().st_size
    found = HeadsFile(paths, b"k" * 32, Disk()).load()
    assert found.mark.log_size == 200
    assert found.heads == {record_of(n).chain: record_of(n) for n in range(150, 200)}
    assert size > 3 * found.live_bytes > 0
    file = HeadsFile(paths, b"k" * 32, Disk())
    file.load()
    file.rewrite(found.live(), found.mark)
    file.append([record_of(0)], MarkRecord(201, (), b"", (), 201))
    file.close()
    assert paths[0].stat().st_size < size / 3
    again = HeadsFile(paths, b"k" * 32, Disk()).load()
    assert again.heads == found.heads | {record_of(0).chain: record_of(0)}
    assert again.names == found.names


class DyingDisk(Disk):
    """Dies before the rename that comes after so many others."""

    def __init__(self, renames: int) -> None:
        self.renames = renames

    def rename(self, old: Path, new: Path) -> None:
        if not self.renames:
            raise SystemExit
        self.renames -= 1
        super().rename(old, new)


def test_heads_outlive_a_crash_between_the_copies_and_another_at_the_start(tmp_path: Path) -> None:
    """Appended to one copy alone, then written again in one place alone: nothing is missing."""
    paths = (tmp_path / "heads", tmp_path / "heads.copy")
    file = HeadsFile(paths, b"k" * 32, Disk())
    file.load()
    for number in range(3):
        shorter = paths[1].read_bytes()
        file.append([record_of(number)], MarkRecord(number + 1, (), b"", (), number))
    file.close()
    paths[1].write_bytes(shorter)
    with pytest.raises(SystemExit):
        HeadsFile(paths, b"k" * 32, DyingDisk(1)).load()
    found = HeadsFile(paths, b"k" * 32, Disk()).load()
    assert found.mark.log_size == 3
    assert found.heads == {record_of(n).chain: record_of(n) for n in range(3)}
    assert paths[0].read_bytes() == paths[1].read_bytes()


def records_of(data: bytes) -> list[bytes]:
    found, position = [], 8
    while position < len(data):
        end = position + 28 + int.from_bytes(data[position : position + 4], "big")
        found.append(data[position:end])
        position = end
    return found


def test_attack_17_heads_records_taken_out_moved_or_repeated_change_nothing(tmp_path: Path) -> None:
    paths = (tmp_path / "heads", tmp_path / "heads.copy")
    file = HeadsFile(paths, b"k" * 32, Disk())
    file.load()
    for number in range(5):
        file.append([record_of(number)], MarkRecord(number + 1, (), b"", (), number))
    file.close()
    data = paths[0].read_bytes()
    whole = HeadsFile(paths, b"k" * 32, Disk()).load()
    records = records_of(data)
    moved = [*records[:3], records[5], records[4], records[3], *records[6:]]
    repeated = [*records, records[3], records[4]]
    for changed in (moved, repeated):
        for path in paths:
            path.write_bytes(data[:8] + b"".join(changed))
        found = HeadsFile(paths, b"k" * 32, Disk()).load()
        assert (found.heads, found.mark) == (whole.heads, whole.mark)
    for path in paths:
        path.write_bytes(data[:8] + b"".join(records[:5] + records[6:]))
    with pytest.raises(Damaged, match="ledger/heads"):
        HeadsFile(paths, b"k" * 32, Disk()).load()


def test_a_mark_that_came_without_its_batch_does_not_count(tmp_path: Path) -> None:
    """Sectors of one write reach the disk in any order: the mark's, and not those before it."""
    paths = (tmp_path / "heads", tmp_path / "heads.copy")
    file = HeadsFile(paths, b"k" * 32, Disk())
    file.load()
    for number in range(3):
        before = [path.read_bytes() for path in paths]
        lines = [record_of(10 * number + one) for one in range(4)]
        file.append(lines, MarkRecord(number + 1, (), b"", (), number))
    file.close()
    *others, first, second, _, _, mark = records_of(paths[0].read_bytes())
    torn = before[0] + first + bytes(len(second)) + mark
    for one, other in ((torn, before[1]), (before[0], torn), (torn, torn)):
        for path, data in zip(paths, (one, other), strict=True):
            path.write_bytes(data)
        found = HeadsFile(paths, b"k" * 32, Disk()).load()
        assert found.mark.log_size == 2
        assert record_of(20).chain not in found.heads
        assert len(found.heads) == 8
        again = HeadsFile(paths, b"k" * 32, Disk()).load()
        assert (again.heads, again.mark) == (found.heads, found.mark)
    # A record of an older batch is never missing by a crash alone.
    for path in paths:
        path.write_bytes(torn[:8] + b"".join([*others[:6], *others[7:]]) + first + mark)
    with pytest.raises(Damaged, match="ledger/heads"):
        HeadsFile(paths, b"k" * 32, Disk()).load()
