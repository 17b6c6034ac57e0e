"""A store that was set back to a copy says so, once, before anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_msg.codec.proofs import LogNews, RestoredStatement
from secure_msg.ledger import merkle
from secure_msg.ledger.checkpoint import Checkpoint, verify_checkpoint
from secure_msg.ledger.receipt import verify_head
from secure_msg.ledger.restored import verify_restoration
from secure_msg.ledger.transaction import Store, Transaction
from tests.store.contract import ALICE, THREAD, account, audit, message, opened
from tests.store.house import FileHouse, UnsyncedDisk, WatchedDisk


def copied(tmp_path: Path) -> tuple[FileHouse, Checkpoint, Checkpoint]:
    """A house on a copy, the checkpoint that was copied, and a later one that was lost."""
    house = FileHouse(tmp_path / "storage")
    store = house.open()
    store.commit(account(ALICE, "alice"))
    store.commit(opened())
    store.commit(Transaction((message(b"kept"),)))
    house.close()
    before = checked(house, house.open())
    house.close()
    copy = house.copy(tmp_path / "copy")
    store = house.open()
    for number in range(3):
        store.commit(Transaction((message(b"lost %d" % number),)))
    after = checked(house, store)
    house.close()
    return copy, before, after


def checked(house: FileHouse, store: Store) -> Checkpoint:
    identity = house.identity
    return verify_checkpoint(store.checkpoint(), identity.origin, identity.public)


def said(house: FileHouse, news: LogNews) -> list[RestoredStatement]:
    identity = house.identity
    checkpoint = verify_checkpoint(news.checkpoint, identity.origin, identity.public)
    return [
        verify_restoration(one, checkpoint, identity.public, identity.id)
        for one in news.restorations
    ]


def test_a_marker_makes_one_statement_of_the_copy(tmp_path: Path) -> None:
    house, before, _ = copied(tmp_path)
    (house.root / "restored").touch()
    store = house.open()
    news = store.log_news(before.size)
    (statement,) = said(house, news)
    assert (statement.size, statement.root) == (before.size, before.root)
    assert statement.copied <= statement.time
    assert not (house.root / "restored").exists()
    head = verify_head(store.head_proof(THREAD), house.identity.public, house.identity.origin)
    assert head.head.size == 2
    audit(store, house.identity)
    # A restart says nothing new, and still serves what was said.
    store.commit(Transaction((message(b"new"),)))
    store = house.open()
    assert said(house, store.log_news(0)) == [statement]
    audit(store, house.identity)
    house.close()


def test_news_lead_from_what_the_copy_has_and_not_from_what_was_lost(tmp_path: Path) -> None:
    house, before, after = copied(tmp_path)
    (house.root / "restored").touch()
    store = house.open()
    for number in range(300):
        store.commit(Transaction((message(b"new %d" % number),)))
    store.flush()
    now = checked(house, store)
    assert now.size > 256
    for size in range(1, before.size + 1):
        path = store.log_news(size).consistency
        root = before.root if size == before.size else None
        if root is not None:
            merkle.verify_consistency(size, now.size, root, now.root, path)
    lost = store.log_news(after.size)
    with pytest.raises(merkle.ProofError):
        merkle.verify_consistency(after.size, now.size, after.root, now.root, lost.consistency)
    assert len(said(house, lost)) == 1
    assert store.log_news(now.size + 1).consistency == ()
    house.close()


def test_without_a_marker_nothing_is_said(tmp_path: Path) -> None:
    house, before, _ = copied(tmp_path)
    assert house.open().log_news(before.size).restorations == ()
    house.close()


def test_each_restoration_of_one_copy_has_its_own_statement(tmp_path: Path) -> None:
    house, before, _ = copied(tmp_path)
    (house.root / "restored").touch()
    house.open()
    house.close()
    (house.root / "restored").write_text("5a" * 16)
    statements = said(house, house.open().log_news(0))
    assert [one.size for one in statements] == [before.size, before.size + 1]
    assert statements[1].id == bytes([0x5A]) * 16
    house.close()


def test_a_statement_of_another_log_is_not_served(tmp_path: Path) -> None:
    house, before, _ = copied(tmp_path)
    (house.root / "restored").touch()
    house.open()
    house.close()
    kept = house.root / "server" / "restored" / str(before.size)
    (kept.parent / str(before.size - 1)).write_bytes(kept.read_bytes())
    kept.write_bytes(kept.read_bytes()[:-1] + b"\x00")
    assert house.open().log_news(0).restorations == ()
    house.close()


def test_a_marker_on_a_new_folder_means_nothing(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")
    (house.root / "restored").touch()
    assert house.open().log_news(0).restorations == ()
    assert not (house.root / "restored").exists()
    house.close()


def test_killed_at_every_step_it_is_said_exactly_once(tmp_path: Path) -> None:
    house, before, _ = copied(tmp_path)
    (house.root / "restored").touch()
    steps = 0
    reached = False
    while not reached:
        left = house.copy(tmp_path / f"left {steps}")
        reached = killed_at(left, steps)
        statements = said(left, left.open(UnsyncedDisk()).log_news(0))
        assert [one.size for one in statements] == [before.size]
        audit(left.open(UnsyncedDisk()), house.identity)
        left.close()
        steps += 1
    assert steps > 15


class Killed(Exception):
    """The process ends here."""


def killed_at(house: FileHouse, step: int) -> bool:
    """Start until durable step `step`; True when the start had fewer and went through."""

    def die(number: int, name: str) -> None:
        if number == step:
            raise Killed

    disk = WatchedDisk(before=die)
    try:
        house.open(disk)
    except Killed:
        return False
    disk.before = lambda number, name: None
    house.close()
    return True
