"""Server keys: made once, sealed, and refused in a sentence when something is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.store.lock import FolderLock, InUse
from secure_msg.store.serverkeys import KeysRefused, open_or_create, server_id


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_keys_are_made_once(tmp_path: Path, passphrase: str | None) -> None:
    keys = open_or_create(tmp_path, passphrase, SeededRandom(b"1"))
    again = open_or_create(tmp_path, passphrase, SeededRandom(b"2"))
    assert again.identity == keys.identity
    assert again.derive("cookie") == keys.derive("cookie") != keys.derive("blind")
    assert keys.identity.origin == f"secure-msg/{server_id(keys.identity.public)[:16].hex()}"
    HYBRID.verify(keys.identity.public, b"m", again.signing.sign(b"m", b"c"), b"c")
    note = again.checkpoint(1, bytes(32))
    assert verify_checkpoint(note, keys.identity.origin, keys.identity.public).size == 1
    assert (tmp_path / "server" / "seal.key").exists() == (passphrase is None)


def test_the_settings_may_name_the_origin(tmp_path: Path) -> None:
    keys = open_or_create(tmp_path, None, SeededRandom(b"1"), origin="chat.example.org")
    assert keys.identity.origin == "chat.example.org"
    again = open_or_create(tmp_path, None, SeededRandom(b"1"), origin="other.example.org")
    assert again.identity.origin == "chat.example.org"


def test_no_secret_lies_open(tmp_path: Path) -> None:
    random = SeededRandom(b"1")
    signing, master = SeededRandom(b"1")(64), (random(64), random(32))[1]
    open_or_create(tmp_path, "passphrase", SeededRandom(b"1"))
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (signing[:32], signing[32:], master):
        assert secret not in stored


@pytest.mark.parametrize("given", ["wrong", None, ""])
def test_another_passphrase_opens_nothing(tmp_path: Path, given: str | None) -> None:
    open_or_create(tmp_path, "right", SeededRandom(b"1"))
    with pytest.raises(KeysRefused, match="passphrase"):
        open_or_create(tmp_path, given, SeededRandom(b"1"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_seal_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    open_or_create(tmp_path, None, SeededRandom(b"1"))
    path = tmp_path / "server" / "seal.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(mode)
    with pytest.raises(KeysRefused, match="0600"):
        open_or_create(tmp_path, None, SeededRandom(b"1"))


@pytest.mark.parametrize("name", ["keys", "seal.key", "identity"])
def test_attack_17_one_changed_bit_of_the_keys_is_noticed(tmp_path: Path, name: str) -> None:
    open_or_create(tmp_path, None, SeededRandom(b"1"))
    path = tmp_path / "server" / name
    data = path.read_bytes()
    for bit in range(0, len(data) * 8, 97):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(KeysRefused):
            open_or_create(tmp_path, None, SeededRandom(b"1"))
    for end in range(0, len(data), 131):
        path.write_bytes(data[:end])
        with pytest.raises(KeysRefused):
            open_or_create(tmp_path, None, SeededRandom(b"1"))


def test_costs_beyond_the_bounds_are_refused_before_they_are_paid(tmp_path: Path) -> None:
    open_or_create(tmp_path, "right", SeededRandom(b"1"))
    path = tmp_path / "server" / "keys"
    data = bytearray(path.read_bytes())
    data[18:22] = b"\xff" * 4
    path.write_bytes(data)
    with pytest.raises(KeysRefused, match="another version"):
        open_or_create(tmp_path, "right", SeededRandom(b"1"))


def test_a_lost_identity_is_written_again_and_lost_keys_are_not_replaced(tmp_path: Path) -> None:
    keys = open_or_create(tmp_path, None, SeededRandom(b"1"))
    (tmp_path / "server" / "identity").unlink()
    assert open_or_create(tmp_path, None, SeededRandom(b"2")).identity == keys.identity
    (tmp_path / "server" / "keys").unlink()
    with pytest.raises(KeysRefused, match="backup"):
        open_or_create(tmp_path, None, SeededRandom(b"3"))


def test_a_second_owner_of_the_folder_is_refused_in_a_sentence(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(InUse, match="in use by another process"):
        FolderLock(tmp_path)
    program = (
        "import sys, pathlib; from secure_msg.store.lock import FolderLock, InUse\n"
        "try: FolderLock(pathlib.Path(sys.argv[1]))\n"
        "except InUse: sys.exit(7)\n"
    )
    call = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(call, check=False).returncode == 7
    lock.release()
    assert subprocess.run(call, check=False).returncode == 0
