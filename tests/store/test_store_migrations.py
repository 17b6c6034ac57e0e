"""Old folders kept in tests/store/folders/ are brought to this program's format, whole."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from secure_msg.store.layout import CURRENT, FORMAT, WrongFormat, format_bytes
from secure_msg.store.migrations import STEPS, migrate
from secure_msg.store.serverkeys import open_keys
from secure_msg.store.verify import verify
from tests.store.contract import Clock
from tests.store.folders.make import Counted, contents
from tests.store.house import UnsyncedDisk, WatchedDisk

FOLDERS = Path(__file__).parent / "folders"
OLD = sorted(STEPS)


def unpack(version: int, target: Path) -> Path:
    with tarfile.open(FOLDERS / f"format-{version}.tar.xz") as archive:
        archive.extractall(target, filter="data")
    root = target / "storage"
    (root / "server" / "seal.key").chmod(0o600)
    return root


def read(root: Path) -> dict[str, object]:
    clock = Clock()
    store = FileStore.open(root, open_keys(root, None), clock, Counted(), disk=UnsyncedDisk())
    try:
        found = contents(store)
    finally:
        store.close()
    del found["checkpoint"]  # the start has committed a leaf of its own
    return found


def expected(version: int) -> dict[str, object]:
    found: dict[str, object] = json.loads((FOLDERS / f"format-{version}.json").read_text())
    del found["checkpoint"]
    return found


def test_every_older_format_has_a_step_and_a_folder() -> None:
    assert list(range(1, CURRENT)) == OLD
    assert all((FOLDERS / f"format-{version}.tar.xz").exists() for version in OLD)


@pytest.mark.parametrize("version", OLD)
def test_an_old_folder_is_clean_and_says_what_it_said(version: int, tmp_path: Path) -> None:
    root = unpack(version, tmp_path)
    keys = open_keys(root, None)
    assert migrate(root, keys, UnsyncedDisk()) == tuple(range(version, CURRENT))
    report = verify(root, keys)
    assert [one.sentence() for one in report.findings] == []
    signed = json.loads((FOLDERS / f"format-{version}.json").read_text())["checkpoint"]
    assert str(report.log_size) == signed.split("\n")[1]
    assert read(root) == expected(version)
    assert verify(root, keys).clean


@pytest.mark.parametrize("version", OLD)
def test_a_start_migrates_by_itself(version: int, tmp_path: Path) -> None:
    root = unpack(version, tmp_path)
    assert read(root) == expected(version)
    assert (root / "format").read_bytes() == FORMAT


def bytes_of(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_loses_nothing(version: int, after: bool, tmp_path: Path) -> None:
    whole = unpack(version, tmp_path / "whole")
    migrate(whole, open_keys(whole, None), UnsyncedDisk())
    step, ended = 0, False
    while not ended:
        root = unpack(version, tmp_path / f"{step}")
        keys = open_keys(root, None)

        def die(number: int, _name: str, at: int = step) -> None:
            if number == at:
                raise Killed

        disk = WatchedDisk(after=die) if after else WatchedDisk(before=die)
        try:
            migrate(root, keys, disk)
            ended = True
        except Killed:
            pass
        migrate(root, keys, Disk())
        assert bytes_of(root) == bytes_of(whole)
        step += 1
    assert step > len(OLD)


def test_a_newer_format_is_refused_in_a_sentence(tmp_path: Path) -> None:
    root = unpack(OLD[0], tmp_path)
    (root / "format").write_bytes(format_bytes(CURRENT + 1))
    for use in (lambda: read(root), lambda: verify(root, open_keys(root, None))):
        with pytest.raises(WrongFormat, match=f"names format {CURRENT + 1}, which a newer program"):
            use()
    (root / "format").write_bytes(b"something else")
    with pytest.raises(WrongFormat, match="names no format"):
        read(root)


def test_an_older_folder_is_not_examined_by_newer_rules(tmp_path: Path) -> None:
    root = unpack(OLD[0], tmp_path)
    with pytest.raises(WrongFormat, match="names format 1, and this program"):
        verify(root, open_keys(root, None))
