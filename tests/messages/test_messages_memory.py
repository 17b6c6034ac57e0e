"""What the messages room keeps in memory: bounded, and always what the store would say."""

from __future__ import annotations

import random
from typing import cast

import pytest

from secure_msg.ledger.transaction import PrivateName, Put, Store
from secure_msg.messages.errors import FolderFull
from secure_msg.messages.folders import Folders
from secure_msg.messages.marks import moved_marks
from secure_msg.messages.threads import Threads, mark_path
from tests.store.contract import ALICE, BOB, THREAD, ident

EVE = ident("eve")


class Shelf:
    """A store of private files' sizes and of threads' labels, that counts how often it is asked."""

    def __init__(self) -> None:
        self.sizes: dict[bytes, dict[bytes, int]] = {}
        self.labels: dict[bytes, bytes] = {}
        self.asked = 0

    def private_names(self, account: bytes) -> tuple[PrivateName, ...]:
        self.asked += 1
        files = self.sizes.get(account, {})
        return tuple(PrivateName(path, 1, size) for path, size in files.items())

    def chains(self, kind: str) -> list[tuple[bytes, bytes]]:
        return list(self.labels.items()) if kind == "thread" else []

    def put(self, account: bytes, put: Put) -> None:
        files = self.sizes.setdefault(account, {})
        files.pop(put.path, None)
        if put.blob is not None:
            files[put.path] = len(put.blob)

    def port(self) -> Store:
        return cast("Store", self)


def test_a_followed_folder_is_what_the_store_holds() -> None:
    shelf, seeded = Shelf(), random.Random(7)
    folders = Folders(shelf.port(), quota=4_000, keep=40)
    people = [ident(f"person {n}") for n in range(6)]
    refused = 0
    for _ in range(2_000):
        owner, path = seeded.choice(people), ident(f"path {seeded.randrange(12)}")
        blob = None if seeded.random() < 0.2 else bytes(seeded.randrange(1, 800))
        put = Put(owner, path, 0, blob)
        held = dict(shelf.sizes.get(owner, {}))
        growth = len(blob or b"") - held.get(path, 0)
        fits = blob is None or growth <= 0 or sum(held.values()) + growth <= 4_000
        try:
            folders.check(owner, (put,))
        except FolderFull:
            assert not fits
            refused += 1
            continue
        assert fits
        shelf.put(owner, put)
        folders.committed(owner, (put,))
    assert refused > 20


def test_folders_are_forgotten_by_what_they_hold() -> None:
    shelf = Shelf()
    for person in (ALICE, BOB, EVE):
        shelf.sizes[person] = {ident(f"{n}"): 10 for n in range(10)}
    folders = Folders(shelf.port(), quota=10_000, keep=20)
    for person in (ALICE, BOB, ALICE, BOB):
        folders.check(person, (Put(person, ident("0"), 1, b"x"),))
    assert shelf.asked == 2
    folders.check(EVE, (Put(EVE, ident("0"), 1, b"x"),))
    folders.check(BOB, (Put(BOB, ident("0"), 1, b"x"),))
    assert shelf.asked == 3
    folders.check(ALICE, (Put(ALICE, ident("0"), 1, b"x"),))
    assert shelf.asked == 4


def test_a_folder_of_too_many_files_is_refused() -> None:
    shelf = Shelf()
    shelf.sizes[ALICE] = {ident(f"{n}"): 1 for n in range(20_000)}
    folders = Folders(shelf.port(), quota=1 << 20, keep=5)
    folders.check(ALICE, (Put(ALICE, ident("7"), 1, b"xx"),))
    with pytest.raises(FolderFull):
        folders.check(ALICE, (Put(ALICE, ident("one more"), 0, b"x"),))


def test_marks_are_those_of_the_own_threads() -> None:
    shelf = Shelf()
    other = ident("other thread")
    shelf.labels = {THREAD: ALICE + BOB, other: BOB + EVE}
    threads = Threads(shelf.port(), ident("key"))
    puts = (
        Put(ALICE, mark_path(THREAD), 0, b"read"),
        Put(ALICE, mark_path(other), 0, b"not hers"),
        Put(ALICE, ident("path"), 0, b"no mark"),
    )
    [moved] = moved_marks(threads, ALICE, puts)
    assert (moved.thread, moved.account, moved.other, moved.blob) == (THREAD, ALICE, BOB, b"read")
    assert threads.of(BOB) == (THREAD, other)
    assert threads.members(other) == (BOB, EVE)
