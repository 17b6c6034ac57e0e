"""Never two heads of one size, and every request once, whatever ends in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest

from secure_msg.crypto.random import system_random
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.followed import Followed
from secure_msg.ledger.restored import verify_restoration
from secure_msg.ledger.transaction import Append, Damaged, Put, Transaction
from secure_msg.store.postgres.commit import Deposed, advance
from secure_msg.store.postgres.schema import SEQUENCER, WrongDatabase
from secure_msg.store.postgres.setback import announce
from secure_msg.store.postgres.store import PostgresStore
from tests.postgres.house import PostgresHouse
from tests.store.contract import (
    ALICE,
    PATH,
    THREAD,
    account,
    audit,
    ident,
    message,
    now_and_after_restart,
    opened,
)


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def run(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(query, values)  # type: ignore[call-overload]
        return done.fetchall() if done.description else []


class Slow:
    """The `offload` of a process that falls asleep when it is about to sign."""

    def __init__(self) -> None:
        self.asleep = threading.Event()
        self.wake = threading.Event()
        self.wake.set()

    def __call__(self, work: Callable[[], Any]) -> Any:
        if not self.wake.is_set():
            self.asleep.set()
            self.wake.wait(60)
        return work()


class Heard:
    def __init__(self) -> None:
        self.commits: list[Followed] = []

    def followed(self, commit: Followed) -> None:
        self.commits.append(commit)

    def lost(self) -> None:
        pass


def test_a_sequencer_that_sleeps_before_it_signs_signs_the_same_head(
    house: PostgresHouse,
) -> None:
    slow = Slow()
    first = house.another(offload=slow)
    second = house.another()
    assert (first.leads, second.leads) == (True, False)
    second.commit(opened())
    slow.wake.clear()
    answers: list[object] = []
    asking = threading.Thread(
        target=lambda: answers.append(second.commit(Transaction((message(b"in between"),))))
    )
    asking.start()
    assert slow.asleep.wait(30)
    # The commit stands, unsigned; the database ends the sleeper's session and with it its office.
    until(lambda: second.leads)
    asking.join(30)
    assert len(answers) == 1
    second.commit(Transaction((message(b"after"),)))
    slow.wake.set()
    until(lambda: first.log_size == second.log_size)
    until(lambda: not first.leads)
    first.commit(Transaction((message(b"by the deposed one"),)))
    until(lambda: first.log_size == second.log_size)
    notes = [
        verify_checkpoint(one.checkpoint(), house.identity.origin, house.identity.public)
        for one in (first, second)
    ]
    assert notes[0] == notes[1]
    assert [one.body for one in second.entries(THREAD, 1, 9)] == [
        b"in between",
        b"after",
        b"by the deposed one",
    ]
    audit(first, house.identity)


def test_an_older_epoch_commits_nothing(house: PostgresHouse) -> None:
    store = house.open()
    store.commit(opened())
    size = store.log_size
    with psycopg.connect(house.url) as connection:
        row = connection.execute("SELECT epoch FROM securemsg.store").fetchone()
        assert row is not None
        for epoch, at in ((row[0] - 1, size), (row[0], size - 1), (row[0] + 1, size)):
            with pytest.raises(Deposed):
                advance(connection, epoch, at)
        advance(connection, row[0], size)
        connection.rollback()


def test_what_was_asked_while_nobody_led_is_done_once_by_the_next(house: PostgresHouse) -> None:
    first = house.another()
    second = house.another()
    second.commit(opened())
    first._leader.stop()  # as when it dies between two batches
    done = [second.commit(Transaction((message(b"%d" % n),))) for n in range(3)]
    assert [one.placed[0].sequence for one in done] == [1, 2, 3]
    assert second.leads
    until(lambda: first.log_size == second.log_size)
    assert first.head(THREAD) == second.head(THREAD)


def test_an_answer_that_nobody_fetched_is_found_by_its_id(house: PostgresHouse) -> None:
    """The same request handed in again is not done again."""
    store = house.open()
    store.commit(opened())
    desk = store._desk
    hand_in, handed = desk._hand_in, []

    def twice(request_id: bytes, size: int, payload: bytes) -> None:
        hand_in(request_id, size, payload)
        until(
            lambda: bool(
                run(
                    house.url,
                    "SELECT 1 FROM securemsg.requests WHERE id = %s AND result IS NOT NULL",
                    request_id,
                )
            )
        )
        hand_in(request_id, size, payload)
        handed.append(request_id)

    desk._hand_in = twice  # type: ignore[method-assign]
    store.commit(Transaction((message(b"once"),)))
    assert len(handed) == 1
    assert store.head(THREAD).size == 2


def test_every_process_is_told_of_every_commit_once_and_in_order(house: PostgresHouse) -> None:
    heard = Heard(), Heard()
    one, other = (house.another(each) for each in heard)
    one.commit(account(ALICE, "alice"))
    other.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"blob"),)))
    one.commit(Transaction(puts=(Put(ALICE, PATH, 1, None),)))
    until(lambda: one.log_size == other.log_size)
    for each in heard:
        indices = [commit.log_index for commit in each.commits]
        assert indices == list(range(indices[0], one.log_size))
    files = [file for commit in heard[1].commits for file in commit.files]
    assert [(file.version, file.length) for file in files] == [(1, 4), (0, 0)]
    accounts = [c for commit in heard[1].commits for c in commit.chains if c.begun == "account"]
    assert [(c.chain, c.label, c.before, c.size) for c in accounts] == [(ALICE, b"alice", 0, 1)]


def test_a_lost_database_is_busy_and_comes_back(house: PostgresHouse) -> None:
    store = house.open()
    store.commit(opened())
    run(
        house.url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'secure-msg%%'",
    )
    until(lambda: store.condition == "ok" and store.leads)
    assert [one.body for one in store.entries(THREAD, 0, 9)] == [b"members"]
    store.commit(Transaction((message(b"after"),)))
    audit(store, house.identity)


DAMAGES = {
    "frame": "UPDATE securemsg.entries SET frame = set_byte(frame, octet_length(frame) - 1, 7) "
    "WHERE sequence = 2 AND chain = %(thread)s",
    "leaf": "UPDATE securemsg.entries SET leaf = set_byte(leaf, 3, get_byte(leaf, 3) # 1) "
    "WHERE sequence = 2 AND chain = %(thread)s",
    "row gone": "DELETE FROM securemsg.entries WHERE sequence = 2 AND chain = %(thread)s",
    "frames swapped": "UPDATE securemsg.entries AS one SET frame = other.frame "
    "FROM securemsg.entries AS other WHERE one.chain = %(thread)s AND other.chain = one.chain "
    "AND one.sequence = 2 AND other.sequence = 3",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_attack_17_an_altered_row_is_not_served(house: PostgresHouse, damage: str) -> None:
    store = house.open()
    store.commit(opened())
    for number in range(4):
        store.commit(Transaction((message(b"body %d" % number),)))
    with psycopg.connect(house.url, autocommit=True) as connection:
        connection.execute(damage, {"thread": THREAD})  # type: ignore[call-overload]
    for current in now_and_after_restart(store, house):
        with pytest.raises(Damaged):
            current.entries(THREAD, 0, 9)
        assert current.stats().damaged


def fill(store: PostgresStore) -> None:
    store.commit(account(ALICE, "alice"))
    store.commit(opened())
    store.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"first"),)))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE securemsg.heads SET record = set_byte(record, 40, get_byte(record, 40) # 1)",
        "DELETE FROM securemsg.heads WHERE chain = %(thread)s",
        "UPDATE securemsg.names SET account = %(thread)s",
        "UPDATE securemsg.commits SET mac = set_byte(mac, 0, get_byte(mac, 0) # 1)",
        "UPDATE securemsg.commits SET leaf = set_byte(leaf, 70, get_byte(leaf, 70) # 1) "
        "WHERE log_index = 1",
        "UPDATE securemsg.store SET checkpoint = set_byte(checkpoint, 60, 66)",
        "DELETE FROM securemsg.commits WHERE log_index = 1",
    ],
)
def test_attack_17_nothing_starts_on_altered_heads(house: PostgresHouse, damage: str) -> None:
    fill(house.open())
    house.close()
    with psycopg.connect(house.url, autocommit=True) as connection:
        connection.execute(damage, {"thread": THREAD})  # type: ignore[call-overload]
    with pytest.raises(Damaged):
        house.open()


def test_attack_18_an_older_private_file_is_not_served(house: PostgresHouse) -> None:
    store = house.open()
    fill(store)
    before = run(house.url, "SELECT version, blob FROM securemsg.blobs")[0]
    store.commit(Transaction(puts=(Put(ALICE, PATH, 1, b"other"),)))
    run(house.url, "UPDATE securemsg.blobs SET version = %s, blob = %s", *before)
    for current in now_and_after_restart(store, house):
        with pytest.raises(Damaged):
            current.private(ALICE, PATH)


def test_a_request_that_no_process_of_ours_asked_is_not_done(house: PostgresHouse) -> None:
    store = house.open()
    store.commit(opened())
    run(
        house.url,
        "INSERT INTO securemsg.requests (id, size, payload) VALUES (%s, 1, %s)",
        b"i" * 16,
        bytes(64),
    )
    store.commit(Transaction((Append(ident("two"), "opened", b"o"),)))
    [(result,)] = run(house.url, "SELECT result FROM securemsg.requests WHERE id = %s", b"i" * 16)
    assert b"damaged" in result


def test_a_database_that_was_set_back_is_said_in_the_log(house: PostgresHouse) -> None:
    fill(house.open())
    house.close()
    before = house.open()
    size = before.log_size
    with pytest.raises(WrongDatabase, match="runs on this database"):
        announce(house.url, house.keys, system_random)
    house.close()
    announce(house.url, house.keys, system_random)
    for current in now_and_after_restart(house.open(), house):
        news = current.log_news(size)
        identity = house.identity
        now = verify_checkpoint(news.checkpoint, identity.origin, identity.public)
        [restoration] = news.restorations
        said = verify_restoration(restoration, now, identity.public, identity.id)
        assert (said.size, restoration.log_index) == (size, size)
        audit(current, identity)


def test_a_process_shows_nothing_of_a_database_that_went_back(house: PostgresHouse) -> None:
    store = house.open()
    store.commit(opened())
    size = store.log_size
    run(house.url, "UPDATE securemsg.store SET signed_size = signed_size - 1")
    with psycopg.connect(house.url) as connection, pytest.raises(Damaged, match="went back"):
        store._replica.catch_up(connection)
    assert store.log_size == size
    run(house.url, "UPDATE securemsg.store SET signed_size = signed_size + 1")


def test_a_sequencer_that_falls_silent_within_a_pipeline_loses_its_office(
    house: PostgresHouse,
) -> None:
    house.open()
    house.close()
    with closing(psycopg.connect(house.url, autocommit=True)) as silent:
        for name in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
            silent.execute("SELECT set_config(%s, '1000', false)", (name,))
        silent.execute("SELECT pg_advisory_lock(%s)", (SEQUENCER,))
        silent.pgconn.enter_pipeline_mode()
        silent.pgconn.send_query_params(b"SELECT 1", [])
        silent.pgconn.send_flush_request()
        silent.pgconn.flush()
        store = house.another()
        until(lambda: store.leads)
        store.commit(opened())
