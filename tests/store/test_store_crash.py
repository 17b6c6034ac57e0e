"""Every durable step fails once; a start is killed at each of its own. What was acknowledged stays.

Kills and losses of power at every step are in tests/fault/test_recorded.py, with this script.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import pytest

from secure_msg.ledger.transaction import (
    NameClaim,
    Put,
    Register,
    StorageFailed,
    Store,
    StoreError,
    Transaction,
)
from secure_msg.store.files import FileStore
from tests.store.contract import (
    ALICE,
    OTHER,
    PATH,
    THREAD,
    account,
    audit,
    ident,
    message,
    opened,
)
from tests.store.house import FileHouse, UnsyncedDisk, WatchedDisk

Step = Callable[[FileStore], object]


def commit(transaction: Transaction) -> Step:
    return lambda store: store.commit(transaction)


SCRIPT: list[Step] = [
    commit(account(ALICE, "alice")),
    commit(opened()),
    commit(
        Transaction(
            (message(b"one"), message(b"two")),
            (Put(ALICE, PATH, 0, b"first" * 50), Put(ALICE, OTHER, 0, b"other")),
            (Register(THREAD, b"", ident("session")),),
            (NameClaim("alias", ALICE),),
        )
    ),
    FileStore.flush,
    commit(Transaction((message(b"three"),), (Put(ALICE, PATH, 1, b"second" * 50),))),
    commit(Transaction((message(b"four"),), (Put(ALICE, PATH, 2, b"third" * 50),))),
    FileStore.flush,
    FileStore.flush,
    commit(Transaction(puts=(Put(ALICE, PATH, 3, b"fourth"), Put(ALICE, OTHER, 1, None)))),
    commit(Transaction(puts=(Put(ALICE, OTHER, 0, b"new other"),))),
    lambda store: store.erase(THREAD, 1),
    commit(Transaction((message(b"five"),))),
]


def seen(store: Store) -> tuple[object, ...]:
    """All that the script can change, as a reader sees it."""
    return (
        tuple(entry.body for entry in store.entries(THREAD, 0, 99)),
        (store.head(THREAD).size, store.head(THREAD).register),
        store.head(ALICE).size,
        store.private(ALICE, PATH),
        store.private(ALICE, OTHER),
        store.name_owner("alice"),
        store.name_owner("alias"),
    )


def expected_states(tmp_path: Path) -> list[tuple[object, ...]]:
    """What a reader sees before the script and after each of its steps."""
    house = FileHouse(tmp_path / "expected")
    store = house.open()
    states = [seen(store)]
    for step in SCRIPT:
        step(store)
        states.append(seen(store))
    house.close()
    return states


def check(house: FileHouse, states: list[tuple[object, ...]], done: int) -> None:
    """After a restart: the state after `done` steps, or with the one that was under way."""
    store = house.open(UnsyncedDisk())
    found = seen(store)
    assert found in states[done : done + 2]
    audit(store, house.identity)
    rest = states.index(found, done)
    # Life goes on from there, through a restart.
    for step in SCRIPT[rest:]:
        step(store)
    assert seen(store) == states[-1]
    store = house.open(UnsyncedDisk())
    assert seen(store) == states[-1]
    audit(store, house.identity)
    blobs = [path.name for path in house.root.glob("local/*/*.*") if len(path.stem) == 64]
    house.close()
    assert sorted(blobs) == sorted([f"{PATH.hex()}.4", f"{OTHER.hex()}.1"])


Image: TypeAlias = tuple[tuple[str, bytes | None], ...]
"""All that is in a folder: (name, bytes), None for a folder."""


def image_of(folder: Path) -> Image:
    return tuple(
        (path.relative_to(folder).as_posix(), path.read_bytes() if path.is_file() else None)
        for path in sorted(folder.rglob("*"))
    )


def check_images(
    tmp_path: Path,
    images: Iterable[tuple[Image, int]],
    house: FileHouse,
    states: list[tuple[object, ...]],
) -> None:
    """Open what each crash left, as it was after so many steps of the script."""
    for image, done in images:
        target = tmp_path / "left"
        target.mkdir()
        for name, data in image:
            if data is None:
                (target / name).mkdir()
            else:
                (target / name).write_bytes(data)
        check(FileHouse(target, house.keys), states, done)
        shutil.rmtree(target)


def test_killed_again_at_every_step_of_the_recovery(tmp_path: Path) -> None:
    states = expected_states(tmp_path)
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    for step in SCRIPT[:9]:
        step(store)
    killed = house.copy(tmp_path / "killed")
    house.close()
    images: dict[Image, None] = {}

    def before(number: int, name: str) -> None:
        images[image_of(killed.root)] = None

    disk = WatchedDisk(before)
    killed.open(disk)
    assert len(disk.steps) > 20
    assert len(images) > 10
    check_images(tmp_path, [(image, 9) for image in images], house, states)
    killed.close()


@pytest.mark.parametrize("effect", [False, True], ids=["without-effect", "after-the-effect"])
def test_every_step_fails_once(tmp_path: Path, effect: bool) -> None:
    """A step that fails is never taken for done; reads go on, and a restart brings it all back."""
    states = expected_states(tmp_path)
    number, reached = 0, True
    while reached:
        reached = fail_at(tmp_path / f"fail-{number}", states, number, effect=effect)
        number += 7
    assert number > 100


def fail_at(root: Path, states: list[tuple[object, ...]], at: int, *, effect: bool) -> bool:
    """Run the script on a disk whose step `at` (after the start) fails; False: none did."""
    house = FileHouse(root)
    disk = WatchedDisk()
    store = house.open(disk)
    first = len(disk.steps)

    def fail(number: int, name: str) -> None:
        if number == first + at:
            raise OSError(5, "Input/output error")

    if effect:
        disk.after = fail
    else:
        disk.before = fail
    done = 0
    try:
        for step in SCRIPT:
            step(store)
            done += 1
    except StorageFailed:
        assert store.stats().read_only
        assert seen(store) in states[done : done + 2]
        with pytest.raises(StorageFailed):
            store.commit(opened(ident("another")))
        audit(store, house.identity)
    failed = store.stats().read_only
    disk.after = disk.before = lambda number, name: None
    house.close()
    if not failed:
        return False
    check(FileHouse(root, house.keys), states, done)
    shutil.rmtree(root)
    return True


def test_a_failed_fdatasync_is_not_tried_again(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    calls = []

    def fail(number: int, name: str) -> None:
        if name == "sync_data":
            calls.append(number)
            raise OSError(5, "Input/output error")

    disk = WatchedDisk()
    store = house.open(disk)
    store.commit(opened())
    store.flush()
    disk.before = fail
    for _ in range(3):
        with pytest.raises(StorageFailed):
            store.commit(Transaction((message(b"lost"),)))
    assert len(calls) == 1
    assert store.head(THREAD).size == 1
    disk.before = lambda number, name: None
    house.close()
    assert house.open().head(THREAD).size in (1, 2)


def test_a_start_that_fails_lets_go_of_the_folder(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")

    def fail(number: int, name: str) -> None:
        raise OSError(28, "No space left on device")

    for number in (0, 3):
        disk = WatchedDisk(lambda at, name, number=number: fail(at, name) if at > number else None)
        with pytest.raises((OSError, StoreError)):
            house.open(disk)
    audit(house.open(), house.identity)
    house.close()
