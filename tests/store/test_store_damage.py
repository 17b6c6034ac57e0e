"""What damage does beside being noticed (tests/tamper): reports, remedies, and what went back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_msg.ledger.transaction import Append, Damaged, Put, Register, Transaction
from secure_msg.store.files import FileStore
from tests.store.contract import (
    ALICE,
    BOB,
    OTHER,
    PATH,
    THREAD,
    account,
    audit,
    ident,
    message,
    opened,
)
from tests.store.house import FileHouse, unflushed

SECOND = ident("second thread")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> FileHouse:
    """A folder with every kind of file: two threads of 302 entries, indices, tiles, a journal."""
    house = FileHouse(tmp_path_factory.mktemp("built") / "storage")
    store = house.open()
    for owner, name in ((ALICE, "alice"), (BOB, "bob")):
        store.commit(account(owner, name))
        store.commit(Transaction(puts=(Put(owner, PATH, 0, name.encode() * 100),)))
    for thread in (THREAD, SECOND):
        store.commit(opened(thread))
    store.commit(Transaction(registers=(Register(THREAD, b"", ident("session")),)))
    for number in range(300):
        store.commit(
            Transaction(
                (message(b"message %d" % number, unique=ident(str(number))[:16], seen=number),),
                (Put(ALICE, OTHER, number, b"state %d" % number),) if number < 80 else (),
            )
        )
    store.flush()
    store.erase(THREAD, 7)
    with unflushed(store):
        store.commit(Transaction((Append(SECOND, "message", b"unflushed"),)))
        store.commit(Transaction((Append(SECOND, "message", b"unflushed too"),)))
        killed = house.copy(house.root.with_name("killed"))
    house.close()
    return killed


READS: dict[str, Callable[[FileStore], object]] = {
    "thread": lambda store: [one.body for one in store.entries(THREAD, 0, 999)],
    "newest": lambda store: [one.body for one in store.entries(THREAD, 290, 50)],
    "second": lambda store: [one.body for one in store.entries(SECOND, 0, 9)],
    "alice's chain": lambda store: [one.body for one in store.entries(ALICE, 0, 9)],
    "alice's file": lambda store: store.private(ALICE, PATH),
    "alice's other file": lambda store: store.private(ALICE, OTHER),
    "bob's file": lambda store: store.private(BOB, PATH),
    "names": lambda store: sorted(store.private_names(ALICE), key=lambda one: one.path),
    "register": lambda store: store.head(THREAD).register,
    "labels": lambda store: sorted(store.chains("account")),
    "frontier": lambda store: store.frontier(SECOND, 2).size,
    "repeat": lambda store: (
        store.commit(Transaction((message(b"again", unique=ident("299")[:16], seen=200),)))
        .placed[0]
        .sequence
    ),
    "first tile": lambda store: store.ledger_file("tile/0/000"),
    "first bundle": lambda store: store.ledger_file("tile/entries/000"),
}


def read_all(store: FileStore) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, read in READS.items():
        try:
            found[name] = read(store)
        except Damaged:
            found[name] = Damaged
    return found


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_damage_is_reported_before_it_is_refused(built: FileHouse, tmp_path: Path) -> None:
    house = built.copy(tmp_path / "damaged")
    path = house.root / "local" / ALICE[:16].hex() / f"{PATH.hex()}.1"
    path.write_bytes(path.read_bytes()[::-1])
    reports: list[str] = []
    store = house.open(on_damage=reports.append)
    with pytest.raises(Damaged):
        store.private(ALICE, PATH)
    assert len(reports) == 1
    assert store.stats().damaged == 1
    # A damaged file can be replaced by its owner, who knows the version.
    store.commit(Transaction(puts=(Put(ALICE, PATH, 1, b"new"),)))
    found = store.private(ALICE, PATH)
    assert found is not None
    assert found.blob == b"new"
    house.close()


def test_attack_11_an_older_private_folder_is_noticed(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    for version in range(70):
        store.commit(Transaction(puts=(Put(ALICE, PATH, version, b"state %d" % version),)))
    store.flush()
    folder = house.root / "local" / ALICE[:16].hex()
    shutil.copytree(folder, tmp_path / "older")
    for version in range(70, 75):
        store.commit(Transaction(puts=(Put(ALICE, PATH, version, b"state %d" % version),)))
    house.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "older", folder)
    store = house.open()
    with pytest.raises(Damaged):
        store.private(ALICE, PATH)
    house.close()


def test_attack_11_an_older_index_changes_nothing(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    folder = house.root / "local" / ALICE[:16].hex()
    for version in range(70):
        store.commit(Transaction(puts=(Put(ALICE, PATH, version, b"state %d" % version),)))
    store.flush()
    [older] = folder.glob("index.*")
    data = older.read_bytes()
    for version in range(70, 150):
        store.commit(Transaction(puts=(Put(ALICE, PATH, version, b"state %d" % version),)))
    store.flush()
    [newer] = folder.glob("index.*")
    assert newer != older
    house.close()
    newer.unlink()
    older.write_bytes(data)
    found = house.open().private(ALICE, PATH)
    assert found is not None
    assert found.version == 150
    house.close()
    older.write_bytes(data[:-1])
    found = house.open().private(ALICE, PATH)
    assert found is not None
    assert found.version == 150
    house.close()


def test_attack_18_older_heads_or_a_lost_journal_do_not_pass(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    store.commit(opened())
    store.flush()
    older = [path.read_bytes() for path in sorted((house.root / "ledger").glob("heads*"))]
    store.commit(Transaction((message(b"acknowledged"),)))
    house.close()
    for path, data in zip(sorted((house.root / "ledger").glob("heads*")), older, strict=True):
        path.write_bytes(data)
    with pytest.raises(Damaged, match="tail is lost"):
        house.open()


def test_heads_that_only_one_copy_has_are_enough(built: FileHouse, tmp_path: Path) -> None:
    whole = built.copy(tmp_path / "whole")
    expected = read_all(whole.open())
    whole.close()
    for name in ("heads", "heads.copy"):
        house = built.copy(tmp_path / name)
        (house.root / "ledger" / name).unlink()
        store = house.open()
        assert read_all(store) == expected
        audit(store, house.identity)
        house.close()
        copies = [(house.root / "ledger" / one).read_bytes() for one in ("heads", "heads.copy")]
        assert copies[0] == copies[1]


def test_heads_damaged_in_both_copies_stop_the_start(built: FileHouse, tmp_path: Path) -> None:
    house = built.copy(tmp_path / "damaged")
    for name in ("heads", "heads.copy"):
        path = house.root / "ledger" / name
        path.write_bytes(flipped(path.read_bytes(), 8000))
    with pytest.raises(Damaged, match="ledger/heads"):
        house.open()
