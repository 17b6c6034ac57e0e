"""Statements, bundles and account chains: what is accepted, and everything else refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    KIND_CREDENTIAL,
    KIND_KEYS,
    KIND_PREKEY,
    KIND_PREKEY_BATCH,
    KIND_PREKEY_HANDED,
    TYPE_KEYS,
    BatchEntry,
    CredentialEvent,
    KeysEntry,
    KeysStatement,
    PrekeyHanded,
)
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.codec.statement import sign_statement
from secure_msg.crypto.agreement import AgreementKey
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID
from secure_msg.e2ee import identity, prekeys
from secure_msg.e2ee.errors import NeedsAccount, PeerViolation, ServerViolation
from secure_msg.ledger.accountchain import (
    AccountViolation,
    apply_batch_statement,
    apply_entry,
    open_account,
)
from tests.e2ee.world import NOW, SERVER, Person, person, rotate_keys


def next_keys(who: Person, generation: int, *, root: Person | None = None) -> bytes:
    signing = HYBRID.generate(SeededRandom(b"next")(64))
    agreement = AgreementKey(SeededRandom(b"next")(96)).public
    return identity.keys_entry(
        (root or who).root,
        signing,
        agreement,
        account=who.account,
        generation=generation,
        now=NOW,
    )


def test_a_chain_of_all_kinds_is_read() -> None:
    alice = person("alice")
    rotate_keys(alice)
    alice.publish(
        (KIND_PREKEY_HANDED, to_bytes(PrekeyHanded(1, 3))),
        (KIND_CREDENTIAL, to_bytes(CredentialEvent("changed"))),
    )
    view = alice.view
    assert [keys.generation for keys in view.keys] == [1, 2]
    assert (len(view.prekeys), len(view.batches)) == (1, 1)
    assert view.handed == {(1, 3)}
    assert view.batches[0].count == 8
    by_statement = open_account(alice.entries[0][1], server=SERVER, account=alice.account)
    for kind, body in alice.entries[1:]:
        if kind == KIND_PREKEY_BATCH:
            statement = from_bytes(BatchEntry, body).statement
            by_statement = apply_batch_statement(by_statement, statement)
        else:
            by_statement = apply_entry(by_statement, kind, body)
    assert by_statement == view


def test_a_chain_is_read_at_once_or_not_at_all() -> None:
    alice = person("alice")
    given = {"server": SERVER, "account": alice.account}
    assert identity.view_of(alice.entries, **given) == alice.view
    for entries in ([], alice.entries[1:], alice.entries[:1] * 2, alice.entries[::-1]):
        with pytest.raises(PeerViolation):
            identity.view_of(entries, **given)


def test_what_an_account_chain_refuses() -> None:
    alice, mallory = person("alice"), person("mallory")
    view = alice.view
    account = alice.entries[0][1]
    stranger = next(body for kind, body in mallory.entries if kind == KIND_KEYS)
    batch = next(body for kind, body in alice.entries if kind == KIND_PREKEY_BATCH)
    prekey = next(body for kind, body in alice.entries if kind == KIND_PREKEY)
    handed = apply_entry(view, KIND_PREKEY_HANDED, to_bytes(PrekeyHanded(1, 0)))
    refused = [
        (view, KIND_ACCOUNT, account),
        (view, KIND_KEYS, stranger),
        (view, KIND_KEYS, next_keys(alice, 1)),
        (view, KIND_KEYS, next_keys(alice, 3)),
        (view, KIND_KEYS, next_keys(alice, 2, root=mallory)),
        (view, KIND_PREKEY, prekey),
        (view, KIND_PREKEY_BATCH, batch),
        (view, KIND_PREKEY_HANDED, to_bytes(PrekeyHanded(1, 8))),
        (view, KIND_PREKEY_HANDED, to_bytes(PrekeyHanded(2, 0))),
        (handed, KIND_PREKEY_HANDED, to_bytes(PrekeyHanded(1, 0))),
        (view, KIND_CREDENTIAL, b"\x81\x61x"),
        (view, "message", b""),
        (view, KIND_KEYS, b""),
    ]
    for before, kind, body in refused:
        with pytest.raises(AccountViolation):
            apply_entry(before, kind, body)
    assert apply_entry(view, KIND_KEYS, next_keys(alice, 2)).keys[-1].generation == 2


def test_every_altered_byte_of_a_keys_entry_is_refused() -> None:
    alice = person("alice")
    entry = next_keys(alice, 2)
    for at in range(0, len(entry), 53):
        altered = bytearray(entry)
        altered[at] ^= 1
        with pytest.raises(AccountViolation):
            apply_entry(alice.view, KIND_KEYS, bytes(altered))


def test_an_account_statement_is_of_its_account_and_server() -> None:
    alice = person("alice")
    body = alice.entries[0][1]
    for server, account in ((bytes(32), alice.account), (SERVER, bytes(32))):
        with pytest.raises(AccountViolation):
            open_account(body, server=server, account=account)
    for at in range(0, len(body), 53):
        altered = bytearray(body)
        altered[at] ^= 1
        with pytest.raises(AccountViolation):
            open_account(bytes(altered), server=SERVER, account=alice.account)


def test_keys_without_possession_or_common_suite_are_refused() -> None:
    alice, victim = person("alice"), person("victim")
    stolen = victim.view.keys[0]
    payload = to_bytes(
        KeysStatement(alice.account, 2, stolen.signing, stolen.agreement, ("SM1",), NOW)
    )
    statement = sign_statement(alice.root, TYPE_KEYS, payload)
    theirs = next(body for kind, body in victim.entries if kind == KIND_KEYS)
    borrowed = KeysEntry(statement, from_bytes(KeysEntry, theirs).possession)
    with pytest.raises(AccountViolation, match="possession"):
        apply_entry(alice.view, KIND_KEYS, to_bytes(borrowed))
    made = from_bytes(KeysEntry, next_keys(alice, 2))
    foreign = to_bytes(
        KeysStatement(alice.account, 2, stolen.signing, stolen.agreement, ("SM9",), NOW)
    )
    other = replace(made, statement=sign_statement(alice.root, TYPE_KEYS, foreign))
    with pytest.raises(AccountViolation, match="suite"):
        apply_entry(alice.view, KIND_KEYS, to_bytes(other))


def test_a_batch_is_its_signed_root() -> None:
    alice = person("alice")
    publics = tuple(AgreementKey(alice.random(96)).public for _ in range(3))
    body = prekeys.batch_entry(alice.root, publics, account=alice.account, batch=2, now=NOW)
    entry = from_bytes(BatchEntry, body)
    for keys in (publics[::-1], publics[:2], (*publics, publics[0])):
        with pytest.raises(AccountViolation):
            apply_entry(alice.view, KIND_PREKEY_BATCH, to_bytes(replace(entry, keys=keys)))
    assert apply_entry(alice.view, KIND_PREKEY_BATCH, body).batches[-1].count == 3


def test_the_bundle_is_pinned() -> None:
    bob, impostor = person("bob"), person("bob", seed=2)
    pinned = bob.view.fingerprint
    bundle = identity.open_bundle(
        bob.bundle((1, 0)), server=SERVER, account=bob.account, pinned=pinned
    )
    assert bundle.view.fingerprint == pinned
    with pytest.raises(PeerViolation, match="pinned"):
        identity.open_bundle(
            impostor.bundle((1, 0)), server=SERVER, account=bob.account, pinned=pinned
        )


def test_a_bundle_older_than_the_chain_is_refused() -> None:
    bob = person("bob")
    old = bob.peer_bundle()
    rotate_keys(bob)
    with pytest.raises(ServerViolation, match="superseded"):
        identity.check_bundle_is_current(old, bob.view)
    identity.check_bundle_is_current(bob.peer_bundle(), bob.view)
    with pytest.raises(PeerViolation, match="root"):
        identity.check_bundle_is_current(old, person("bob", seed=2).view)


def test_a_missing_generation_is_asked_for() -> None:
    alice = person("alice")
    with pytest.raises(NeedsAccount) as asked:
        identity.keys_of(alice.view, 2)
    assert asked.value.generation == 2


def test_the_safety_number_is_the_same_for_both_and_another_for_others() -> None:
    prints = [person(name).view.fingerprint for name in ("alice", "bob", "carol")]
    number = identity.safety_number(prints[0], prints[1])
    assert number == identity.safety_number(prints[1], prints[0])
    assert [len(group) for group in number.split(" ")] == [5] * 12
    assert number != identity.safety_number(prints[0], prints[2])


def test_prekeys_are_replenished_when_due() -> None:
    alice = person("alice", batch=9)
    due = {"account": alice.account, "random": alice.random}
    week, month = 7 * prekeys.DAY, 30 * prekeys.DAY

    def replenish(now: int, used: int) -> prekeys.Published:
        handed = frozenset((1, index) for index in range(used))
        return prekeys.replenish(
            alice.prekeys,
            alice.root,
            handed=handed,
            now=now,
            **due,  # type: ignore[arg-type]
        )

    assert replenish(NOW + week - 1, 1) == prekeys.Published(alice.prekeys, ())
    assert [kind for kind, _ in replenish(NOW + week, 1).entries] == [KIND_PREKEY]
    assert [kind for kind, _ in replenish(NOW, 2).entries] == [KIND_PREKEY_BATCH]
    for step in range(1, 6):
        published = replenish(NOW + step * week, 9)
        alice.publish(*published.entries)
        alice.prekeys = published.prekeys
    assert len(alice.prekeys.signed) == prekeys.MAX_SIGNED
    assert alice.prekeys.next_prekey == 7
    dropped = prekeys.drop_old(alice.prekeys, NOW + 5 * week + month)
    assert [prekey.id for prekey in dropped.signed] == [5, 6]


def test_at_most_eight_batches_are_kept() -> None:
    alice = person("alice", batch=1)
    for _ in range(9):
        published = prekeys.add_batch(
            alice.prekeys, alice.root, account=alice.account, now=NOW, random=alice.random, count=1
        )
        alice.publish(*published.entries)
        alice.prekeys = published.prekeys
    assert [batch.batch for batch in alice.prekeys.batches] == list(range(3, 11))
