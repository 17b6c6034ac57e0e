"""Attacks 5 to 8: re-encapsulation, unknown key share, low-order points, replayed handshakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    TYPE_KEYS,
    TYPE_POSSESSION,
    BatchEntry,
    Bundle,
    KeysEntry,
    KeysStatement,
)
from secure_msg.codec.messages import (
    KIND_HANDSHAKE,
    TYPE_HANDSHAKE,
    Handshake,
    OpeningEntry,
    UnsignedHandshake,
    opening_id,
    read_handshake,
)
from secure_msg.codec.schema import from_bytes, from_value, to_bytes, to_value
from secure_msg.codec.statement import sign_detached, sign_statement
from secure_msg.crypto.agreement import AgreementKey
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kem import mlkem1024_encapsulate
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID
from secure_msg.e2ee import handshake, identity, prekeys, ratchet, state
from secure_msg.e2ee.errors import AuthenticationFailed, PeerViolation
from secure_msg.e2ee.events import Received, Refused, SessionStarted
from secure_msg.e2ee.handshake import Initiated, Responded
from secure_msg.ledger.accountchain import apply_entry, open_account
from secure_msg.ledger.chain import read_header
from tests.e2ee.test_thread import Two
from tests.e2ee.world import NOW, SERVER, THREAD, Person, one_time_of, person

# RFC 7748 section 7: points of low order, and their non-canonical twins.
LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def begin(alice: Person, bob: Person) -> Initiated:
    return handshake.initiate(
        alice.own,
        bob.peer_bundle(),
        thread=THREAD,
        replaces=b"",
        now=NOW,
        random=SeededRandom(b"begin"),
    )


def answer(body: bytes, alice: Person, bob: Person) -> Responded:
    return handshake.respond(body, own=bob.own, peer=alice.view, thread=THREAD, prekeys=bob.prekeys)


def test_attack_05_reencapsulation() -> None:
    """A leaked KEM private key: the server decapsulates, and puts a ciphertext of its own.

    The DH secrets and the transcript, which has the ciphertext, keep the session apart.
    """
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    original = read_handshake(begun.body)
    leaked = AgreementKey(bob.secrets.generations[0].agreement)
    assert leaked.decapsulate(original.ct_identity)
    for name, public in (
        ("ct_identity", bob.view.keys[0].agreement),
        ("ct_prekey", bob.view.prekeys[0].agreement),
        ("ct_one_time", bob.peer_bundle().one_time.key),  # type: ignore[union-attr]
    ):
        ciphertext, _ = mlkem1024_encapsulate(public[32:], b"\x42" * 32)
        before = to_bytes(bob.prekeys)
        altered = to_bytes(replace(original, **{name: ciphertext}))
        with pytest.raises(AuthenticationFailed):
            answer(altered, alice, bob)
        assert to_bytes(bob.prekeys) == before


def test_attack_05_another_ciphertext_of_the_same_secret_is_another_session() -> None:
    """Were the signature forged too, the derivation alone still differs."""
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    original = read_handshake(begun.body)
    unsigned = handshake.from_value(handshake.UnsignedHandshake, handshake.to_value(original)[:-1])
    keys = handshake.TranscriptKeys(
        SERVER, *(bytes([number]) * 32 for number in range(5)), None, None
    )
    same = [b"\x07" * 32]
    ciphertext, _ = mlkem1024_encapsulate(bob.view.keys[0].agreement[32:], b"\x42" * 32)
    first = handshake.derive(same, same, handshake.transcript(keys, unsigned))
    other = handshake.derive(
        same, same, handshake.transcript(keys, replace(unsigned, ct_identity=ciphertext))
    )
    assert first.root != other.root


def share_of(mallory: Person, victim: Person) -> tuple[Person, bytes]:
    """Mallory's account with the victim's agreement key and prekeys, under own signatures."""
    signing = HYBRID.generate(mallory.secrets.generations[0].signing)
    stolen = victim.view.keys[0].agreement
    payload = to_bytes(KeysStatement(mallory.account, 1, signing.public, stolen, ("SM1",), NOW))
    keys = to_bytes(
        KeysEntry(
            sign_statement(mallory.root, TYPE_KEYS, payload),
            sign_detached(signing, TYPE_POSSESSION, payload),
        )
    )
    prekey = prekeys.prekey_statement(
        mallory.root,
        victim.view.prekeys[0].agreement,
        account=mallory.account,
        number=1,
        now=NOW,
    )
    victims = [body for kind, body in victim.entries if kind == "prekey-batch"]
    publics = from_bytes(BatchEntry, victims[0]).keys
    batch = prekeys.batch_entry(mallory.root, publics, account=mallory.account, batch=1, now=NOW)
    account = dict(mallory.entries)[KIND_ACCOUNT]
    view = open_account(account, server=SERVER, account=mallory.account)
    for kind, body in (("keys", keys), ("prekey", prekey), ("prekey-batch", batch)):
        view = apply_entry(view, kind, body)
    one_time = one_time_of(from_bytes(BatchEntry, batch), 1, 0)
    bundle = to_bytes(Bundle(account, keys, prekey, one_time))
    own = replace(mallory.own, view=view)
    return replace(mallory, own=own), bundle


def test_attack_06_unknown_key_share() -> None:
    """Mallory registers Bob's public keys: Alice talks to Mallory, Bob never takes it for his."""
    alice, bob, mallory = person("alice"), person("bob"), person("mallory")
    impostor, bundle = share_of(mallory, bob)
    opened = identity.open_bundle(bundle, server=SERVER, account=mallory.account)
    begun = handshake.initiate(
        alice.own, opened, thread=THREAD, replaces=b"", now=NOW, random=SeededRandom(b"begin")
    )
    before = to_bytes(bob.prekeys)
    with pytest.raises(PeerViolation, match="other accounts"):
        answer(begun.body, alice, bob)
    renamed = replace(begun.handshake, responder=bob.account)
    with pytest.raises(AuthenticationFailed):
        answer(to_bytes(renamed), alice, bob)
    assert to_bytes(bob.prekeys) == before
    # Even with the identities of the transcript ignored, Bob's secrets are not Alice's.
    as_bob = begin(alice, bob)
    assert as_bob.secrets.root != begun.secrets.root
    assert impostor.view.fingerprint != bob.view.fingerprint


def test_attack_06_an_initiator_that_borrows_a_key_cannot_derive() -> None:
    alice, bob, mallory = person("alice"), person("bob"), person("mallory")
    impostor, _ = share_of(mallory, alice)
    begun = handshake.initiate(
        replace(mallory.own, view=impostor.view),
        bob.peer_bundle(),
        thread=THREAD,
        replaces=b"",
        now=NOW,
        random=SeededRandom(b"begin"),
    )
    answered = answer(begun.body, impostor, bob)
    assert answered.secrets != begun.secrets
    assert answered.handshake.initiator == mallory.account


@pytest.mark.parametrize("point", LOW_ORDER, ids=[point.hex()[:8] for point in LOW_ORDER])
def test_attack_07_low_order_points(point: bytes) -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    low = replace(read_handshake(begun.body), ephemeral=point)
    before = to_bytes(bob.prekeys)
    # Signed by the peer itself: the refusal is the agreement's.
    with pytest.raises(PeerViolation, match="low order"):
        answer(resigned(low, alice, bob), alice, bob)
    assert to_bytes(bob.prekeys) == before
    bundle = bob.peer_bundle()
    for part in ("keys", "prekey", "one_time"):
        with pytest.raises(PeerViolation):
            handshake.initiate(
                alice.own,
                with_point(bundle, part, point),
                thread=THREAD,
                replaces=b"",
                now=NOW,
                random=SeededRandom(b"begin"),
            )


def with_point(bundle: identity.PeerBundle, part: str, point: bytes) -> identity.PeerBundle:
    if part == "one_time":
        assert bundle.one_time is not None
        key = point + bundle.one_time.key[32:]
        return replace(bundle, one_time=replace(bundle.one_time, key=key))
    held = getattr(bundle, part)
    return replace(bundle, **{part: replace(held, agreement=point + held.agreement[32:])})


def resigned(altered: Handshake, alice: Person, bob: Person) -> bytes:
    """The altered handshake with a valid signature of its initiator."""
    bundle = bob.peer_bundle()
    assert bundle.one_time is not None
    keys = handshake.TranscriptKeys(
        server=SERVER,
        root_a=sha256(alice.view.root),
        keys_a=alice.view.keys[0].statement,
        root_b=sha256(bob.view.root),
        keys_b=bundle.keys.statement,
        prekey=bundle.prekey.statement,
        batch=bundle.one_time.batch.statement,
        one_time=sha256(bundle.one_time.key),
    )
    t = handshake.transcript(keys, from_value(UnsignedHandshake, to_value(altered)[:-1]))
    return to_bytes(replace(altered, signature=sign_detached(alice.own.signing, TYPE_HANDSHAKE, t)))


@pytest.mark.parametrize("point", LOW_ORDER[:3], ids=["zero", "one", "order8"])
def test_attack_07_low_order_points_in_a_turn(point: bytes) -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    answered = answer(begun.body, alice, bob)
    reading = ratchet.start_responder(answered.secrets, answered.prekey_private)
    honest = AgreementKey(alice.random(96))
    ciphertext, _ = mlkem1024_encapsulate(bob.view.prekeys[0].agreement[32:], b"\x01" * 32)
    place = ratchet.Place(THREAD, begun.session, alice.account)
    for opening in (
        ratchet.Opening(point, honest.public[32:], ciphertext),
        ratchet.Opening(honest.public[:32], b"\xff" * 1_568, ciphertext),
    ):
        header_key = begun.secrets.header_a
        body = ratchet.seal_opening(to_bytes(opening), header_key, place, b"\x02" * 32)
        headers = {header_key: ratchet.MessageHeader(1, 0, 0, opening_id(body))}
        openings = {opening_id(body): from_bytes(OpeningEntry, body)}
        before = to_bytes(reading)
        with pytest.raises(PeerViolation):
            ratchet.receive_step(reading, place, headers.get, openings.get, NOW)
        assert to_bytes(reading) == before


def test_attack_07_unreduced_kem_keys_in_a_bundle() -> None:
    bob = person("bob")
    private = bob.random(96)
    public = AgreementKey(private).public
    unreduced = public[:32] + b"\xff\xff\xff" + public[35:]
    statement = prekeys.prekey_statement(
        bob.root, unreduced, account=bob.account, number=1, now=NOW
    )
    honest = from_bytes(Bundle, bob.bundle(None))
    with pytest.raises(PeerViolation):
        identity.open_bundle(
            to_bytes(replace(honest, prekey=statement)), server=SERVER, account=bob.account
        )


def test_attack_08_handshake_replay() -> None:
    alice, bob = person("alice"), person("bob")
    begun = begin(alice, bob)
    bob.prekeys = answer(begun.body, alice, bob).prekeys
    before = to_bytes(bob.prekeys)
    for _ in range(3):
        with pytest.raises(PeerViolation):
            answer(begun.body, alice, bob)
        assert to_bytes(bob.prekeys) == before


@pytest.mark.parametrize("last_resort", [False, True])
def test_attack_08_handshake_replay_in_the_thread(last_resort: bool) -> None:
    """Six sessions, of which four are still held; then the server plays every handshake again."""
    two = Two()
    if last_resort:
        two.server.handed[two.bob.account] = 8
    for number in range(6):
        two.a.say(f"{number}", restart=number > 0)
    events = two.b.sync()
    started = [event for event in events if type(event) is SessionStarted]
    assert [event.last_resort for event in started] == [last_resort] * 6
    chain = two.server.chain(THREAD)
    before, prekeys_before = two.b.state, to_bytes(two.b.prekeys)
    for entry in list(chain.entries):
        if read_header(entry.header).kind == KIND_HANDSHAKE:
            chain.append(KIND_HANDSHAKE, entry.body or b"")
    replayed = two.b.sync()
    assert [type(event) for event in replayed] == [Refused] * 6
    assert state.save(replace(two.b.state, chain=before.chain)) == state.save(before)
    assert to_bytes(two.b.prekeys) == prekeys_before


def test_attack_08_a_rival_handshake_that_made_room_is_not_taken_again() -> None:
    """The server refuses and keeps five beginnings, shows all, then one again.

    Sessions are bounded, and the last resort is never spent: had a rival's session gone for a
    newer rival's, its handshake and its messages would be new again.
    """
    two = Two()
    two.server.handed[two.bob.account] = 8
    tries = [two.a.draft(f"try {number}") for number in range(6)]
    chain = two.server.chain(THREAD)
    chain.append(tries[0].drafts[0].kind, tries[0].drafts[0].body)
    for sent in tries:
        chain.extend(sent.drafts[1:])
    events = two.b.sync()
    assert len([event for event in events if type(event) is SessionStarted]) == 4
    assert two.b.texts() == ["try 0", "try 1", "try 2", "try 3"]
    # As after a few hundred messages more: the content keys are in the archive.
    two.b.state = before = replace(two.b.state, kept=())
    for sent in tries:
        chain.extend(sent.drafts[1:])
    assert not [event for event in two.b.sync() if type(event) in (SessionStarted, Received)]
    assert two.b.state.sessions == before.sessions


def test_attack_08_a_spent_key_stays_spent_over_a_restart() -> None:
    two = Two()
    two.a.say("hello")
    two.b.sync()
    two.b.save()
    two.b.reload()
    assert two.b.prekeys.batches[0].keys[0] is None
    assert prekeys.unused(two.b.prekeys, frozenset()) == 7
