"""Sessions: what a token is worth, and when it is worth nothing any more (attack 40)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from secure_msg.accounts.errors import NotFound, SignInFailed
from secure_msg.accounts.records import MAX_SESSIONS, SessionFile
from secure_msg.accounts.sessions import (
    SEEN_EVERY_MS,
    Sessions,
    SignedIn,
    new_session,
    token_hash,
)
from secure_msg.codec.http import SESSIONS_PATH
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.ledger.transaction import Transaction
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import open_or_create

DAY = 86_400_000
NOW = 1_800_000_000_000
LIFETIME = 30 * DAY


@pytest.fixture
def store(tmp_path) -> Iterator[FileStore]:
    keys = open_or_create(tmp_path, None, os.urandom)
    opened = FileStore.open(tmp_path, keys, lambda: NOW, os.urandom)
    yield opened
    opened.close()


@pytest.fixture
def sessions(store) -> Sessions:
    return Sessions(store, LIFETIME)


def begin(sessions: Sessions, account: bytes, now: int = NOW) -> tuple[bytes, SignedIn]:
    made = new_session(account, "Firefox, Linux", now, os.urandom)
    sessions.begin(made, now, lambda: None)
    who = sessions.find(made.token, now)
    assert who is not None
    return made.token, who


def test_a_token_finds_its_session_and_no_other_does(sessions):
    account = os.urandom(32)
    token, who = begin(sessions, account)
    assert (who.account, who.recovering) == (account, False)
    for wrong in (
        b"",
        token[:-1],
        token + b"\0",
        token[:32] + os.urandom(32),
        os.urandom(32) + token[32:],
        bytes(64),
        bytes([token[0] ^ 1]) + token[1:],
        token[:-1] + bytes([token[-1] ^ 1]),
    ):
        assert sessions.find(wrong, NOW) is None


def test_only_the_hash_is_stored(store, sessions):
    account = os.urandom(32)
    token, _ = begin(sessions, account)
    blob = store.private(account, SESSIONS_PATH).blob
    assert token[32:] not in blob
    assert from_bytes(SessionFile, blob).sessions[0].token == token_hash(token)


def test_every_token_is_new(sessions):
    account = os.urandom(32)
    assert begin(sessions, account)[0] != begin(sessions, account)[0]
    drawn = new_session(account, "", NOW, SeededRandom(b"seed"))
    assert drawn.token[32:] == SeededRandom(b"seed")(32)


def test_attack_40_an_ended_session_is_dead_at_once_and_after_a_restart(store, sessions):
    account = os.urandom(32)
    token, who = begin(sessions, account)
    kept, _ = begin(sessions, account)
    sessions.end(account, who.session)
    assert sessions.find(token, NOW) is None
    assert not sessions.alive(who, NOW)
    again = Sessions(store, LIFETIME)
    assert again.find(token, NOW) is None
    assert again.find(kept, NOW) is not None
    with pytest.raises(NotFound):
        sessions.end(account, who.session)


def test_ending_others_leaves_the_asker(sessions):
    account = os.urandom(32)
    others = [begin(sessions, account)[0] for _ in range(3)]
    token, who = begin(sessions, account)
    assert len(sessions.end_others(who)) == 3
    assert [sessions.find(other, NOW) for other in others] == [None] * 3
    assert sessions.find(token, NOW) == who


def test_an_unused_session_expires(sessions):
    token, who = begin(sessions, os.urandom(32))
    assert sessions.find(token, NOW + LIFETIME - 1) == who
    assert sessions.find(token, NOW + LIFETIME) is None
    assert sessions.listed(who.account, NOW + LIFETIME) == ()


def test_use_keeps_a_session_and_is_noted_once_an_hour(store, sessions):
    token, who = begin(sessions, os.urandom(32))
    size = store.private(who.account, SESSIONS_PATH).version
    sessions.seen(who, NOW + SEEN_EVERY_MS - 1)
    assert store.private(who.account, SESSIONS_PATH).version == size
    sessions.seen(who, NOW + 20 * DAY)
    assert store.private(who.account, SESSIONS_PATH).version == size + 1
    assert sessions.find(token, NOW + 40 * DAY) == who


def test_the_least_recently_used_session_goes_when_there_are_too_many(sessions):
    account = os.urandom(32)
    tokens = [begin(sessions, account, NOW + number)[0] for number in range(MAX_SESSIONS + 2)]
    found = [sessions.find(token, NOW) is not None for token in tokens]
    assert found == [False, False] + [True] * MAX_SESSIONS


def test_what_another_writer_changed_is_taken_up(store):
    account = os.urandom(32)
    one, other = Sessions(store, LIFETIME), Sessions(store, LIFETIME)
    first, who = begin(one, account)
    second, _ = begin(other, account)
    third, _ = begin(one, account)
    assert all(one.find(token, NOW) for token in (first, second, third))
    one.end(account, who.session)
    assert one.find(first, NOW) is None
    assert one.find(second, NOW) is not None


def test_an_older_copy_never_replaces_a_newer_one(store, sessions):
    account = os.urandom(32)
    token, who = begin(sessions, account)
    stale = SessionFile(sessions.listed(account, NOW))
    sessions.end(account, who.session)
    sessions.committed(account, 1, stale)
    assert sessions.find(token, NOW) is None


def test_a_new_password_leaves_one_session_that_may_act(store, sessions):
    account = os.urandom(32)
    made = new_session(account, "", NOW, os.urandom, recovering=True)
    sessions.begin(made, NOW, lambda: None)
    begin(sessions, account)
    who = sessions.find(made.token, NOW)
    assert who.recovering
    put, file = sessions.only_put(who)
    committed = store.commit(Transaction(puts=(put,)))
    sessions.committed(account, committed.versions[0], file)
    assert sessions.find(made.token, NOW) == replace(who, recovering=False)
    assert len(sessions.listed(account, NOW)) == 1


def test_attack_40_a_sign_in_that_a_new_password_overtakes_is_no_sign_in(store, sessions):
    account = os.urandom(32)
    _, owner = begin(sessions, account)
    asked = []

    def prove() -> None:
        """The old password holds when asked first; its change commits before the sign-in does."""
        asked.append(True)
        if len(asked) > 1:
            raise SignInFailed
        put, file = sessions.only_put(owner)
        committed = store.commit(Transaction(puts=(put,)))
        sessions.committed(account, committed.versions[0], file)

    late = new_session(account, "", NOW, os.urandom)
    with pytest.raises(SignInFailed):
        sessions.begin(late, NOW, prove)
    assert len(asked) == 2
    assert sessions.find(late.token, NOW) is None
    assert [one.id for one in sessions.listed(account, NOW)] == [owner.session]
