"""From files to PostgreSQL and back: the same ledger, byte for byte, in one place at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_msg.cli.main import main
from secure_msg.crypto.random import system_random
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.merkle import verify_consistency
from secure_msg.ledger.transaction import Append, Damaged, Put, Register, Transaction
from secure_msg.store import verify
from secure_msg.store.durable import Disk
from secure_msg.store.layout import WrongFormat
from secure_msg.store.postgres.carried import NotMoved
from secure_msg.store.postgres.movein import files_to_postgres
from secure_msg.store.postgres.moveout import postgres_to_files
from secure_msg.store.postgres.schema import WrongDatabase
from secure_msg.store.serverkeys import open_or_create
from tests.postgres.house import PostgresHouse
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
from tests.store.house import FileHouse
from tests.support.databases import Postgres


def lived_in(root: Path) -> FileHouse:
    """A folder with all that a folder can have."""
    house = FileHouse(root)
    store = house.open(Disk())
    store.commit(account(ALICE, "alice"))
    store.commit(account(BOB, "bobby"))
    store.commit(opened())
    store.commit(Transaction((message(b"one", unique=ident("1")[:16], seen=1),)))
    store.commit(Transaction(registers=(Register(THREAD, b"", ident("session")),)))
    for number in range(3):
        store.commit(Transaction(tuple(message(b"m%d" % number) for _ in range(100))))
    for version in range(70):
        store.commit(Transaction(puts=(Put(ALICE, PATH, version, b"v%d" % version),)))
    store.commit(Transaction(puts=(Put(ALICE, OTHER, 0, b"gone"), Put(BOB, OTHER, 0, b"here"))))
    store.commit(Transaction(puts=(Put(ALICE, OTHER, 1, None),)))
    store.erase(THREAD, 7)
    house.close()
    return house


def stored(root: Path) -> dict[str, bytes]:
    """What a folder keeps of chains, private files and the ledger, but for indices and heads."""
    found = {}
    for path in (*root.glob("general/**/*"), *root.glob("local/**/*"), *root.glob("ledger/**/*")):
        if path.is_file() and not path.name.startswith(("index.", "heads")):
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def test_there_and_back_is_the_same_store(tmp_path: Path, postgres: Postgres) -> None:
    old, url = lived_in(tmp_path / "old"), postgres.emptied_database()
    moved = files_to_postgres(old.root, url, old.keys, old.clock, system_random)
    before = stored(old.root)
    signed = before["ledger/checkpoint"]
    target = tmp_path / "new"
    assert postgres_to_files(url, old.keys, old.root / "server", target) == moved
    after = stored(target)
    assert after.keys() == before.keys()
    assert (target / "ledger" / "checkpoint").read_bytes() == signed
    # Entries files keep the order of their writing: their frames are compared by verify's hashes.
    unequal = {name for name in before if before[name] != after[name]}
    assert all("/entries-" in name for name in unequal)
    report = verify.verify(target, old.keys, deep=True)
    assert report.clean, report.to_json()
    new = FileHouse(target, old.keys)
    store = new.open(Disk())
    audit(store, old.identity)
    assert store.head(THREAD).register == ident("session")
    assert store.entries(THREAD, 7, 1)[0].body is None
    again = store.commit(Transaction((message(b"x", unique=ident("1")[:16], seen=240),)))
    assert not again.repeat
    new.close()


def test_the_database_goes_on_where_the_folder_ended(tmp_path: Path, postgres: Postgres) -> None:
    old, url = lived_in(tmp_path / "old"), postgres.emptied_database()
    moved = files_to_postgres(old.root, url, old.keys, old.clock, system_random)
    house = PostgresHouse(tmp_path / "server", url, old.keys)
    store = house.open()
    try:
        # One timed leaf for the new sequencer.
        assert store.log_size == moved + 1
        audit(store, old.identity)
        identity, news = old.identity, store.log_news(moved)
        before = verify_checkpoint(
            (old.root / "ledger" / "checkpoint").read_bytes(), identity.origin, identity.public
        )
        now = verify_checkpoint(news.checkpoint, identity.origin, identity.public)
        assert (before.size, now.size) == (moved, moved + 1)
        verify_consistency(before.size, now.size, before.root, now.root, news.consistency)
        assert store.name_owner("alice") == ALICE
        assert store.head(THREAD).register == ident("session")
        assert store.entries(THREAD, 7, 1)[0].body is None
        found = store.private(ALICE, PATH)
        assert found is not None
        assert (found.version, found.blob) == (70, b"v69")
        assert store.private(ALICE, OTHER) is None
        store.commit(Transaction((message(b"next"),), (Put(ALICE, PATH, 70, b"v70"),)))
        repeat = store.commit(Transaction((message(b"y", unique=ident("1")[:16], seen=60),)))
        assert not repeat.repeat
    finally:
        house.close()


def test_a_store_lives_in_one_place_alone(tmp_path: Path, postgres: Postgres) -> None:
    old, url = lived_in(tmp_path / "old"), postgres.emptied_database()
    files_to_postgres(old.root, url, old.keys, old.clock, system_random)
    with pytest.raises(WrongFormat):
        FileHouse(old.root, old.keys).open()
    twin = lived_in(tmp_path / "twin")
    with pytest.raises(NotMoved, match="holds a store already"):
        files_to_postgres(twin.root, url, twin.keys, twin.clock, system_random)
    foreign = open_or_create(tmp_path / "foreign", None, system_random)
    with pytest.raises(WrongDatabase, match="other keys"):
        PostgresHouse(tmp_path / "foreign", url, foreign).open()
    house = PostgresHouse(tmp_path / "server", url, old.keys)
    house.open()
    with pytest.raises(WrongDatabase, match="runs on this database"):
        postgres_to_files(url, old.keys, old.root / "server", tmp_path / "new")
    house.close()
    postgres_to_files(url, old.keys, old.root / "server", tmp_path / "new")
    with pytest.raises(WrongDatabase):
        house.open()


def test_a_damaged_folder_is_not_moved(tmp_path: Path, postgres: Postgres) -> None:
    old, url = lived_in(tmp_path / "old"), postgres.emptied_database()
    [entries] = old.root.glob("general/threads/*/entries-000001")
    data = bytearray(entries.read_bytes())
    data[-5] ^= 1
    entries.write_bytes(data)
    with pytest.raises(Damaged):
        files_to_postgres(old.root, url, old.keys, old.clock, system_random)
    house = PostgresHouse(tmp_path / "server", url, old.keys)
    store = house.open()
    try:
        assert list(store.chains("account")) == []
        store.commit(Transaction((Append(THREAD, "opened", b"an empty database is a new store"),)))
    finally:
        house.close()
    FileHouse(old.root, old.keys).open().close()


def test_the_commands_move_it_too(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = lived_in(tmp_path / "old")
    run = CliRunner()
    refused = run.invoke(main, ["migrate", "files-to-postgres", str(old.root)])
    assert (refused.exit_code, "names no database" in refused.output) == (2, True)
    monkeypatch.setenv("SECURE_MSG_DATABASE_URL", postgres.emptied_database())
    moved = run.invoke(main, ["migrate", "files-to-postgres", str(old.root)])
    assert moved.exit_code == 0, moved.output
    assert "The keys stay here" in moved.output
    announced = run.invoke(main, ["restored", str(old.root)])
    assert announced.exit_code == 0, announced.output
    target = tmp_path / "new"
    back = run.invoke(main, ["migrate", "postgres-to-files", str(target), str(old.root)])
    assert back.exit_code == 0, back.output
    assert verify.verify(target, old.keys).clean
    again = run.invoke(main, ["migrate", "postgres-to-files", str(target), str(old.root)])
    assert (again.exit_code, "exists" in again.output) == (2, True)
