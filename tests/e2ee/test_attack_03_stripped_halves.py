"""Attack 3: who strips a half, a field or a suite gets a refusal, never a weaker session."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from secure_msg.codec import cbor
from secure_msg.codec.accounts import (
    TYPE_KEYS,
    TYPE_POSSESSION,
    Bundle,
    KeysEntry,
    KeysStatement,
)
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.messages import Envelope, Handshake, read_envelope, read_handshake
from secure_msg.codec.schema import from_bytes, to_bytes, to_value
from secure_msg.codec.statement import sign_detached, sign_statement
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID
from secure_msg.e2ee import handshake, identity
from secure_msg.e2ee.errors import PeerViolation, ProtocolError
from tests.e2ee.test_ratchet import Talk
from tests.e2ee.world import NOW, SERVER, THREAD, Person, person


def stripped(value: Any) -> list[Any]:
    """A CBOR value without each of its parts, and with each part shortened, halved or emptied."""
    if isinstance(value, bytes):
        return [b"", value[:-1], value[: len(value) // 2], value[len(value) // 2 :]]
    if isinstance(value, list):
        without = [value[:at] + value[at + 1 :] for at in range(len(value))]
        deeper = [
            [*value[:at], less, *value[at + 1 :]]
            for at, item in enumerate(value)
            for less in [*stripped(item), None]
        ]
        return without + deeper
    return [None]


def refuse_bundle(bob: Person, data: bytes) -> None:
    with pytest.raises(PeerViolation):
        identity.open_bundle(data, server=SERVER, account=bob.account, pinned=bob.view.fingerprint)


def test_attack_03_stripped_halves_of_the_bundle() -> None:
    bob = person("bob")
    honest = to_value(from_bytes(Bundle, bob.bundle((1, 0))))
    last_resort = to_value(from_bytes(Bundle, bob.bundle(None)))
    tried = 0
    for less in stripped(honest):
        if less == last_resort:
            continue  # no one-time key is an honest answer; clients show it
        refuse_bundle(bob, cbor.encode(less))
        tried += 1
    assert tried > 40


def test_attack_03_stripped_halves_inside_signed_statements() -> None:
    """Even the owner's root cannot make clients take a key without one of its halves."""
    bob = person("bob")
    honest = from_bytes(Bundle, bob.bundle(None))
    signing = HYBRID.generate(bob.secrets.generations[0].signing)
    full = KeysStatement(bob.account, 1, signing.public, bob.own.agreement[1].public, ("SM1",), NOW)
    for less in stripped(to_value(full)):
        payload = cbor.encode(less)
        entry = KeysEntry(
            sign_statement(bob.root, TYPE_KEYS, payload),
            sign_detached(signing, TYPE_POSSESSION, payload),
        )
        refuse_bundle(bob, to_bytes(replace(honest, keys=to_bytes(entry))))


def test_attack_03_each_half_of_each_signature_is_needed() -> None:
    bob = person("bob")
    honest = from_bytes(Bundle, bob.bundle((1, 0)))
    assert honest.one_time is not None
    for name in ("account", "prekey"):
        data: bytes = getattr(honest, name)
        for at in (len(data) - 3_373, len(data) - 3_309, len(data) - 1):
            altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            refuse_bundle(bob, to_bytes(replace(honest, **{name: altered})))
    batch = honest.one_time.batch
    for at in (len(batch) - 3_373, len(batch) - 3_309):
        altered = batch[:at] + bytes([batch[at] ^ 1]) + batch[at + 1 :]
        one_time = replace(honest.one_time, batch=altered)
        refuse_bundle(bob, to_bytes(replace(honest, one_time=one_time)))


def test_attack_03_stripped_halves_of_the_handshake() -> None:
    alice, bob = person("alice"), person("bob")
    begun = handshake.initiate(
        alice.own,
        bob.peer_bundle(),
        thread=THREAD,
        replaces=b"",
        now=NOW,
        random=SeededRandom(b"begin"),
    )
    before = to_bytes(bob.prekeys)
    honest = to_value(read_handshake(begun.body))
    for less in stripped(honest):
        if less == honest:
            continue  # `replaces` is empty already
        with pytest.raises(ProtocolError):
            handshake.respond(
                cbor.encode(less),
                own=bob.own,
                peer=alice.view,
                thread=THREAD,
                prekeys=bob.prekeys,
            )
    assert to_bytes(bob.prekeys) == before


@pytest.mark.parametrize("suite", ["SM0", "SM2", "sm1", "", "SM1 "])
def test_attack_03_lower_suite(suite: str) -> None:
    alice, bob = person("alice"), person("bob")
    begun = handshake.initiate(
        alice.own,
        bob.peer_bundle(),
        thread=THREAD,
        replaces=b"",
        now=NOW,
        random=SeededRandom(b"begin"),
    )
    renamed = cbor.encode([suite, *to_value(from_bytes(Handshake, begun.body))[1:]])
    with pytest.raises(ProtocolError):
        handshake.respond(renamed, own=bob.own, peer=alice.view, thread=THREAD, prekeys=bob.prekeys)
    talk = Talk()
    message = to_value(from_bytes(Envelope, talk.seal(talk.alice).body))
    with pytest.raises(MalformedData):
        read_envelope(cbor.encode([suite, *message[1:]]))
    signing = HYBRID.generate(bob.secrets.generations[0].signing)
    if suite:
        payload = to_bytes(
            KeysStatement(
                bob.account, 1, signing.public, bob.own.agreement[1].public, (suite,), NOW
            )
        )
        entry = KeysEntry(
            sign_statement(bob.root, TYPE_KEYS, payload),
            sign_detached(signing, TYPE_POSSESSION, payload),
        )
        honest = from_bytes(Bundle, bob.bundle(None))
        refuse_bundle(bob, to_bytes(replace(honest, keys=to_bytes(entry))))


@pytest.mark.parametrize("weaker", ["AES-128-GCM", "none", "XChaCha20-Poly1305", ""])
def test_attack_03_unnamed_content_suite(weaker: str) -> None:
    talk = Talk()
    message = to_value(from_bytes(Envelope, talk.seal(talk.alice).body))
    at = [field.name for field in fields(Envelope)].index("aead")
    message[at] = weaker
    with pytest.raises(MalformedData):
        read_envelope(cbor.encode(message))
