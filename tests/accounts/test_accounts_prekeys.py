"""One-time prekeys are handed out once each, however many ask at the same time (attack 4)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from secure_msg.accounts.chains import Bounds, Chains
from secure_msg.accounts.errors import NotFound, StatementRefused
from secure_msg.accounts.prekeys import Prekeys
from secure_msg.codec.accounts import CredentialEvent
from secure_msg.codec.schema import to_bytes
from secure_msg.ledger.transaction import Append, Transaction
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import open_or_create
from tests.support.people import Person


@pytest.fixture
def store(tmp_path) -> Iterator[FileStore]:
    keys = open_or_create(tmp_path, None, os.urandom)
    opened = FileStore.open(tmp_path, keys, lambda: 1_800_000_000_000, os.urandom)
    yield opened
    opened.close()


SERVER = b"s" * 32


@pytest.fixture
def person(store) -> Person:
    made = Person("asked", os.urandom(32))
    bodies = [
        ("account", made.account_statement(SERVER)),
        ("keys", made.keys_entry()),
        ("prekey", made.prekey()),
        ("prekey-batch", made.batch(1, 16)),
    ]
    store.commit(
        Transaction(appends=tuple(Append(made.account, kind, body) for kind, body in bodies))
    )
    return made


def test_askers_at_once_get_different_keys(store, person):
    prekeys = Prekeys(store, Chains(store, SERVER))
    with ThreadPoolExecutor(4) as pool:
        bundles = list(
            pool.map(lambda _: prekeys.bundle(person.account, with_one_time=True), range(16))
        )
    given = [bundle.one_time.key for bundle in bundles if bundle.one_time is not None]
    assert len(set(given)) == len(given)
    assert given
    handed = Chains(store, SERVER).state(person.account).view.handed
    assert len(handed) == len(given)


def test_when_all_are_used_the_signed_prekey_stands_alone(store, person):
    prekeys = Prekeys(store, Chains(store, SERVER))
    bundles = [prekeys.bundle(person.account, with_one_time=True) for _ in range(18)]
    assert [bundle.one_time is None for bundle in bundles] == [False] * 16 + [True] * 2
    assert bundles[-1].prekey == bundles[0].prekey


def test_only_the_newest_batch_is_handed_out(store, person):
    chains = Chains(store, SERVER)
    prekeys = Prekeys(store, chains)
    first = prekeys.bundle(person.account, with_one_time=True)
    store.commit(Transaction(appends=(Append(person.account, "prekey-batch", person.batch(2, 2)),)))
    second = prekeys.bundle(person.account, with_one_time=True)
    assert second.one_time.batch != first.one_time.batch
    assert second.one_time.index == 0


def test_the_view_of_a_restarted_server_is_the_same(store, person):
    chains = Chains(store, SERVER)
    Prekeys(store, chains).bundle(person.account, with_one_time=True)
    assert Chains(store, SERVER).state(person.account) == chains.state(person.account)


def test_a_chain_that_is_not_there_is_not_found(store):
    with pytest.raises(NotFound):
        Chains(store, SERVER).state(os.urandom(32))


def test_attack_06_own_statements_must_be_one_s_own_and_in_order(store, person):
    chains = Chains(store, SERVER)
    stranger = Person("stranger", person.account)
    refused = [
        ("keys", stranger.keys_entry(2)),
        ("keys", person.keys_entry(1)),
        ("keys", person.keys_entry(3)),
        ("prekey", Person("x", os.urandom(32), person.root).prekey(2)),
        ("prekey-batch", person.batch(2)[:-1]),
        ("account", person.account_statement(SERVER)),
        ("credential", b"\x81\x67created"),
        ("prekey-handed", b"\x82\x01\x00"),
    ]
    for kind, body in refused:
        with pytest.raises(StatementRefused):
            chains.check_own(person.account, [(kind, body)])
    assert chains.check_own(person.account, [("keys", person.keys_entry(2))]) == 4


def bounded(store, person, **more: int) -> tuple[Chains, Prekeys]:
    chains = Chains(store, SERVER, Bounds(**{"own": 8, "handed": 3, "passwords": 2, **more}))
    return chains, Prekeys(store, chains)


def test_attack_33_strangers_leave_the_owner_s_half_of_the_chain(store, person):
    chains, prekeys = bounded(store, person)
    bundles = [prekeys.bundle(person.account, with_one_time=True) for _ in range(6)]
    assert [bundle.one_time is None for bundle in bundles] == [False] * 3 + [True] * 3
    own = [("prekey", person.prekey(2)), ("prekey", person.prekey(3)), ("prekey", person.prekey(4))]
    assert chains.check_own(person.account, own[:2]) == 7
    with pytest.raises(StatementRefused, match="full"):
        chains.check_own(person.account, own)


def test_attack_33_the_owner_s_own_entries_end_before_new_passwords_do(store, person):
    chains, _ = bounded(store, person)
    for number in (2, 3):
        body = person.prekey(number)
        chains.check_own(person.account, [("prekey", body)])
        store.commit(Transaction(appends=(Append(person.account, "prekey", body),)))
    with pytest.raises(StatementRefused, match="full"):
        chains.check_own(person.account, [("prekey", person.prekey(4))])
    for _ in range(2):
        chains.require_room(person.account)
        event = to_bytes(CredentialEvent("changed"))
        store.commit(Transaction(appends=(Append(person.account, "credential", event),)))
    with pytest.raises(StatementRefused, match="full"):
        chains.require_room(person.account)


def test_what_is_served_of_a_chain_is_bounded(store, person):
    chains, _ = bounded(store, person, own=100, served=40_000)
    with pytest.raises(StatementRefused, match="full"):
        chains.check_own(person.account, [("keys", person.keys_entry(n)) for n in (2, 3, 4)])
    batches = [("prekey-batch", person.batch(n, 32)) for n in (2, 3, 4)]
    assert chains.check_own(person.account, batches) == 4
