"""Envelopes: every byte class is authenticated, and a refusal leaves nothing behind."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.messages import SIZE_CLASSES, AeadName, Envelope, Member, read_envelope
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import envelope, padding
from secure_msg.e2ee.envelope import MAX_TEXT, Signed, TextContent
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    Misuse,
    PeerViolation,
    ProtocolError,
)
from secure_msg.e2ee.ratchet import Place
from tests.e2ee.test_ratchet import Talk
from tests.e2ee.world import NOW, THREAD, person, signed_text

SUITES: tuple[AeadName, ...] = ("AES-256-GCM", "ChaCha20-Poly1305", "AES-XChaCha")


def public_of(talk: Talk) -> envelope.PublicOf:
    return lambda generation: talk.alice.view.keys[generation - 1].signing


def seal(talk: Talk, signed: Signed, aead: AeadName = "AES-256-GCM") -> envelope.Sealed:
    sealed = envelope.seal(
        talk.state(talk.alice),
        signed,
        place=talk.place(talk.alice),
        confirm=talk.pair.confirm,
        seen=1,
        aead=aead,
        signing=talk.alice.own.signing,
        random=talk.random,
    )
    if sealed.opening is not None:
        talk.pair.states[talk.alice.account] = sealed.ratchet
    return sealed


@pytest.mark.parametrize("aead", SUITES)
def test_every_suite_carries_text(aead: AeadName) -> None:
    talk = Talk()
    talk.deliver(talk.alice, talk.seal(talk.alice))
    sealed = seal(talk, signed_text("grüße 🙂"), aead)
    assert read_envelope(sealed.body).aead == aead
    assert talk.unseal(talk.alice, sealed.body).signed.content == TextContent("grüße 🙂")


def variants(sealed: Envelope) -> list[Envelope]:
    """The envelope with each field changed alone: each byte of short ones, some of the body."""
    changed: list[Envelope] = [
        replace(sealed, author=Member(b"\x01" * 32)),
        replace(sealed, seen=sealed.seen + 1),
        replace(sealed, aead="ChaCha20-Poly1305"),
    ]
    for name in ("session", "id", "salt", "header", "wrap", "commitment", "body"):
        value: bytes = getattr(sealed, name)
        step = 1 if len(value) <= 80 else 61
        for at in range(0, len(value), step):
            altered = bytearray(value)
            altered[at] ^= 1 << at % 8
            changed.append(replace(sealed, **{name: bytes(altered)}))
    return changed


def test_every_field_is_authenticated_and_a_forgery_leaves_the_state() -> None:
    talk = Talk()
    sealed = read_envelope(talk.seal(talk.alice).body)
    before = to_bytes(talk.state(talk.bob))
    tried = {field.name for field in fields(sealed)} - {"suite"}
    assert tried == {
        "author", "session", "id", "seen", "salt", "aead", "header", "wrap", "commitment", "body",
    }  # fmt: skip
    for forged in variants(sealed):
        place = Place(THREAD, forged.session, forged.author.account)
        with pytest.raises(ProtocolError):
            envelope.unseal(
                talk.state(talk.bob),
                forged,
                place=place,
                confirm=talk.pair.confirm,
                find=talk.openings.get,
                public_of=public_of(talk),
                now=NOW,
            )
        assert to_bytes(talk.state(talk.bob)) == before
    assert talk.unseal(talk.alice, to_bytes(sealed)).signed


def test_every_field_is_authenticated_in_the_archive_too() -> None:
    talk = Talk()
    made = talk.seal(talk.alice)
    sealed = read_envelope(made.body)
    for forged in variants(sealed):
        if forged.wrap != sealed.wrap:
            continue  # the content key takes its place
        with pytest.raises(AuthenticationFailed):
            envelope.open_archived(
                forged, made.content_key, thread=THREAD, public_of=public_of(talk)
            )


@pytest.mark.parametrize("cut", [1, 16, 17, 4_096])
def test_a_body_of_another_size_is_refused_before_decryption(cut: int) -> None:
    talk = Talk()
    sealed = read_envelope(talk.seal(talk.alice, "x" * 5_000).body)
    for body in (sealed.body[:-cut], sealed.body + bytes(cut)):
        if len(body) - 16 in SIZE_CLASSES:
            continue
        with pytest.raises(MalformedData):
            read_envelope(to_bytes(replace(sealed, body=body)))


def test_the_session_confirmation_is_bound_into_the_wrap() -> None:
    talk = Talk()
    sealed = read_envelope(talk.seal(talk.alice).body)
    with pytest.raises(AuthenticationFailed):
        envelope.unseal(
            talk.state(talk.bob),
            sealed,
            place=talk.place(talk.alice),
            confirm=bytes(32),
            find=talk.openings.get,
            public_of=public_of(talk),
            now=NOW,
        )


def test_a_message_is_opened_again_by_its_content_key_alone() -> None:
    talk = Talk()
    made = talk.seal(talk.alice, "kept")
    signed = envelope.open_archived(
        read_envelope(made.body), made.content_key, thread=THREAD, public_of=public_of(talk)
    )
    assert signed.content == TextContent("kept")
    for key, thread in ((bytes(32), THREAD), (made.content_key, bytes(32))):
        with pytest.raises(AuthenticationFailed):
            envelope.open_archived(
                read_envelope(made.body), key, thread=thread, public_of=public_of(talk)
            )


def test_the_longest_text_fits_and_one_byte_more_does_not() -> None:
    talk = Talk()
    talk.deliver(talk.alice, talk.seal(talk.alice))
    sealed = seal(talk, signed_text("é" * (MAX_TEXT // 2)), "AES-XChaCha")
    assert len(sealed.body) < 65_535
    assert talk.unseal(talk.alice, sealed.body).signed.content == TextContent("é" * (MAX_TEXT // 2))


def test_a_message_that_is_tried_again_keeps_its_id() -> None:
    talk = Talk()
    first = talk.seal(talk.alice)
    again = envelope.seal(
        talk.state(talk.alice),
        signed_text("hello"),
        place=talk.place(talk.alice),
        confirm=talk.pair.confirm,
        seen=1,
        aead="AES-256-GCM",
        signing=talk.alice.own.signing,
        random=SeededRandom(b"again"),
        message_id=first.id,
    )
    assert again.id == first.id
    assert again.content_key != first.content_key


def test_padding_takes_the_smallest_class_and_only_that() -> None:
    sizes = (0, 1, SIZE_CLASSES[0] - 1, SIZE_CLASSES[0], SIZE_CLASSES[-1] - 1)
    for size in sizes:
        padded = padding.pad(b"\x80" * size)
        assert len(padded) in SIZE_CLASSES
        assert padding.unpad(padded) == b"\x80" * size
    with pytest.raises(Misuse):
        padding.pad(bytes(SIZE_CLASSES[-1]))
    with pytest.raises(PeerViolation):
        padding.unpad(padding.pad_to(b"short", SIZE_CLASSES[1]))
    for unmarked in (bytes(SIZE_CLASSES[0]), b"\x01" * SIZE_CLASSES[0], b"x" + bytes(63)):
        with pytest.raises(PeerViolation):
            padding.unpad_from(unmarked)


def test_another_accounts_signature_is_refused() -> None:
    talk = Talk()
    mallory = person("mallory")
    sealed = read_envelope(talk.seal(talk.alice).body)
    with pytest.raises(AuthenticationFailed):
        envelope.unseal(
            talk.state(talk.bob),
            sealed,
            place=talk.place(talk.alice),
            confirm=talk.pair.confirm,
            find=talk.openings.get,
            public_of=lambda _: mallory.view.keys[0].signing,
            now=NOW,
        )
