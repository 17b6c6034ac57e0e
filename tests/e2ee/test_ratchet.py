"""The ratchet's steps: turns, skipped keys, replays, bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_msg.codec.messages import OpeningEntry, opening_id, read_envelope
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import envelope
from secure_msg.e2ee.envelope import Sealed, TextContent, Unsealed
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    Misuse,
    NeedsOpening,
    PeerViolation,
    ProtocolError,
    Replayed,
)
from secure_msg.e2ee.ratchet import Place, RatchetState
from tests.e2ee.world import NOW, THREAD, Pair, Person, pair, person, signed_text

DAY = 86_400_000


class Talk:
    """One session between two people, message by message."""

    def __init__(self, seed: bytes = b"talk") -> None:
        self.random = SeededRandom(seed)
        self.alice, self.bob = person("alice"), person("bob")
        self.pair: Pair = pair(self.alice, self.bob, self.random)
        self.openings: dict[bytes, OpeningEntry] = {}

    def state(self, who: Person) -> RatchetState:
        return self.pair.states[who.account]

    def place(self, author: Person) -> Place:
        return Place(THREAD, self.pair.session, author.account)

    def seal(self, author: Person, text: str = "hello") -> Sealed:
        sealed = envelope.seal(
            self.state(author),
            signed_text(text),
            place=self.place(author),
            confirm=self.pair.confirm,
            seen=1,
            aead="AES-256-GCM",
            signing=author.own.signing,
            random=self.random,
        )
        self.pair.states[author.account] = sealed.ratchet
        if sealed.opening is not None:
            entry = from_bytes(OpeningEntry, sealed.opening)
            self.openings[opening_id(sealed.opening)] = entry
        return sealed

    def unseal(self, author: Person, body: bytes, *, now: int = NOW) -> Unsealed:
        """Without keeping the next state."""
        reader = self.bob if author is self.alice else self.alice
        return envelope.unseal(
            self.state(reader),
            read_envelope(body),
            place=self.place(author),
            confirm=self.pair.confirm,
            find=self.openings.get,
            public_of=lambda generation: author.view.keys[generation - 1].signing,
            now=now,
        )

    def deliver(self, author: Person, sealed: Sealed, *, now: int = NOW) -> Unsealed:
        reader = self.bob if author is self.alice else self.alice
        unsealed = self.unseal(author, sealed.body, now=now)
        self.pair.states[reader.account] = unsealed.ratchet
        return unsealed

    def refuse(self, author: Person, sealed: Sealed, error: type[ProtocolError]) -> None:
        reader = self.bob if author is self.alice else self.alice
        before = to_bytes(self.state(reader))
        with pytest.raises(error):
            self.unseal(author, sealed.body)
        assert to_bytes(self.state(reader)) == before


def test_a_turn_opens_once_and_carries_new_keys() -> None:
    talk = Talk()
    first, second = talk.seal(talk.alice), talk.seal(talk.alice)
    assert first.opening is not None
    assert second.opening is None
    talk.deliver(talk.alice, first)
    talk.deliver(talk.alice, second)
    answer = talk.seal(talk.bob)
    assert answer.opening is not None
    talk.deliver(talk.bob, answer)
    assert talk.state(talk.alice).turn == talk.state(talk.bob).turn == 2
    assert talk.state(talk.alice).root == talk.state(talk.bob).root
    assert talk.seal(talk.alice).opening is not None


def test_a_responder_cannot_send_before_it_received() -> None:
    talk = Talk()
    with pytest.raises(Misuse):
        talk.seal(talk.bob)


def test_no_two_messages_share_a_key() -> None:
    talk = Talk()
    keys = set()
    for turn in range(4):
        author = talk.alice if turn % 2 == 0 else talk.bob
        for _ in range(3):
            sealed = talk.seal(author)
            keys.add(sealed.content_key)
            talk.deliver(author, sealed)
    assert len(keys) == 12


def test_skipped_messages_are_read_later_once() -> None:
    talk = Talk()
    sealed = [talk.seal(talk.alice, f"{n}") for n in range(5)]
    assert talk.deliver(talk.alice, sealed[3]).gap == 3
    assert len(talk.state(talk.bob).skipped) == 3
    for late in (1, 0, 2, 4):
        unsealed = talk.deliver(talk.alice, sealed[late])
        assert unsealed.signed.content == TextContent(f"{late}")
        assert unsealed.gap == 0
    assert talk.state(talk.bob).skipped == ()
    for again in sealed:
        talk.refuse(talk.alice, again, Replayed)


def test_skipped_messages_of_an_old_turn_are_read_after_the_next() -> None:
    talk = Talk()
    lost = [talk.seal(talk.alice, f"{n}") for n in range(3)]
    talk.deliver(talk.alice, lost[0])
    talk.deliver(talk.bob, talk.seal(talk.bob))
    turn = talk.seal(talk.alice, "next turn")
    assert talk.deliver(talk.alice, turn).gap == 2
    assert talk.deliver(talk.alice, lost[2]).signed.content == TextContent("2")
    assert talk.deliver(talk.alice, lost[1]).signed.content == TextContent("1")
    talk.refuse(talk.alice, lost[0], AuthenticationFailed)


def test_skipped_keys_expire_after_thirty_days() -> None:
    talk = Talk()
    lost, late = talk.seal(talk.alice), talk.seal(talk.alice)
    talk.deliver(talk.alice, late)
    assert talk.unseal(talk.alice, lost.body, now=NOW + 30 * DAY - 1).signed
    with pytest.raises(Replayed):
        talk.unseal(talk.alice, lost.body, now=NOW + 30 * DAY)


def test_at_most_256_keys_are_skipped_at_once() -> None:
    talk = Talk()
    talk.deliver(talk.alice, talk.seal(talk.alice))
    for _ in range(256):
        last = talk.seal(talk.alice)
    assert talk.unseal(talk.alice, last.body).gap == 255
    far = talk.seal(talk.alice)
    assert talk.unseal(talk.alice, far.body).gap == 256
    talk.refuse(talk.alice, talk.seal(talk.alice), PeerViolation)


def test_at_most_512_skipped_keys_are_kept_the_oldest_go() -> None:
    talk = Talk()
    lost = []
    for _ in range(3):
        lost.append(talk.seal(talk.alice))
        for _ in range(249):
            talk.seal(talk.alice)
        talk.deliver(talk.alice, talk.seal(talk.alice))
    skipped = talk.state(talk.bob).skipped
    assert len(skipped) == 512
    talk.refuse(talk.alice, lost[0], Replayed)
    talk.deliver(talk.alice, lost[2])


def test_the_opening_is_asked_for_by_its_id() -> None:
    talk = Talk()
    sealed = talk.seal(talk.alice)
    (identity,) = talk.openings
    kept = talk.openings.pop(identity)
    with pytest.raises(NeedsOpening) as asked:
        talk.unseal(talk.alice, sealed.body)
    assert asked.value.opening == identity
    talk.openings[identity] = kept
    talk.deliver(talk.alice, sealed)


def test_an_altered_opening_changes_nothing() -> None:
    talk = Talk()
    sealed = talk.seal(talk.alice)
    (identity,) = talk.openings
    entry = talk.openings[identity]
    for at in range(0, len(entry.sealed), 97):
        altered = bytearray(entry.sealed)
        altered[at] ^= 1
        talk.openings[identity] = replace(entry, sealed=bytes(altered))
        talk.refuse(talk.alice, sealed, AuthenticationFailed)
    talk.openings[identity] = replace(entry, salt=bytes(32))
    talk.refuse(talk.alice, sealed, AuthenticationFailed)


def test_a_turn_must_follow_and_may_not_forget_messages() -> None:
    talk = Talk()
    first = talk.seal(talk.alice)
    talk.deliver(talk.alice, first)
    talk.deliver(talk.alice, talk.seal(talk.alice))
    talk.deliver(talk.bob, talk.seal(talk.bob))
    honest = talk.state(talk.alice)
    talk.pair.states[talk.alice.account] = replace(honest, turn=honest.turn + 1)
    talk.refuse(talk.alice, talk.seal(talk.alice), PeerViolation)
    talk.pair.states[talk.alice.account] = replace(honest, previous_count=1)
    talk.refuse(talk.alice, talk.seal(talk.alice), PeerViolation)
    talk.pair.states[talk.alice.account] = honest
    talk.deliver(talk.alice, talk.seal(talk.alice))


def test_two_openings_of_one_turn_are_not_one_chain() -> None:
    talk = Talk()
    forked = talk.state(talk.alice)
    talk.deliver(talk.alice, talk.seal(talk.alice))
    talk.pair.states[talk.alice.account] = forked
    talk.refuse(talk.alice, talk.seal(talk.alice), PeerViolation)


def test_a_state_is_its_bytes() -> None:
    talk = Talk()
    for round_trip in range(6):
        author = talk.alice if round_trip % 2 == 0 else talk.bob
        talk.seal(author)
        talk.deliver(author, talk.seal(author))
        for account, held in talk.pair.states.items():
            talk.pair.states[account] = from_bytes(RatchetState, to_bytes(held))
            assert talk.pair.states[account] == held


def test_a_stolen_state_does_not_follow_into_the_next_turn() -> None:
    """It has the next header key and sees the turn begin; it lacks both of its secrets."""
    talk = Talk()
    talk.deliver(talk.alice, talk.seal(talk.alice))
    stolen = talk.state(talk.bob)
    talk.deliver(talk.bob, talk.seal(talk.bob))
    after = talk.seal(talk.alice)
    talk.pair.states[talk.bob.account] = replace(stolen, turn=talk.state(talk.bob).turn)
    talk.refuse(talk.alice, after, AuthenticationFailed)
