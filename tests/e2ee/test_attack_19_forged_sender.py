"""Attack 19: sender, time and content are inside the signed envelope; none can be made up."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from secure_msg.codec.messages import KIND_MESSAGE, KIND_OPENING, Member, read_envelope
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import envelope, padding, state
from secure_msg.e2ee.envelope import Inner, Signed, TextContent
from secure_msg.e2ee.errors import AuthenticationFailed, RolledBack
from secure_msg.e2ee.events import Received, Undecryptable
from secure_msg.e2ee.ratchet import Place
from tests.e2ee.test_ratchet import Talk
from tests.e2ee.test_thread import Two
from tests.e2ee.world import NOW, THREAD, person, signed_text


def test_attack_19_forged_sender() -> None:
    """The other member's name on a message: the context, and so everything, is another."""
    two = Two()
    two.a.say("hello")
    two.b.say("hi")
    two.b.sync()
    before = state.save(two.b.state)
    chain = two.server.chain(THREAD)
    two.a.say("mine")
    opening, mine = (entry.body or b"" for entry in chain.entries[-2:])
    del chain.entries[-2:]
    forged = replace(read_envelope(mine), author=Member(person("carol").account))
    chain.append(KIND_MESSAGE, to_bytes(forged))
    (event,) = two.b.sync()
    assert type(event) is Undecryptable
    assert event.reason == "author"
    known = state.load(before)
    after = replace(two.b.state, chain=known.chain, last_message=known.last_message)
    assert state.save(after) == before
    # With the true author it is authentic, and the turn goes on.
    chain.append(KIND_OPENING, opening)
    chain.append(KIND_MESSAGE, mine)
    two.b.sync()
    assert two.b.texts() == ["hello", "mine"]


def test_attack_19_a_message_of_the_reader_itself_is_not_believed_either() -> None:
    two = Two()
    two.a.say("hello")
    two.b.sync()
    two.a.post(two.a.draft("mine"))
    chain = two.server.chain(THREAD)
    mine = read_envelope(chain.entries.pop().body or b"")
    chain.append(KIND_MESSAGE, to_bytes(replace(mine, author=Member(two.bob.account))))
    before = state.save(two.b.state)
    with pytest.raises(RolledBack):
        two.b.sync()
    assert state.save(two.b.state) == before


@pytest.mark.parametrize("name", [field.name for field in fields(Signed)])
def test_attack_19_every_signed_field_needs_the_authors_signature(name: str) -> None:
    """Whoever holds the content key (the peer, a thief of the vault) still cannot change a word."""
    talk = Talk()
    sealed = talk.seal(talk.alice)
    original = read_envelope(sealed.body)
    context = envelope.context_of(THREAD, original)
    suite = envelope.aead_by_name(original.aead)
    key, commitment = envelope._content_keys(sealed.content_key, original.salt, context, suite)
    assert commitment == original.commitment
    plain = suite.open(key, bytes(12), original.body, context)
    inner = from_bytes(Inner, padding.unpad(plain))
    signed = from_bytes(Signed, inner.signed)
    value: Any = getattr(signed, name)
    changed: Any = (
        TextContent("other words")
        if name == "content"
        else b"\x01" * 32
        if isinstance(value, bytes)
        else value + 1
    )
    forged_inner = replace(inner, signed=to_bytes(replace(signed, **{name: changed})))
    body = suite.seal(key, bytes(12), padding.pad(to_bytes(forged_inner)), context)
    with pytest.raises(AuthenticationFailed):
        envelope.open_archived(
            replace(original, body=body),
            sealed.content_key,
            thread=THREAD,
            public_of=lambda _: talk.alice.view.keys[0].signing,
        )


def test_attack_19_a_signature_does_not_move_to_another_message() -> None:
    """The peer re-encrypts a signed statement in a message of its own: the context differs."""
    talk = Talk()
    first, second = talk.seal(talk.alice, "yes"), talk.seal(talk.alice, "no")
    opened = []
    for sealed in (first, second):
        original = read_envelope(sealed.body)
        context = envelope.context_of(THREAD, original)
        suite = envelope.aead_by_name(original.aead)
        key, _ = envelope._content_keys(sealed.content_key, original.salt, context, suite)
        opened.append((original, key, context, suite.open(key, bytes(12), original.body, context)))
    original, key, context, _ = opened[1]
    moved = replace(
        original,
        body=envelope.aead_by_name(original.aead).seal(key, bytes(12), opened[0][3], context),
    )
    with pytest.raises(AuthenticationFailed):
        envelope.open_archived(
            moved,
            second.content_key,
            thread=THREAD,
            public_of=lambda _: talk.alice.view.keys[0].signing,
        )


def test_attack_19_one_ciphertext_has_one_content_key() -> None:
    """A commitment: no second key opens the same ciphertext to other words (message franking)."""
    talk = Talk()
    sealed = talk.seal(talk.alice)
    for number in range(200):
        with pytest.raises(AuthenticationFailed):
            envelope.open_archived(
                read_envelope(sealed.body),
                SeededRandom(b"guess%d" % number)(32),
                thread=THREAD,
                public_of=lambda _: talk.alice.view.keys[0].signing,
            )


def test_attack_19_mallory_in_the_middle_of_a_session_cannot_sign_for_alice() -> None:
    """With all session secrets of a broken device, but not its signing key."""
    talk = Talk()
    mallory = person("mallory")
    forged = envelope.seal(
        talk.state(talk.alice),
        signed_text("not from alice"),
        place=Place(THREAD, talk.pair.session, talk.alice.account),
        confirm=talk.pair.confirm,
        seen=1,
        aead="AES-256-GCM",
        signing=mallory.own.signing,
        random=talk.random,
    )
    assert forged.opening is not None
    entry = from_bytes(envelope.ratchet.OpeningEntry, forged.opening)
    with pytest.raises(AuthenticationFailed, match="signature"):
        envelope.unseal(
            talk.state(talk.bob),
            read_envelope(forged.body),
            place=Place(THREAD, talk.pair.session, talk.alice.account),
            confirm=talk.pair.confirm,
            find=lambda _: entry,
            public_of=lambda _: talk.alice.view.keys[0].signing,
            now=NOW,
        )


def test_attack_19_the_servers_time_is_not_the_authors() -> None:
    two = Two()
    two.a.now = NOW + 5
    two.a.say("hello")
    (received,) = [event for event in two.b.sync() if type(event) is Received]
    assert received.time == NOW + 5
