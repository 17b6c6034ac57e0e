"""A disk full or read-only: reads go on, nothing is lost, commits come back by themselves."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_msg.ledger.transaction import Put, StorageFailed, StorageFull, Transaction
from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from secure_msg.store.verify import verify
from tests.store.contract import ALICE, OTHER, PATH, THREAD, audit, ident, message, opened
from tests.store.house import FileHouse, WatchedDisk, failure, unflushed
from tests.store.test_store_crash import SCRIPT, expected_states, seen
from tests.support.effort import amount, fresh_seed

OPENING = ("open_append", "write_file", "patch_file")
GROWING = ("write_all", "make_folder", "rename")
PATIENCE_SECONDS = 60.0


class FullDisk(WatchedDisk):
    """From step `begins` on every write fails with `number`, until `full` is set to False.

    A full one opens what is there and writes half of what it gets; a read-only one does not.
    """

    def __init__(self, number: int = errno.ENOSPC, begins: int | None = None) -> None:
        super().__init__()
        self.number = number
        self.begins = begins
        self.full = False
        self.room = 1 << 40
        self.armed = True

    def free(self, path: Path) -> int:
        return self.room

    def _step(self, name: str, *arguments: Any) -> Any:
        with self.lock:
            reached = self.begins is not None and len(self.steps) >= self.begins
            if self.armed and reached:
                self.full, self.armed = True, False
            if self.full and self._refuses(name, arguments):
                self.steps.append(name)
                if name == "write_all" and self.number != errno.EROFS:
                    descriptor, data, offset = arguments
                    Disk.write_all(self, descriptor, data[: len(data) // 2], offset)
                raise failure(name, self.number)
            return super()._step(name, *arguments)

    def _refuses(self, name: str, arguments: tuple[Any, ...]) -> bool:
        if self.number == errno.EROFS:
            return not name.startswith("sync")
        if name in OPENING:
            return not arguments[0].exists()
        return name in GROWING


class UntoldDisk(Disk):
    """Fails when it is asked what is free."""

    number = errno.EIO

    def free(self, path: Path) -> int:
        raise OSError(self.number, "not told")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FileHouse]:
    house = FileHouse(tmp_path / "storage")
    yield house
    house.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refused(store: FileStore) -> None:
    with pytest.raises(StorageFull):
        store.commit(opened(ident("another")))
    assert store.condition == "full"


def whole(house: FileHouse, store: FileStore) -> None:
    """What is served is right, and so is every file after a restart."""
    audit(store, house.identity)
    house.close()
    report = verify(house.root, house.keys)
    assert report.clean, [one.sentence() for one in report.damage]
    audit(house.open(), house.identity)


def test_no_room_from_any_step_on_and_room_again_later(tmp_path: Path) -> None:
    """The script goes on where it stood, as if nothing had been: nothing lost, nothing doubled."""
    states = expected_states(tmp_path)
    rng = random.Random(fresh_seed("no room"))
    steps = count_steps(tmp_path / "count")
    assert steps > 100
    chosen = sorted(rng.sample(range(steps), amount(24, steps)))
    times = 0
    for at in chosen:
        number = rng.choice((errno.ENOSPC, errno.EDQUOT, errno.EROFS))
        house = FileHouse(tmp_path / f"at-{at}")
        times += run_without_room(house, states, at, number)
    assert times > len(chosen) // 2


def count_steps(root: Path) -> int:
    house = FileHouse(root)
    disk = FullDisk()
    store = house.open(disk)
    first = len(disk.steps)
    for step in SCRIPT:
        step(store)
    steps = len(disk.steps) - first
    house.close()
    return steps


def run_without_room(
    house: FileHouse, states: list[tuple[object, ...]], at: int, number: int
) -> int:
    """Run the script over a disk that fills up at step `at`; how often a step was refused."""
    disk = FullDisk(number)
    store = house.open(disk)
    disk.begins = len(disk.steps) + at
    times = 0
    for done, step in enumerate(SCRIPT):
        try:
            step(store)
        except StorageFull:
            times += 1
            assert seen(store) in states[done : done + 2], at
            refused(store)
            assert seen(store) in states[done : done + 2], at
            disk.full = False
            store.flush()
            store.tick(house.clock())
            assert store.condition == "ok"
            step(store)
        assert seen(store) == states[done + 1], at
    disk.full = False
    store.flush()
    assert store.condition == "ok"
    whole(house, store)
    return times


def test_a_half_written_record_is_cut_before_the_next_one(house: FileHouse) -> None:
    disk = FullDisk()
    store = house.open(disk)
    store.commit(opened())
    disk.full = True
    for _ in range(3):
        with pytest.raises(StorageFull):
            store.commit(Transaction((message(b"refused" * 100),)))
    assert store.head(THREAD).size == 1
    disk.full = False
    store.commit(Transaction((message(b"taken"),)))
    with unflushed(store):
        killed = house.copy(house.root.with_name("killed"))
    after = killed.open()
    assert [one.body for one in after.entries(THREAD, 1, 9)] == [b"taken"]
    whole(killed, after)
    killed.close()


def test_a_half_written_record_that_cannot_be_cut_ends_it_all(house: FileHouse) -> None:
    disk = FullDisk()
    store = house.open(disk)
    store.commit(opened())

    def uncut(number: int, name: str) -> None:
        if name == "cut_open":
            raise failure(name, errno.EIO)

    disk.full, disk.before = True, uncut
    with pytest.raises(StorageFailed):
        store.commit(Transaction((message(b"half"),)))
    disk.full = False
    with pytest.raises(StorageFailed):
        store.commit(Transaction((message(b"later"),)))
    assert store.condition == "read-only"
    assert store.head(THREAD).size == 1
    disk.before = lambda number, name: None
    house.close()
    whole(house, house.open())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_sync_that_fails_is_final_whatever_it_says(house: FileHouse, number: int) -> None:
    """A disk that gives its room late says so at the sync: what was written may be gone."""
    disk = WatchedDisk()
    store = house.open(disk)
    store.commit(opened())

    def fail(_: int, name: str) -> None:
        if name == "sync_data":
            raise failure(name, number)

    disk.before = fail
    with pytest.raises(StorageFailed):
        store.commit(Transaction((message(b"lost"),)))
    disk.before = lambda _, name: None
    with pytest.raises(StorageFailed):
        store.commit(Transaction((message(b"later"),)))
    assert store.condition == "read-only"


def test_commits_leave_the_floor_free_and_come_back_by_themselves(house: FileHouse) -> None:
    disk = FullDisk()
    store = house.open(disk, floor=1 << 20)
    store.commit(opened())
    store.flush()
    steps = len(disk.steps)
    disk.room = (1 << 20) + 100
    refused(store)
    assert len(disk.steps) == steps
    assert store.entries(THREAD, 0, 9)[0].body == b"members"
    disk.room = 1 << 30
    until(lambda: store.condition == "ok")
    store.commit(Transaction((message(b"again"),)))
    whole(house, store)


def test_a_disk_that_does_not_tell_what_is_free_is_written_to(house: FileHouse) -> None:
    disk = UntoldDisk()
    store = house.open(disk, floor=1 << 20)
    store.commit(opened())
    assert store.condition == "ok"
    disk.number = errno.EROFS
    refused(store)


def test_what_waits_for_the_flush_counts_for_the_floor(house: FileHouse) -> None:
    """A record that the journal would still take, but not the files after it, is refused."""
    disk = FullDisk()
    disk.room = 3 << 20
    store = house.open(disk, floor=1 << 20)
    store.commit(opened())
    with pytest.raises(StorageFull):
        store.commit(Transaction(puts=(Put(ALICE, PATH, 0, bytes(1 << 20)),)))
    store.commit(Transaction(puts=(Put(ALICE, PATH, 0, bytes(1000)),)))


def test_a_flush_that_finds_no_room_holds_commits_and_is_done_later(house: FileHouse) -> None:
    disk = FullDisk()
    store = house.open(disk)
    store.commit(opened())
    store.commit(Transaction((message(b"m"),), (Put(ALICE, PATH, 0, b"blob"),)))
    disk.full = True
    with pytest.raises(StorageFull):
        store.flush()
    refused(store)
    found = store.private(ALICE, PATH)
    assert found is not None
    assert found.blob == b"blob"
    disk.full = False
    until(lambda: store.condition == "ok")
    store.commit(Transaction((message(b"n"),), (Put(ALICE, PATH, 1, b"newer"),)))
    store.flush()
    whole(house, store)


def test_a_start_on_a_full_disk_serves_what_is_there(house: FileHouse) -> None:
    store = house.open()
    store.commit(opened())
    store.commit(Transaction((message(b"kept"),), (Put(ALICE, PATH, 0, b"first"),)))
    store.flush()
    store.commit(Transaction(puts=(Put(ALICE, PATH, 1, b"second"), Put(ALICE, OTHER, 0, b"o"))))
    with unflushed(store):
        killed = house.copy(house.root.with_name("killed"))
    disk = FullDisk()
    disk.full = True
    after = killed.open(disk)
    assert after.condition == "full"
    found = after.private(ALICE, PATH)
    assert found is not None
    assert found.blob == b"second"
    audit_reads(after)
    refused(after)
    disk.full = False
    until(lambda: after.condition == "ok")
    after.commit(Transaction((message(b"more"),)))
    after.flush()
    after.tick(killed.clock())
    whole(killed, after)
    blobs = [path.name for path in killed.root.glob("local/*/*.*") if len(path.stem) == 64]
    assert sorted(blobs) == sorted([f"{PATH.hex()}.2", f"{OTHER.hex()}.1"])
    killed.close()


def audit_reads(store: FileStore) -> None:
    assert [one.body for one in store.entries(THREAD, 0, 9)] == [b"members", b"kept"]
    store.receipt(THREAD, 1)
    store.head_proof(THREAD)
    assert store.checkpoint()


def test_a_new_folder_on_a_full_disk_is_refused(house: FileHouse) -> None:
    disk = FullDisk()
    disk.room = 100
    with pytest.raises(StorageFull):
        house.open(disk, floor=1 << 20)
    audit(house.open(), house.identity)
