"""`secure-msg`: what an operator types, sees and gets back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_msg.cli.main import COMMANDS, main
from secure_msg.ledger.transaction import Transaction
from secure_msg.store.durable import Disk
from secure_msg.store.layout import CURRENT, format_bytes
from secure_msg.store.lock import FolderLock
from tests.store.contract import ALICE, BOB, account, message, opened
from tests.store.house import FileHouse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    house = FileHouse(tmp_path / "storage")
    store = house.open(disk=Disk())
    store.commit(account(ALICE, "alice"))
    store.commit(account(BOB, "bob"))
    store.commit(opened())
    store.commit(Transaction((message(b"hello"),)))
    house.close()
    return house.root


def run(*words: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env=environment)


def leaves_of(storage: Path) -> Path:
    [path] = (storage / "general" / "threads").glob("*/leaves")
    return path


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_every_command_explains_itself_and_stands_in_the_handbook() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text()
    for command in COMMANDS:
        assert f"`secure-msg {command.name}" in handbook
        shown = run(command.name, "--help")
        assert shown.exit_code == 0
        assert len(shown.output) > 100


def test_verify_says_clean_or_the_place(storage: Path) -> None:
    clean = run("verify", storage)
    assert (clean.exit_code, clean.output.endswith("Clean.\n")) == (0, True)
    assert run("verify", "--deep", storage).exit_code == 0
    flip(leaves_of(storage), 64)
    found = run("verify", storage)
    assert found.exit_code == 1
    assert "leaves, bytes 64 to 128" in found.output
    as_json = json.loads(run("verify", "--json", storage).output)
    assert as_json["clean"] is False
    [finding] = as_json["findings"]
    assert (finding["bytes"], finding["entry"], finding["remedy"]) == ([64, 128], 1, "derived")


def test_the_server_s_own_folder_is_the_default(storage: Path) -> None:
    named = run("verify", SECURE_MSG_STORAGE=str(storage))
    assert (named.exit_code, named.output.endswith("Clean.\n")) == (0, True)


def test_repair_changes_nothing_without_yes(storage: Path) -> None:
    whole = leaves_of(storage).read_bytes()
    flip(leaves_of(storage), 64)
    shown = run("repair", storage)
    assert shown.exit_code == 1
    assert "1 of 128 bytes changed" in shown.output
    assert leaves_of(storage).read_bytes() != whole
    done = run("repair", "--yes", storage)
    assert done.exit_code == 0
    assert leaves_of(storage).read_bytes() == whole
    [aside] = storage.parent.glob("storage.repaired-*")
    assert str(aside) in done.output.replace("\n", "")
    assert (aside / leaves_of(storage).relative_to(storage)).exists()
    assert run("repair", storage).exit_code == 0


def test_what_cannot_be_repaired_is_left_and_named(storage: Path) -> None:
    [frames] = (storage / "general" / "threads").glob("*/entries-000000")
    flip(frames, -1)
    done = run("repair", "--yes", "--json", storage)
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert (found["steps"], found["done"], found["left"]["clean"]) == ([], False, False)


def test_backup_then_restore(storage: Path, tmp_path: Path) -> None:
    made = run("backup", storage, tmp_path / "backup")
    assert made.exit_code == 0
    assert "guard it like the server" in made.output.replace("\n", " ")
    again = json.loads(run("backup", "--json", storage, tmp_path / "backup").output)
    assert again["report"]["clean"] is True
    restored = run("restore", tmp_path / "backup", tmp_path / "new")
    assert restored.exit_code == 0
    assert run("verify", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new" / "restored").exists()
    assert run("restore", tmp_path / "backup", tmp_path / "new").exit_code == 2
    flip(leaves_of(tmp_path / "backup"), 64 + 40)
    refused = run("restore", tmp_path / "backup", tmp_path / "other")
    assert refused.exit_code == 1
    assert not (tmp_path / "other").exists()
    assert run("restore", "--damaged", tmp_path / "backup", tmp_path / "other").exit_code == 0


def test_ls_says_whose(storage: Path) -> None:
    listed = json.loads(run("ls", "--json", storage).output)
    assert [one["people"] for one in listed if one["kind"] == "account"] == [["alice"], ["bob"]]
    assert all((storage / one["folder"]).is_dir() and one["bytes"] > 0 for one in listed)
    assert "alice" in run("ls", storage).output


def test_refusals_are_sentences_with_their_own_exit_code(storage: Path, tmp_path: Path) -> None:
    lock = FolderLock(storage)
    used = run("verify", storage)
    lock.release()
    assert (used.exit_code, "in use by another process" in used.output) == (2, True)
    (storage / "format").write_bytes(format_bytes(CURRENT + 1))
    newer = run("verify", storage)
    assert (newer.exit_code, "a newer program made" in newer.output) == (2, True)
    (storage / "format").write_bytes(format_bytes(CURRENT))
    (storage / "server" / "seal.key").chmod(0o644)
    opened_keys = run("verify", storage)
    assert (opened_keys.exit_code, "can be read by others" in opened_keys.output) == (2, True)
    (tmp_path / "empty").mkdir()
    assert run("verify", tmp_path / "empty").exit_code == 2
    assert run("ls", storage, SECURE_MSG_PORT="many").exit_code == 2
    for refused in (used, newer, opened_keys):
        assert "Traceback" not in refused.output


def test_migrate_says_what_it_did(storage: Path) -> None:
    shown = run("migrate", "format", storage)
    assert shown.exit_code == 0
    assert f"of format {CURRENT} already" in shown.output
