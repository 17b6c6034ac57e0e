"""Copies of a storage folder: of a running store, again and again, and back."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from secure_msg.crypto.random import SeededRandom
from secure_msg.ledger.transaction import Append, Put, Transaction
from secure_msg.store.backup import INCOMPLETE, BackupRefused, Copied, back_up, restore
from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from secure_msg.store.hold import Hold
from secure_msg.store.layout import WrongFormat
from secure_msg.store.serverkeys import open_keys, open_or_create
from secure_msg.store.verify import verify
from tests.store.contract import ALICE, OTHER, PATH, THREAD, account, audit, message, opened
from tests.store.house import FileHouse, UnsyncedDisk, WatchedDisk

ANNOUNCED = bytes(range(16))


@pytest.fixture
def house(tmp_path: Path) -> FileHouse:
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    store.commit(account(ALICE, "alice"))
    store.commit(opened())
    for number in range(20):
        store.commit(Transaction((message(b"message %d" % number),)))
    store.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"one"),)))
    store.flush()
    return house


def save(house: FileHouse, target: Path, disk: Disk | None = None) -> Copied:
    return back_up(house.root, target, house.keys, disk or UnsyncedDisk())


def reopen(root: Path, house: FileHouse) -> FileStore:
    return FileHouse(root, open_keys(root, None)).open()


def messages(store: FileStore) -> list[bytes | None]:
    return [one.body for one in store.entries(THREAD, 1, 10_000)]


def test_a_backup_is_a_folder_that_opens_and_holds_all_that_was_committed(
    house: FileHouse, tmp_path: Path
) -> None:
    store = house.open()
    store.commit(Transaction((message(b"not flushed"),), (Put(ALICE, PATH, 1, b"two"),)))
    copied = save(house, tmp_path / "backup")
    assert copied.report.findings == []
    restore(tmp_path / "backup", tmp_path / "new", UnsyncedDisk(), ANNOUNCED)
    found = reopen(tmp_path / "new", house)
    assert messages(found) == messages(store)
    file = found.private(ALICE, PATH)
    assert file is not None
    assert (file.version, file.blob) == (2, b"two")
    audit(found, house.identity)
    found.close()


def test_what_is_unchanged_is_not_copied_again(house: FileHouse, tmp_path: Path) -> None:
    for path in house.root.rglob("*"):
        if path.is_file():
            os.utime(path, (1_000_000_000, 1_000_000_000))
    first = save(house, tmp_path / "backup")
    assert first.files > 10
    assert first.unchanged == 0
    second = save(house, tmp_path / "backup")
    assert second.unchanged == first.files - 2
    assert second.files == 2, "the heads alone"
    store = house.store
    assert store is not None
    store.commit(Transaction((Append(THREAD, "message", b"one more"),)))
    store.flush()
    third = save(house, tmp_path / "backup")
    assert 2 < third.files < first.files
    assert third.unchanged > 3
    assert third.report.clean


def test_what_is_gone_goes_from_the_backup_too(house: FileHouse, tmp_path: Path) -> None:
    save(house, tmp_path / "backup")
    store = house.store
    assert store is not None
    older = house.root / "local" / ALICE[:16].hex() / f"{PATH.hex()}.1"
    copy = tmp_path / "backup" / older.relative_to(house.root)
    assert copy.exists()
    store.commit(Transaction(puts=(Put(ALICE, PATH, 1, b"two"),)))
    store.flush()
    assert not older.exists()
    save(house, tmp_path / "backup")
    assert not copy.exists()


def test_backups_under_load_are_each_of_one_moment(house: FileHouse, tmp_path: Path) -> None:
    store = house.store
    assert store is not None
    acknowledged: list[bytes] = []
    ending = threading.Event()

    def load() -> None:
        version = 0
        while not ending.is_set():
            body = b"under load %d" % len(acknowledged)
            store.commit(Transaction((message(body),), (Put(ALICE, OTHER, version, body),)))
            acknowledged.append(body)
            version += 1
            if version % 7 == 0:
                store.flush()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(6):
            before = len(acknowledged)
            copied = save(house, tmp_path / "backup")
            assert copied.report.clean, copied.report.damage[0].sentence()
            snapshot = tmp_path / "snapshot"
            restore(tmp_path / "backup", snapshot, UnsyncedDisk(), ANNOUNCED)
            found = reopen(snapshot, house)
            bodies = messages(found)[20:]
            assert bodies[:before] == acknowledged[:before]
            assert bodies == acknowledged[: len(bodies)]
            found.close()
            shutil.rmtree(snapshot)
    finally:
        ending.set()
        thread.join()


def test_while_a_backup_reads_nothing_goes_but_what_is_erased(
    house: FileHouse, tmp_path: Path
) -> None:
    store = house.store
    assert store is not None
    folder = house.root / "local" / ALICE[:16].hex()
    segments = sorted(path.name for path in (house.root / "journal").iterdir())
    with Hold(house.root).reading() as reading:
        store.commit(Transaction(puts=(Put(ALICE, PATH, 1, b"two"),)))
        store.flush()
        assert {path.name[-2:] for path in folder.glob("*.?")} == {".1", ".2"}
        assert segments[0] in {path.name for path in (house.root / "journal").iterdir()}
        assert not reading.disturbed()
        store.commit(Transaction((message(b"to be erased"),)))
        store.erase(THREAD, 21)
        assert reading.disturbed()
        assert b"to be erased" not in everything(house.root)
    store.commit(Transaction(puts=(Put(ALICE, PATH, 2, None),)))
    store.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"again"),)))
    store.flush()
    assert [path.name[-2:] for path in folder.glob("*.?")] == [".1"]
    house.close()
    assert verify(house.root, house.keys).findings == []


def test_a_version_that_comes_again_is_not_unlinked_for_the_older_one(house: FileHouse) -> None:
    store = house.store
    assert store is not None
    with Hold(house.root).reading():
        for version, blob in ((1, b"two"), (2, None), (0, b"again")):
            store.commit(Transaction(puts=(Put(ALICE, PATH, version, blob),)))
            store.flush()
    store.commit(Transaction((message(b"so that it flushes"),)))
    store.flush()
    file = store.private(ALICE, PATH)
    assert file is not None
    assert (file.version, file.blob) == (1, b"again")
    house.close()
    assert verify(house.root, house.keys).findings == []


def test_an_erasure_under_way_makes_the_backup_begin_again(
    house: FileHouse, tmp_path: Path
) -> None:
    store = house.store
    assert store is not None

    class Erasing(UnsyncedDisk):
        """Erases one entry just after its file was copied."""

        done = False

        def write_file(self, path: Path, data: bytes) -> None:
            super().write_file(path, data)
            if path.name == "entries-000000" and b"message 7" in data and not self.done:
                self.done = True
                store.erase(THREAD, 8)

    disk = Erasing()
    copied = save(house, tmp_path / "backup", disk)
    assert disk.done
    assert copied.passes == 2
    assert copied.report.clean
    assert b"message 7" not in everything(tmp_path / "backup")
    assert b"message 8" in everything(tmp_path / "backup")


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


class Killed(BaseException):
    """The process ends here."""


def test_a_backup_that_was_broken_off_is_not_restored_and_is_whole_after_the_next(
    house: FileHouse, tmp_path: Path
) -> None:
    step, ended = 0, False
    while not ended:
        target = tmp_path / f"backup {step}"

        def die(number: int, _name: str, at: int = step) -> None:
            if number == at:
                raise Killed

        try:
            save(house, target, WatchedDisk(before=die))
            ended = True
        except Killed:
            if step > 1:
                with pytest.raises((BackupRefused, WrongFormat, FileNotFoundError)):
                    restore(target, tmp_path / f"new {step}", UnsyncedDisk(), ANNOUNCED)
        assert save(house, target).report.findings == []
        assert not (target / INCOMPLETE).exists()
        restore(target, tmp_path / f"new {step}", UnsyncedDisk(), ANNOUNCED)
        step += 5
    assert step > 20


@pytest.mark.parametrize(
    "command", [["cp", "-a"], ["rsync", "-a", "--delete"]], ids=["cp", "rsync"]
)
def test_a_plain_copy_of_a_stopped_server_is_a_backup(
    house: FileHouse, tmp_path: Path, command: list[str]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed here")
    store = house.store
    assert store is not None
    expected = messages(store)
    house.close()
    if "--delete" in command:
        (tmp_path / "copy" / "local").mkdir(parents=True)
        (tmp_path / "copy" / "local" / "of an older copy").write_bytes(b"to be deleted")
    subprocess.run([*command, f"{house.root}/", str(tmp_path / "copy")], check=True)
    assert verify(tmp_path / "copy", house.keys).findings == []
    found = reopen(tmp_path / "copy", house)
    assert messages(found) == expected
    found.close()


def test_refusals_are_sentences(house: FileHouse, tmp_path: Path) -> None:
    save(house, tmp_path / "backup")
    (tmp_path / "other").mkdir()
    keys = open_or_create(tmp_path / "other", None, SeededRandom(b"another"))
    other = FileHouse(tmp_path / "other", keys)
    other.open()
    other.close()
    with pytest.raises(BackupRefused, match="another server"):
        save(other, tmp_path / "backup")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_bytes(b"mine")
    with pytest.raises(BackupRefused, match="not empty and not a backup"):
        save(house, tmp_path / "full")
    with pytest.raises(BackupRefused, match="part of itself"):
        save(house, house.root / "backup")
    with pytest.raises(BackupRefused, match="not empty"):
        restore(tmp_path / "backup", tmp_path / "full", UnsyncedDisk(), ANNOUNCED)
    assert (tmp_path / "full" / "letter").read_bytes() == b"mine"
    with pytest.raises((WrongFormat, FileNotFoundError)):
        restore(tmp_path / "full", tmp_path / "new", UnsyncedDisk(), ANNOUNCED)


def test_restoring_is_announced_at_the_next_start(house: FileHouse, tmp_path: Path) -> None:
    save(house, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new", UnsyncedDisk(), ANNOUNCED)
    assert (tmp_path / "new" / "restored").read_text().strip() == ANNOUNCED.hex()
    found = reopen(tmp_path / "new", house)
    news = found.log_news(0)
    found.close()
    assert not (tmp_path / "new" / "restored").exists()
    assert news.restorations
    report = verify(tmp_path / "new", house.keys)
    assert report.findings == []
    [statement] = (tmp_path / "new" / "server" / "restored").iterdir()
    statement.write_bytes(statement.read_bytes()[:-1] + b"x")
    [finding] = verify(tmp_path / "new", house.keys).findings
    assert finding.path == f"server/restored/{statement.name}"
