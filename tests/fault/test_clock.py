"""A clock that jumps: times never go back, nothing is refused, idle leaves come as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_msg.ledger.chain import read_header
from secure_msg.ledger.transaction import Transaction
from secure_msg.store.verify import verify
from tests.store.contract import START, THREAD, audit, message, opened
from tests.store.house import FileHouse

HOUR = 3600 * 1000
YEAR = 365 * 24 * HOUR


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FileHouse]:
    house = FileHouse(tmp_path / "storage")
    yield house
    house.close()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("jump", [YEAR, -YEAR, 7 * HOUR, -7 * HOUR, 1 - START])
def test_a_clock_that_jumps_changes_no_order(house: FileHouse, jump: int, restarted: bool) -> None:
    store = house.open()
    store.commit(opened())
    for moment in (START + jump, START + jump + 5, START, START + 7):
        house.clock.now = moment
        if restarted:
            store = house.open()
        store.commit(Transaction((message(b"at %d" % moment),)))
    times = [read_header(entry.header).time for entry in store.entries(THREAD, 0, 9)]
    assert times == sorted(times)
    assert times[0] == START
    assert max(times) == max(START + 7, START + jump + 5)
    audit(store, house.identity)
    house.close()
    report = verify(house.root, house.keys)
    assert report.clean, [one.sentence() for one in report.damage]
    audit(house.open(), house.identity)


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_after_a_jump_a_timed_leaf_comes_every_six_hours_again(house: FileHouse, jump: int) -> None:
    """A clock set back is held: else a leaf would come each second then, or none for years."""
    store = house.open()
    house.clock.now = START + jump
    store.commit(opened())
    for begin in (START + jump, START, START + jump):
        size = store.stats().log_size
        for minutes in range(0, 24 * 60, 10):
            house.clock.now = begin + minutes * 60_000
            store.tick(house.clock.now)
        assert store.stats().log_size - size in (3, 4)
    audit(store, house.identity)
