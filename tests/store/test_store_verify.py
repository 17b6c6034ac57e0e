"""`verify` finds what was changed and names the place; `repair` makes whole what it can."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_msg.crypto.mac import hmac_sha256
from secure_msg.ledger.transaction import Append, Put, Register, Transaction
from secure_msg.store.hold import Hold
from secure_msg.store.repair import plan_repair, repair_whole
from secure_msg.store.verify import Finding, Remedy, Report, verify
from tests.store.contract import ALICE, BOB, OTHER, PATH, THREAD, account, audit, ident, opened
from tests.store.house import FileHouse, UnsyncedDisk, unflushed

MESSAGES = 270
THREAD_FOLDER = f"general/threads/{THREAD[:16].hex()}"
PRIVATE = f"local/{ALICE[:16].hex()}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> FileHouse:
    """Every kind of file: a full and a partial tile, levels, an index, a journal not flushed."""
    house = FileHouse(tmp_path_factory.mktemp("built") / "storage")
    store = house.open()
    for owner, name in ((ALICE, "alice"), (BOB, "bob")):
        store.commit(account(owner, name))
        store.commit(Transaction(puts=(Put(owner, PATH, 0, name.encode() * 10),)))
    store.commit(opened())
    store.commit(Transaction(registers=(Register(THREAD, b"", ident("session")),)))
    for number in range(MESSAGES):
        body, unique = b"message %d" % number, ident(str(number))[:16]
        append = Append(THREAD, "message", body, erasable=True, unique=unique, seen=number)
        puts = (Put(ALICE, OTHER, number, body),) if number < 80 else ()
        store.commit(Transaction((append,), puts))
    store.flush()
    store.erase(THREAD, 7)
    with unflushed(store):
        store.commit(Transaction((Append(THREAD, "message", b"unflushed"),)))
        store.commit(Transaction(puts=(Put(ALICE, PATH, 1, b"unflushed"),)))
        killed = house.copy(house.root.with_name("killed"))
    house.close()
    return killed


@pytest.fixture
def house(built: FileHouse, tmp_path: Path) -> FileHouse:
    return built.copy(tmp_path / "storage")


def examine(house: FileHouse, *, deep: bool = False) -> Report:
    return verify(house.root, house.keys, deep=deep)


def mended(house: FileHouse, aside: Path) -> Report:
    plan = plan_repair(house.root, house.keys)
    return repair_whole(house.root, house.keys, plan, aside, UnsyncedDisk()).report


def change(path: Path, offset: int, flip: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= flip
    path.write_bytes(data)


def only(report: Report) -> Finding:
    [finding] = report.damage
    return finding


def test_what_a_crash_leaves_is_clean_and_the_tail_is_followed(house: FileHouse) -> None:
    report = examine(house, deep=True)
    assert report.findings == []
    store = house.open()
    assert store.stats().log_size == report.log_size + 1, "the start's own leaf"
    house.close()
    report = examine(house, deep=True)
    assert report.findings == []
    assert report.counts.entries == 2 * 2 + 1 + MESSAGES + 80 + 1 + 1
    assert report.log_size == report.counts.log_leaves


def test_nothing_is_changed_by_an_examination(house: FileHouse) -> None:
    before = {path: path.stat().st_mtime_ns for path in house.root.rglob("*")}
    examine(house)
    assert {path: path.stat().st_mtime_ns for path in house.root.rglob("*")} == before


def kinds(root: Path) -> list[str]:
    """One file of each kind; the locks hold no bytes."""
    names = (
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.stat().st_size
    )
    return list({re.sub("[0-9a-f]{32,}", "", name): name for name in names}.values())


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def reset(root: Path, whole: dict[Path, bytes]) -> None:
    for path in contents(root):
        if path not in whole:
            path.unlink()
    for path, data in whole.items():
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o600)


def is_mendable(name: str) -> bool:
    made_again = ("server/identity", "ledger/heads", "ledger/checkpoint", "ledger/tile/0")
    return name.startswith((*made_again, "ledger/tile/1")) or "/level-" in name or "index." in name


def is_named(name: str, report: Report) -> bool:
    """A damaged seal.key shows by the keys that it does not open, a lost journal by its folder.

    The journal's end can be cut as by a crash: that is noted.
    """
    other = {"server/seal.key": "server/keys"}.get(name, name.partition("/0")[0])
    found = report.findings if name.startswith("journal/") else report.damage
    return any(one.path in (name, other) for one in found)


def test_attack_17_each_file_damaged_or_gone_is_named(house: FileHouse, tmp_path: Path) -> None:
    whole = contents(house.root)
    for name in kinds(house.root):
        path = house.root / name
        for ruin in (lambda at=path: change(at, -1, 0x80), path.unlink):
            ruin()
            unneeded = "index." in name and not path.exists()  # the chain says all of it
            assert unneeded or is_named(name, examine(house)), name
            if is_mendable(name):
                assert mended(house, tmp_path / "aside").clean, name
                again = name.startswith(("ledger/heads", "ledger/checkpoint")) or "index." in name
                assert again or path.read_bytes() == whole[path], name
            shutil.rmtree(tmp_path / "aside", ignore_errors=True)
            reset(house.root, whole)
    assert examine(house).clean


@pytest.mark.parametrize(
    ("name", "offset", "chain", "entry", "span", "remedy"),
    [
        (f"{THREAD_FOLDER}/leaves", 64 * 5, THREAD, 5, (320, 384), Remedy.DERIVED),
        (f"{THREAD_FOLDER}/leaves", 64 * 5 + 40, THREAD, 5, (320, 384), Remedy.NONE),
        (f"{THREAD_FOLDER}/entries-000000", 8 * 5 + 3, THREAD, 5, None, Remedy.DERIVED),
        (f"{THREAD_FOLDER}/entries-000001", -1, THREAD, 270, None, Remedy.NONE),
        (f"{THREAD_FOLDER}/level-1", 3, THREAD, None, (0, 32), Remedy.DERIVED),
        ("ledger/tile/entries/000", 82 * 9 + 50, None, None, (738, 820), Remedy.NONE),
        ("ledger/tile/0/000", 32 * 9, None, None, None, Remedy.DERIVED),
        ("ledger/heads.copy", 100, None, None, None, Remedy.COPY),
    ],
)
def test_the_place_is_named_and_what_helps(
    house: FileHouse,
    name: str,
    offset: int,
    chain: bytes | None,
    entry: int | None,
    span: tuple[int, int] | None,
    remedy: Remedy,
) -> None:
    change(house.root / name, offset)
    found = only(examine(house))
    assert (found.path, found.chain, found.entry, found.remedy) == (name, chain, entry, remedy)
    if span is not None:
        assert (found.start, found.end) == span
    assert name in found.sentence()


def test_repair_is_planned_before_it_is_done_and_keeps_what_it_replaces(
    house: FileHouse, tmp_path: Path
) -> None:
    row, slot = house.root / THREAD_FOLDER / "leaves", house.root / THREAD_FOLDER / "entries-000000"
    whole = {path: path.read_bytes() for path in (row, slot)}
    change(row, 64 * 5)
    change(slot, 8 * 9 + 3)
    ruined = {path: path.read_bytes() for path in (row, slot)}
    plan = plan_repair(house.root, house.keys)
    assert {path: path.read_bytes() for path in ruined} == ruined
    assert [step.path for step in plan.steps] == sorted(
        path.relative_to(house.root) for path in (row, slot)
    )
    assert "1 of 17344 bytes changed" in plan.steps[1].sentence(house.root)
    left = repair_whole(house.root, house.keys, plan, tmp_path / "aside", UnsyncedDisk())
    assert left.report.clean
    assert row.read_bytes() == whole[row]
    for path, data in ruined.items():
        assert (tmp_path / "aside" / path.relative_to(house.root)).read_bytes() == data
    audit(house.open(), house.identity)


def test_what_the_journal_still_has_is_taken_from_it(built: FileHouse, tmp_path: Path) -> None:
    """A backup that reads, or a crash before the end of a flush, leaves the journal as it was."""
    house = built.copy(tmp_path / "storage")
    store = house.open()
    append = Append(THREAD, "message", b"in both", True, None, ident("both")[:16], seen=270)
    with Hold(house.root).reading():
        store.commit(Transaction((append,), (Put(ALICE, PATH, 2, b"in both"),)))
        store.flush()
        killed = house.copy(tmp_path / "killed")
    house.close()
    assert killed.root.joinpath(THREAD_FOLDER, "leaves").stat().st_size == 64 * 273
    assert examine(killed).clean
    blob = killed.root / PRIVATE / f"{PATH.hex()}.3"
    ruins = (
        lambda: change(killed.root / THREAD_FOLDER / "leaves", 64 * 272 + 40),
        lambda: change(killed.root / THREAD_FOLDER / "entries-000001", -1),
        blob.unlink,
    )
    for number, ruin in enumerate(ruins):
        ruin()
        assert only(examine(killed)).remedy is Remedy.JOURNAL
        assert mended(killed, tmp_path / f"aside {number}").clean
    found = killed.open().private(ALICE, PATH)
    assert found is not None
    assert found.blob == b"in both"
    killed.close()


def test_what_is_too_much_is_said_and_no_damage(house: FileHouse) -> None:
    for name in ("letter", "ledger/checkpoint.new", f"{PRIVATE}/{PATH.hex()}.99"):
        (house.root / name).write_bytes(b"x")
    report = examine(house)
    assert report.clean
    assert {one.path for one in report.findings} == {
        "letter",
        "ledger/checkpoint.new",
        f"{PRIVATE}/{PATH.hex()}.99",
    }


SWAPS: dict[str, Callable[[Path], tuple[Path, Path]]] = {
    "two chains": lambda root: (root / THREAD_FOLDER, root / f"general/accounts/{BOB[:16].hex()}"),
    "two private folders": lambda root: (root / PRIVATE, root / f"local/{BOB[:16].hex()}"),
    "two groups of entries": lambda root: (
        root / THREAD_FOLDER / "entries-000000",
        root / THREAD_FOLDER / "entries-000001",
    ),
}


@pytest.mark.parametrize("mode", [1, 2, 32, 255])
def test_attack_17_keys_that_claim_another_sealing_are_damaged(house: FileHouse, mode: int) -> None:
    """Not only noted as sealed with a passphrase that nobody gave."""
    path = house.root / "server" / "keys"
    sealed = path.read_bytes()
    path.write_bytes(sealed[:1] + bytes((mode,)) + sealed[2:])
    assert "server/keys" in [one.path for one in verify(house.root, house.keys).damage]


@pytest.mark.parametrize("kind", SWAPS)
def test_attack_17_validly_signed_files_in_each_others_place_are_found(
    house: FileHouse, kind: str
) -> None:
    one, other = SWAPS[kind](house.root)
    one.rename(house.root / "third")
    other.rename(one)
    (house.root / "third").rename(other)
    report = examine(house)
    assert not report.clean
    assert all(one.remedy is Remedy.NONE for one in report.damage if one.path.endswith("leaves"))


def test_attack_18_an_older_state_of_a_part_is_found(house: FileHouse, tmp_path: Path) -> None:
    older = house.copy(tmp_path / "older")
    store = house.open()
    store.commit(Transaction((Append(THREAD, "message", b"later"),), (Put(ALICE, PATH, 2, b"x"),)))
    house.close()
    assert examine(house).clean
    whole = contents(house.root)
    for name in (THREAD_FOLDER, PRIVATE, "ledger/heads", "ledger/checkpoint", "ledger/tile"):
        target = house.root / name
        if target.is_dir():
            shutil.rmtree(target)
            shutil.copytree(older.root / name, target)
        else:
            shutil.copy(older.root / name, target)
        assert not examine(house).clean, name
        reset(house.root, whole)


def test_a_log_leaf_that_commits_to_other_entries_is_found(house: FileHouse) -> None:
    """A bug of the committer: files, tree and signatures agree, and yet a leaf says another thing.

    The rows' log indices are what tells which entries a leaf took up.
    """
    house.open()
    house.close()
    files, chain = house.root / THREAD_FOLDER / "leaves", 64 * 20
    data = bytearray(files.read_bytes())
    rows = plan_row(house, bytes(data[chain : chain + 64]), 20, shift=1)
    data[chain : chain + 64] = rows
    files.write_bytes(data)
    found = examine(house).damage
    assert found
    assert any("commit" in one.what for one in found)


def plan_row(house: FileHouse, row: bytes, sequence: int, shift: int) -> bytes:
    """The row with another log index, and the MAC that the server would have put there."""
    index = int.from_bytes(row[48:54], "big") + shift
    covered = row[:48] + index.to_bytes(6, "big")
    key = house.keys.derive("rows")
    return covered + hmac_sha256(key, THREAD, sequence.to_bytes(8, "big"), covered)[:10]
