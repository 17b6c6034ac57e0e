"""What an operation costs does not grow with the past: counted in bytes and hashes, not seconds.

The full sizes are tools/bench_scale.py, for `make bench`.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_msg.ledger import merkle
from secure_msg.ledger.transaction import Append, NameClaim, Put, Transaction
from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from tests.store.contract import ident
from tests.store.house import FileHouse, UnsyncedDisk, WatchedDisk

SHORT, LONG, EMPTY, ONE = ident("short"), ident("long"), ident("empty"), ident("one")
LENGTHS = {SHORT: 700, LONG: 20_000, EMPTY: 1}
PAGE = 100
AT_ONCE = 1_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FileHouse]:
    house = FileHouse(tmp_path / "storage")
    yield house
    house.close()


@pytest.fixture(scope="module")
def long_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileHouse]:
    """A folder with a short, a long and an empty chain, closed."""
    house = FileHouse(tmp_path_factory.mktemp("long") / "storage")
    store = house.open()
    for chain, length in LENGTHS.items():
        grow(store, chain, length)
    house.close()
    yield house
    house.close()


def text(chain: bytes) -> Append:
    return Append(chain, "message", b"a message's body")


def grow(store: FileStore, chain: bytes, length: int) -> None:
    store.commit(Transaction((Append(chain, "opened", b"", label=bytes(64)),)))
    for first in range(1, length, AT_ONCE):
        count = min(AT_ONCE, length - first)
        store.commit(Transaction(tuple(text(chain) for _ in range(count))))


def bytes_read(work: Callable[[], object]) -> int:
    """What this thread reads in system calls."""

    def so_far() -> int:
        line = Path("/proc/thread-self/io").read_text(encoding="ascii").splitlines()[0]
        return int(line.removeprefix("rchar: "))

    itself = so_far()
    itself = so_far() - itself
    before = so_far()
    work()
    return so_far() - before - itself


class Hashes:
    """Counts the nodes that are hashed in Merkle trees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        hashed = merkle.node_hash

        def counting(left: bytes, right: bytes) -> bytes:
            self.count += 1
            return hashed(left, right)

        monkeypatch.setattr(merkle, "node_hash", counting)

    def of(self, work: Callable[[], object]) -> int:
        before = self.count
        work()
        return self.count - before


class CountedDisk(WatchedDisk):
    """Counts the bytes that are written, and syncs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write_all(self, descriptor: int, data: bytes, offset: int) -> None:
        self.written += len(data)
        Disk.write_all(self, descriptor, data, offset)

    sync_data = UnsyncedDisk.sync_data
    sync_file = UnsyncedDisk.sync_file
    sync_folder = UnsyncedDisk.sync_folder
    sync_system = UnsyncedDisk.sync_system


def last_page(store: FileStore, chain: bytes) -> None:
    size = store.head_proof(chain).size
    start = max(size - PAGE, 0)
    assert len(store.entries(chain, start, PAGE)) == min(size, PAGE)
    assert store.frontier(chain, start).size == start


def test_the_last_page_of_a_long_chain_reads_and_hashes_no_more(
    long_house: FileHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = long_house.open()
    hashes = Hashes(monkeypatch)
    short = bytes_read(lambda: last_page(store, SHORT))
    long = bytes_read(lambda: last_page(store, LONG))
    assert 0 < short < 200_000
    # A level of 256^n more is read in one piece: 8 KiB, and what leads there.
    assert long < 2 * short + 3 * 8192
    few = hashes.of(lambda: last_page(store, SHORT))
    many = hashes.of(lambda: last_page(store, LONG))
    assert 0 < few < 2_000
    assert many < 2 * few + 3 * 256
    long_house.close()


def test_a_receipt_of_a_long_chain_reads_no_more(long_house: FileHouse) -> None:
    store = long_house.open()
    read = {
        chain: bytes_read(lambda chain=chain: store.receipt(chain, LENGTHS[chain] - 300))  # type: ignore[misc]
        for chain in (SHORT, LONG)
    }
    assert 0 < read[SHORT] < 200_000
    assert read[LONG] < 2 * read[SHORT] + 3 * 8192
    long_house.close()


def test_an_append_to_a_long_chain_writes_reads_and_hashes_no_more(
    long_house: FileHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = CountedDisk()
    store = long_house.open(disk)
    hashes = Hashes(monkeypatch)
    written, hashed = {}, {}
    for chain in (EMPTY, SHORT, LONG):
        store.flush()
        before = disk.written

        def append(chain: bytes = chain) -> None:
            store.commit(Transaction((text(chain),)))
            store.receipt(chain, store.head(chain).size - 1)
            store.flush()

        hashed[chain] = hashes.of(append)
        written[chain] = disk.written - before
    # Beside the entry: tiles, checkpoint and a head with one hash a bit of the size, twice.
    assert written[LONG] < written[EMPTY] + 2 * 32 * 16 + 256
    assert hashed[LONG] < hashed[EMPTY] + 6 * 16
    long_house.close()


def test_the_newest_entry_is_read_from_memory(long_house: FileHouse) -> None:
    """What a send asks for: its receipt, its page, its head."""
    store = long_house.open()
    store.commit(Transaction(tuple(text(LONG) for _ in range(3))))
    size = store.head(LONG).size

    def asked() -> None:
        for sequence in range(size - 3, size):
            assert store.entries(LONG, sequence, 1)
            assert store.receipt(LONG, sequence).chain_size == size
            assert store.frontier(LONG, sequence).size == sequence
        assert store.head_proof(LONG).size == size

    assert bytes_read(asked) == 0
    long_house.close()


def test_the_proofs_of_one_moment_are_made_once(
    long_house: FileHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The members of a large room each ask for the receipt of their own entry of one commit."""
    store = long_house.open()
    store.commit(Transaction(tuple(text(SHORT) for _ in range(64))))
    size = store.head(SHORT).size
    hashes = Hashes(monkeypatch)
    paths = hashes.of(lambda: [store.receipt(SHORT, n) for n in range(size - 64, size)])
    # Every node over the 64 once, and for each path the few that join ranges on its way.
    assert paths < 64 * 8
    again = hashes.of(lambda: [store.head_proof(SHORT) for _ in range(50)])
    assert again <= 16
    long_house.close()


def test_a_flush_writes_what_is_new_and_not_all_chains(house: FileHouse) -> None:
    disk = CountedDisk()
    store = house.open(disk)
    grow(store, ONE, 2)
    store.flush()

    def one_more() -> int:
        before = disk.written
        store.commit(Transaction((text(ONE),)))
        store.flush()
        return disk.written - before

    few = one_more()
    for first in range(0, 400, 200):
        many = tuple(Append(ident(f"{n}"), "opened", b"") for n in range(first, first + 200))
        store.commit(Transaction(many))
    store.flush()
    assert one_more() < few + 2_048


def test_a_start_reads_heads_and_not_messages(house: FileHouse) -> None:
    chains = [ident(f"chain {n}") for n in range(30)]

    def grown(by: int) -> int:
        store = house.open()
        for chain in chains:
            if store.head(chain).size == 0:
                grow(store, chain, 2)
            store.commit(Transaction(tuple(text(chain) for _ in range(by))))
        house.close()
        return bytes_read(house.open)

    few, many = grown(2), grown(200)
    assert few > 0
    # 6,000 messages more. The heads file grows by what was appended to it, up to a megabyte.
    assert many < few + 50_000


def test_memory_grows_with_chains_and_not_with_messages(house: FileHouse) -> None:
    store = house.open()
    chains = [ident(f"chain {n}") for n in range(50)]
    people = [ident(f"person {n}") for n in range(10)]
    store.commit(Transaction(tuple(Append(one, "opened", b"") for one in chains)))
    store.commit(Transaction(puts=tuple(Put(one, ONE, 0, b"first") for one in people)))

    def held_after(versions: range) -> int:
        for version in versions:
            messages = tuple(text(one) for one in chains)
            puts = tuple(Put(one, ONE, version, b"blob" * 64) for one in people)
            store.commit(Transaction(messages, puts))
        store.flush()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = held_after(range(1, 8))
        more = held_after(range(8, 40)) - before
    finally:
        tracemalloc.stop()
    # A head has two hashes more at 40 entries than at 8, whatever came between.
    assert more < 32 * len(chains) * 25


def test_memory_of_a_chain_at_rest(house: FileHouse) -> None:
    store = house.open()
    count = 300
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for first in range(0, count, 100):
            numbers = range(first, first + 100)
            appends = tuple(
                Append(ident(f"{n}"), "opened", b"x" * 300, label=bytes(64)) for n in numbers
            )
            names = tuple(NameClaim(f"name {n}", ident(f"{n}")) for n in numbers)
            store.commit(Transaction(appends, names=names))
            del appends, names
        store.flush()
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Two leaves of the map, a head, a name.
    assert used / count < 1_500
