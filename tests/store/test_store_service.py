"""The store at work: groups, idle leaves, bounds, and many leaves, chains and folders."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from secure_msg.ledger.chain import Head
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.log import LogLeaf
from secure_msg.ledger.receipt import verify_receipt
from secure_msg.ledger.transaction import (
    Append,
    Busy,
    Conflict,
    Damaged,
    Put,
    StorageFailed,
    Transaction,
)
from secure_msg.store.observer import BatchReport, FlushReport
from secure_msg.store.records import MAX_IN_BATCH
from secure_msg.store.requests import MAX_OPERATIONS, checked_request
from secure_msg.store.sequencer import BATCH_LIMIT, QUEUE_LIMIT, Request, Sequencer
from tests.store.contract import ALICE, PATH, START, THREAD, audit, ident, message, opened
from tests.store.house import FileHouse, UnsyncedDisk

HOUR = 3600 * 1000


class Reports:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.batches: list[BatchReport] = []
        self.flushes: list[FlushReport] = []

    def committed(self, report: BatchReport) -> None:
        self.batches.append(report)

    def flushed(self, report: FlushReport) -> None:
        self.flushes.append(report)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FileHouse]:
    house = FileHouse(tmp_path / "storage")
    yield house
    house.close()


def test_the_observer_is_told_of_each_batch_and_flush(house: FileHouse) -> None:
    told = Reports()
    store = house.open(observer=told)
    del told.batches[:], told.flushes[:]
    store.commit(opened())
    store.commit(Transaction((message(b"m" * 1000),), (Put(ALICE, PATH, 0, b"b" * 2000),)))
    with pytest.raises(Conflict):
        store.commit(Transaction((Append(THREAD, "message", b"", expected_size=9),)))
    assert [(one.transactions, one.entries) for one in told.batches] == [(1, 1), (1, 2)]
    assert all(one.fdatasync > 0 and one.signature > 0 for one in told.batches)
    store.flush()
    # The flush of a slow machine's background may have come first.
    assert all(one.seconds > 0 for one in told.flushes)
    assert sum(one.bytes for one in told.flushes) > 3000


def test_what_waits_while_one_batch_becomes_durable_is_one_batch(house: FileHouse) -> None:
    """32 senders behind one slow fdatasync: their commits share the next one, and its leaf."""
    inside, go_on = threading.Event(), threading.Event()
    slow = threading.Event()

    def offload(work: Callable[[], Any]) -> Any:
        if slow.is_set():
            slow.clear()
            inside.set()
            assert go_on.wait(10)
        return work()

    store = house.open(offload=offload)
    for number in range(33):
        store.commit(opened(ident(str(number))))
    before = store.stats()
    slow.set()
    with ThreadPoolExecutor(33) as pool:

        def send(number: int) -> int:
            append = Append(ident(str(number)), "message", b"m", expected_size=1)
            return store.commit(Transaction((append,))).log_index

        first = pool.submit(send, 32)
        assert inside.wait(10)
        others = [pool.submit(send, number) for number in range(32)]
        while store.stats().waiting < 32:
            pass
        go_on.set()
        indices = {one.result() for one in others}
        assert first.result() not in indices
    assert len(indices) == 1
    assert store.stats().batches == before.batches + 2
    for number in range(33):
        receipt = store.receipt(ident(str(number)), 1)
        found = verify_receipt(receipt, house.identity.public, house.identity.origin)
        assert found.head == Head(2, store.head(ident(str(number))).root)


def test_a_refused_transaction_affects_no_other_of_its_batch(house: FileHouse) -> None:
    store = house.open()
    store.commit(opened())

    def send(number: int) -> bool:
        try:
            store.commit(
                Transaction(
                    (message(b"%d" % number),), (Put(ALICE, PATH, number % 2 * 7, b"blob"),)
                )
            )
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(send, range(64)))
    assert sum(done) == 1
    assert store.head(THREAD).size == 2
    audit(store, house.identity)


def test_later_transactions_of_a_batch_see_earlier_ones(house: FileHouse) -> None:
    store = house.open()
    store.commit(opened())
    with ThreadPoolExecutor(32) as pool:
        placed = list(
            pool.map(lambda n: store.commit(Transaction((message(b"%d" % n),))), range(200))
        )
    assert sorted(one.placed[0].sequence for one in placed) == list(range(1, 201))
    assert store.stats().batches < 200
    audit(store, house.identity)


def test_readers_never_see_what_is_not_durable(house: FileHouse) -> None:
    seen: list[int] = []
    watched: list[Callable[[], int]] = []

    def offload(work: Callable[[], Any]) -> Any:
        seen.extend(look() for look in watched)
        result = work()
        seen.extend(look() for look in watched)
        return result

    store = house.open(offload=offload)
    store.commit(opened())
    watched.append(lambda: store.head(THREAD).size)
    store.commit(Transaction((message(b"x"),)))
    watched.clear()
    assert set(seen[:2]) == {1}
    assert store.head(THREAD).size == 2


def test_an_idle_server_commits_a_timed_leaf_every_six_hours_and_at_start(house: FileHouse) -> None:
    store = house.open()
    assert store.stats().log_size == 2
    house.clock.now = START + 6 * HOUR - 1
    assert not store.tick(house.clock.now)
    house.clock.now += 1
    assert store.tick(house.clock.now)
    assert store.stats().log_size == 3
    leaf = store.ledger_file("tile/entries/000.p/3")
    assert leaf is not None
    found = LogLeaf.from_bytes(leaf[-80:])
    assert (found.time, found.touched_root) == (START + 6 * HOUR, bytes(32))
    assert house.open().stats().log_size == 4


def test_the_log_over_many_tiles_survives_damage_of_its_newest_ones(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open(UnsyncedDisk())
    store.commit(opened())
    while store.stats().log_size < 600:
        store.commit(Transaction((message(b"m"),)))
        if store.stats().log_size in (200, 250, 256, 570):
            store.flush()
    audit(store, house.identity)
    older = store.ledger_file("tile/0/002.p/17")
    assert older == (store.ledger_file("tile/0/002.p/80") or b"")[: 17 * 32]
    house.close()
    size = verify_checkpoint(
        (house.root / "ledger" / "checkpoint").read_bytes(),
        house.identity.origin,
        house.identity.public,
    ).size
    tiles = house.root / "ledger" / "tile"
    partial = sorted(path.relative_to(tiles).as_posix() for path in tiles.rglob("*.p/*"))
    width = size % 256
    assert partial == [f"0/002.p/{width}", "1/000.p/2", f"entries/002.p/{width}"]
    for name in (f"0/002.p/{width}", "1/000.p/2"):
        (tiles / name).write_bytes(b"")
    audit(house.open(UnsyncedDisk()), house.identity)
    house.close()


def test_a_damaged_full_tile_is_not_served_and_the_rest_is(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open(UnsyncedDisk())
    store.commit(opened())
    for _ in range(520):
        store.commit(Transaction((message(b"m"),)))
    store.flush()
    for name in ("0/000", "entries/001"):
        path = house.root / "ledger" / "tile" / name
        data = path.read_bytes()
        path.write_bytes(data[:99] + bytes([data[99] ^ 1]) + data[100:])
    for path in ("tile/0/000", "tile/entries/000", "tile/entries/001", "tile/0/000.p/5"):
        with pytest.raises(Damaged):
            store.ledger_file(path)
    for path in ("tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/5", "checkpoint"):
        assert store.ledger_file(path)
    house.close()


def test_lost_entries_of_the_newest_bundle_leave_a_hole_that_is_not_served(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    store.commit(opened())
    house.close()
    [path] = (house.root / "ledger" / "tile" / "entries").glob("*.p/*")
    path.write_bytes(b"")
    store = house.open()
    with pytest.raises(Damaged, match="lost entries"):
        store.ledger_file(f"tile/entries/000.p/{store.stats().log_size}")
    assert store.ledger_file(f"tile/0/000.p/{store.stats().log_size}")
    store.commit(Transaction((message(b"life goes on"),)))
    house.close()
    assert house.open().head(THREAD).size == 2
    house.close()


def test_many_folders_beyond_those_kept_in_memory(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open(UnsyncedDisk())
    owners = [ident(f"owner {number}") for number in range(40)]
    store._folders._keep = 4
    for version in range(3):
        for owner in owners:
            store.commit(Transaction(puts=(Put(owner, PATH, version, owner[:9]),)))
        store.flush()
    for owner in owners:
        found = store.private(owner, PATH)
        assert found is not None
        assert (found.version, found.blob) == (3, owner[:9])
    house.close()


def test_a_full_queue_is_busy_and_a_stopped_one_fails() -> None:
    go_on = threading.Event()
    sizes: list[int] = []

    def process(batch: list[Request]) -> None:
        assert go_on.wait(10)
        sizes.append(len(batch))
        for request in batch:
            request.done.set_result(None)  # type: ignore[arg-type]

    sequencer = Sequencer(process)
    sequencer.start()
    requests = [Request(Transaction(), 0) for _ in range(QUEUE_LIMIT + BATCH_LIMIT + 1)]

    def submit_all() -> None:
        for request in requests:
            sequencer.submit(request)
            accepted.append(request)

    accepted: list[Request] = []
    with pytest.raises(Busy):
        submit_all()
    go_on.set()
    for request in accepted:
        request.done.result(10)
    assert max(sizes) <= BATCH_LIMIT
    sequencer.stop()
    with pytest.raises(StorageFailed):
        sequencer.submit(Request(Transaction(), 0))


def test_a_batch_of_many_small_operations_fits_into_one_record() -> None:
    """Empty files weigh nothing, and a record holds so many operations and no more."""
    sizes = []

    def process(batch: list[Request]) -> None:
        sizes.append(sum(len(one.transaction.puts) for one in batch))
        for request in batch:
            request.done.set_result(None)  # type: ignore[arg-type]

    sequencer = Sequencer(process)
    empty = Transaction(puts=(Put(ALICE, PATH, 0, b""),) * MAX_OPERATIONS)
    requests = [checked_request(empty) for _ in range(2 * MAX_IN_BATCH // MAX_OPERATIONS)]
    for request in requests:
        sequencer.submit(request)
    sequencer.start()
    for request in requests:
        request.done.result(10)
    sequencer.stop()
    assert sum(sizes) == 2 * MAX_IN_BATCH
    assert max(sizes) <= MAX_IN_BATCH


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_ever_when_the_committer_breaks() -> None:
    def process(batch: list[Request]) -> None:
        raise RuntimeError("a bug")

    sequencer = Sequencer(process)
    request = Request(Transaction(), 0)
    sequencer.submit(request)
    sequencer.start()
    with pytest.raises(StorageFailed):
        request.done.result(10)
    with pytest.raises(StorageFailed):
        sequencer.submit(Request(Transaction(), 0))
    sequencer.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_ever_when_what_comes_between_breaks() -> None:
    def work() -> None:
        raise RuntimeError("a bug")

    sequencer = Sequencer(lambda batch: None)
    done = sequencer.run_between(work)
    request = Request(Transaction(), 0)
    sequencer.submit(request)
    sequencer.start()
    with pytest.raises(StorageFailed):
        done.result(10)
    with pytest.raises(StorageFailed):
        request.done.result(10)
    sequencer.stop()


def test_commits_wait_while_too_much_is_unflushed(
    house: FileHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_msg.store.background.UNFLUSHED_LIMIT", 100_000)
    monkeypatch.setattr("secure_msg.store.background.FLUSH_BYTES", 100_000)
    store = house.open()
    store.commit(opened())
    for _ in range(20):
        store.commit(Transaction((message(bytes(50_000)),)))
        assert store.stats().unflushed_bytes < 200_000
    assert store.stats().flushes > 5


def test_folders_that_were_forgotten_are_read_again(house: FileHouse) -> None:
    store = house.open()
    store._folders._keep = 12
    people = [ident(f"person {n}") for n in range(9)]
    held = {}
    for version in range(4):
        for person in people:
            for name in ("first", "second")[: 1 + version % 2]:
                path = ident(name)
                expected = held.get((person, path), (0, b""))[0]
                blob = f"{version} {name}".encode()
                store.commit(Transaction(puts=(Put(person, path, expected, blob),)))
                held[person, path] = (expected + 1, blob)
            assert len(store._folders._cache) <= 6
        if version == 1:
            store.flush()
    for (person, path), (number, blob) in held.items():
        found = store.private(person, path)
        assert found is not None
        assert (found.version, found.blob) == (number, blob)
    with pytest.raises(Conflict):
        store.commit(Transaction(puts=(Put(people[0], ident("first"), 1, b"stale"),)))
