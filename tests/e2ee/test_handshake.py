"""The handshake: both sides derive the same, and nothing in it can be changed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from secure_msg.codec.messages import OneTimeRef, read_handshake, session_id
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import handshake, prekeys
from secure_msg.e2ee.errors import NeedsAccount, PeerViolation, ProtocolError
from secure_msg.e2ee.handshake import Initiated, Responded
from tests.e2ee.world import NOW, THREAD, Person, person, rotate_keys


def begin(
    alice: Person, bob: Person, one_time: tuple[int, int] | None = (1, 0), **more: Any
) -> Initiated:
    given = {"thread": THREAD, "replaces": b"", "now": NOW, "random": SeededRandom(b"begin")}
    return handshake.initiate(alice.own, bob.peer_bundle(one_time), **{**given, **more})


def answer(body: bytes, alice: Person, bob: Person) -> Responded:
    return handshake.respond(body, own=bob.own, peer=alice.view, thread=THREAD, prekeys=bob.prekeys)


@pytest.mark.parametrize("one_time", [(1, 3), None])
def test_both_sides_derive_the_same(one_time: tuple[int, int] | None) -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob, one_time)
    answered = answer(begun.body, alice, bob)
    assert begun.secrets == answered.secrets
    assert begun.session == answered.session == session_id(begun.body)
    assert len({getattr(begun.secrets, field.name) for field in fields(begun.secrets)}) == 5
    assert (begun.handshake.ct_one_time is None) == (one_time is None)


def test_the_one_time_key_is_gone_afterwards() -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob, (1, 3))
    answered = answer(begun.body, alice, bob)
    assert answered.prekeys.batches[0].keys[3] is None
    before = to_bytes(answered.prekeys)
    bob.prekeys = answered.prekeys
    with pytest.raises(PeerViolation, match="spent or unknown"):
        answer(begun.body, alice, bob)
    assert to_bytes(bob.prekeys) == before


def test_fresh_randomness_gives_another_session() -> None:
    alice, bob = person("alice"), person("bob")
    first = begin(alice, bob)
    second = begin(alice, bob, random=SeededRandom(b"other"))
    assert first.session != second.session
    assert first.secrets.root != second.secrets.root


def test_every_field_of_the_handshake_is_bound() -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    before = to_bytes(bob.prekeys)
    original = read_handshake(begun.body)
    altered: list[dict[str, Any]] = [
        {"initiator_keys": 2},
        {"responder_keys": 2},
        {"prekey": 2},
        {"one_time": OneTimeRef(1, 1)},
        {"one_time": OneTimeRef(2, 0)},
        {"one_time": None, "ct_one_time": None},
        {"replaces": bytes(32)},
        {"created": NOW + 1},
    ]
    for name in (
        "thread", "initiator", "responder", "ephemeral", "ct_identity", "ct_prekey",
        "ct_one_time", "signature",
    ):  # fmt: skip
        value: bytes = getattr(original, name)
        for at in range(0, len(value), max(1, len(value) // 16)):
            flipped = bytearray(value)
            flipped[at] ^= 1
            altered.append({name: bytes(flipped)})
    covered = {name for change in altered for name in change}
    assert covered == {field.name for field in fields(original)} - {"suite"}
    for change in altered:
        with pytest.raises(ProtocolError):
            answer(to_bytes(replace(original, **change)), alice, bob)
    assert to_bytes(bob.prekeys) == before
    assert answer(begun.body, alice, bob).session == begun.session


def test_rotated_keys_of_both_sides() -> None:
    alice, bob = person("alice"), person("bob")
    old = begin(alice, bob, (1, 0))
    rotate_keys(alice)
    rotate_keys(bob)
    new = begin(alice, bob, (1, 1))
    assert (new.handshake.initiator_keys, new.handshake.responder_keys) == (2, 2)
    for begun in (old, new):
        assert answer(begun.body, alice, bob).secrets == begun.secrets


def test_a_generation_that_is_not_known_yet_is_asked_for() -> None:
    alice, bob = person("alice"), person("bob")
    earlier = alice.view
    rotate_keys(alice)
    begun = begin(alice, bob)
    with pytest.raises(NeedsAccount) as asked:
        handshake.respond(begun.body, own=bob.own, peer=earlier, thread=THREAD, prekeys=bob.prekeys)
    assert (asked.value.account, asked.value.generation) == (alice.account, 2)
    stale = replace(bob.own, view=replace(bob.view, prekeys=()))
    with pytest.raises(NeedsAccount) as asked:
        handshake.respond(
            begun.body, own=stale, peer=alice.view, thread=THREAD, prekeys=bob.prekeys
        )
    assert asked.value.account == bob.account


def test_a_prekey_that_is_no_longer_kept_is_refused() -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    bob.prekeys = replace(bob.prekeys, signed=())
    with pytest.raises(PeerViolation, match="signed prekey"):
        answer(begun.body, alice, bob)
    bob.prekeys = replace(prekeys.EMPTY, next_prekey=2, next_batch=2)
    with pytest.raises(PeerViolation):
        answer(begun.body, alice, bob)


def test_it_is_for_its_thread_and_its_two_accounts() -> None:
    alice, bob, carol = person("alice"), person("bob"), person("carol")
    begun = begin(alice, bob)
    for own, peer, thread in (
        (bob, alice, bytes(32)),
        (bob, carol, THREAD),
        (carol, alice, THREAD),
        (alice, bob, THREAD),
    ):
        with pytest.raises(ProtocolError):
            handshake.respond(
                begun.body, own=own.own, peer=peer.view, thread=thread, prekeys=own.prekeys
            )
