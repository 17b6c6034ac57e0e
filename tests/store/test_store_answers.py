"""No answer, a refusal neither, tells of what a crash can still take back; all waiting ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_msg.ledger.transaction import Conflict, Put, Transaction
from secure_msg.store.requests import checked_request
from secure_msg.store.sequencer import Request, Sequencer, fail
from tests.store.contract import ALICE, PATH, opened
from tests.store.house import FileHouse, UnsyncedDisk


class HeldDisk(UnsyncedDisk):
    """While `hold` is set, a batch that comes to its sync says so and waits."""

    def __init__(self) -> None:
        self.hold = False
        self.reached = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def sync_data(self, descriptor: int) -> None:
        if self.hold and threading.current_thread().name == "committer":
            self.reached.release()
            self.go_on.acquire()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FileHouse]:
    house = FileHouse(tmp_path / "storage")
    yield house
    house.close()


def swap(content: bytes) -> Request:
    return checked_request(Transaction(puts=(Put(ALICE, PATH, 0, content),)))


def test_a_refusal_waits_for_what_it_follows_from(house: FileHouse) -> None:
    """Of two compare-and-swaps in one batch the loser learns of the winner only once it is durable.

    A history that was found by tests/sim: the loser's refusal had been sent before the fdatasync,
    the store was killed, and afterwards nobody had won.
    """
    disk = HeldDisk()
    store = house.open(disk)
    earlier = checked_request(opened())
    winner, loser = swap(b"winner"), swap(b"loser")
    disk.hold = True
    store._sequencer.submit(earlier)
    disk.reached.acquire()
    # What comes while a batch is under way makes the next one, together.
    store._sequencer.submit(winner)
    store._sequencer.submit(loser)
    disk.go_on.release()
    disk.reached.acquire()
    answered = [one.done.settled for one in (earlier, winner, loser)]
    disk.hold = False
    disk.go_on.release()
    assert answered == [True, False, False]
    assert winner.done.result().versions == (1,)
    with pytest.raises(Conflict):
        loser.done.result()


def test_a_store_that_fails_while_it_is_stopped_ends() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def process(batch: list[Request]) -> None:
        inside.set()
        assert go_on.wait(10)
        sequencer.refuse()
        fail(batch)

    sequencer = Sequencer(process)
    sequencer.start()
    sequencer.submit(Request(Transaction(), 0))
    assert inside.wait(10)
    stopping = threading.Thread(target=sequencer.stop, daemon=True)
    stopping.start()
    while not sequencer.waiting():
        pass
    go_on.set()
    stopping.join(10)
    assert not stopping.is_alive()
