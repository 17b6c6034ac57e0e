"""One message, sealed and opened (docs/spec/e2ee.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias

from secure_msg.codec import cbor
from secure_msg.codec.accounts import SIGNATURE_SIZE, SUITE
from secure_msg.codec.messages import TYPE_MESSAGE, AeadName, Envelope, Member
from secure_msg.codec.schema import Bytes, Fixed, Text, Uint, from_bytes, record, to_bytes
from secure_msg.codec.schema import Union as OneOf
from secure_msg.codec.statement import sign_detached, verify_detached
from secure_msg.crypto.aead import AES_256_GCM, Aead, aead_by_name
from secure_msg.crypto.errors import CryptoError, DecryptionFailed
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.mac import equal
from secure_msg.crypto.random import RandomBytes
from secure_msg.crypto.signature import SigningKey
from secure_msg.e2ee import padding, ratchet
from secure_msg.e2ee.errors import AuthenticationFailed, peers_fault
from secure_msg.e2ee.ratchet import FindOpening, MessageHeader, Place, RatchetState

MAX_TEXT = 32_768
MAX_SIGNED = 40_000
HEADER_SIZE = 64
NONCE = ratchet.NONCE


@record
@dataclass(frozen=True, slots=True)
class TextContent:
    text: Annotated[str, Text(MAX_TEXT)]


@record
@dataclass(frozen=True, slots=True)
class ResentContent:
    """The text of an earlier message, to be shown under that one's id."""

    id: Annotated[bytes, Fixed(16)]
    text: Annotated[str, Text(MAX_TEXT)]


Content: TypeAlias = TextContent | ResentContent


@record
@dataclass(frozen=True, slots=True)
class Signed:
    """What the author signs; `previous` is the last message's leaf hash that it had seen."""

    generation: Annotated[int, Uint()]
    time: Annotated[int, Uint()]
    previous_sequence: Annotated[int, Uint()]
    previous: Annotated[bytes, Fixed(32)]
    session_version: Annotated[int, Uint()]
    checkpoint_size: Annotated[int, Uint()]
    checkpoint_root: Annotated[bytes, Fixed(32)]
    content: Annotated[Content, OneOf({"text": TextContent, "resent": ResentContent})]


@record
@dataclass(frozen=True, slots=True)
class Inner:
    signed: Annotated[bytes, Bytes(MAX_SIGNED)]
    signature: Annotated[bytes, Fixed(SIGNATURE_SIZE)]


PublicOf: TypeAlias = Callable[[int], bytes]
"""The author's working public key of a generation; raises NeedsAccount."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message: the ratchet after it, its entry, and before that its turn's opening."""

    ratchet: RatchetState
    id: bytes
    content_key: bytes
    body: bytes
    opening: bytes | None


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An authentic message and the ratchet after it."""

    ratchet: RatchetState
    signed: Signed
    content_key: bytes
    gap: int
    opened: bytes | None


def seal(
    state: RatchetState,
    signed: Signed,
    *,
    place: Place,
    confirm: bytes,
    seen: int,
    aead: AeadName,
    signing: SigningKey,
    random: RandomBytes,
    message_id: bytes | None = None,
) -> Sealed:
    """Encrypt and sign one message; one that is tried again keeps its id. Raises Misuse."""
    step = ratchet.send_step(state, place, random)
    message_id = random(16) if message_id is None else message_id
    salt, content_key = random(32), random(32)
    suite = aead_by_name(aead)
    padded_header = padding.pad_to(to_bytes(step.header), HEADER_SIZE)
    header = AES_256_GCM.seal(
        _header_key(step.header_key, salt), NONCE, padded_header, _header_ad(place, message_id)
    )
    draft = Envelope(
        suite=SUITE,
        author=Member(place.author),
        session=place.session,
        id=message_id,
        seen=seen,
        salt=salt,
        aead=aead,
        header=header,
        wrap=bytes(48),
        commitment=bytes(32),
        body=b"",
    )
    context = context_of(place.thread, draft)
    wrap = AES_256_GCM.seal(
        _wrap_key(step.message_key, salt, context, confirm), NONCE, content_key, b""
    )
    key, commitment = _content_keys(content_key, salt, context, suite)
    signed_bytes = to_bytes(signed)
    signature = sign_detached(signing, TYPE_MESSAGE, _to_sign(context, commitment, signed_bytes))
    padded = padding.pad(to_bytes(Inner(signed_bytes, signature)))
    body = suite.seal(key, bytes(suite.nonce_size), padded, context)
    envelope = replace(draft, wrap=wrap, commitment=commitment, body=body)
    return Sealed(step.state, message_id, content_key, to_bytes(envelope), step.opening)


def unseal(
    state: RatchetState,
    envelope: Envelope,
    *,
    place: Place,
    confirm: bytes,
    find: FindOpening,
    public_of: PublicOf,
    now: int,
) -> Unsealed:
    """Open a received message; `place.author` is its author.

    Raises AuthenticationFailed (Replayed), NeedsOpening, NeedsAccount, PeerViolation.
    """
    ad = _header_ad(place, envelope.id)

    def try_header(header_key: bytes) -> MessageHeader | None:
        try:
            padded = AES_256_GCM.open(
                _header_key(header_key, envelope.salt), NONCE, envelope.header, ad
            )
        except DecryptionFailed:
            return None
        with peers_fault("message header"):
            return from_bytes(MessageHeader, padding.unpad_from(padded))

    step = ratchet.receive_step(state, place, try_header, find, now)
    context = context_of(place.thread, envelope)
    wrap_key = _wrap_key(step.message_key, envelope.salt, context, confirm)
    try:
        content_key = AES_256_GCM.open(wrap_key, NONCE, envelope.wrap, b"")
    except DecryptionFailed:
        raise AuthenticationFailed("the content key's wrap is forged") from None
    signed = open_archived(envelope, content_key, thread=place.thread, public_of=public_of)
    opened = step.header.opening if step.opened else None
    return Unsealed(step.state, signed, content_key, step.gap, opened)


def open_archived(
    envelope: Envelope, content_key: bytes, *, thread: bytes, public_of: PublicOf
) -> Signed:
    """What an entry says, by its content key alone: commitment, decryption, signature.

    Raises AuthenticationFailed, PeerViolation, NeedsAccount.
    """
    suite = aead_by_name(envelope.aead)
    context = context_of(thread, envelope)
    key, commitment = _content_keys(content_key, envelope.salt, context, suite)
    if not equal(commitment, envelope.commitment):
        raise AuthenticationFailed("the commitment is to another key")
    try:
        padded = suite.open(key, bytes(suite.nonce_size), envelope.body, context)
    except DecryptionFailed:
        raise AuthenticationFailed("the content is forged") from None
    with peers_fault("message"):
        inner = from_bytes(Inner, padding.unpad(padded))
        signed = from_bytes(Signed, inner.signed)
    public = public_of(signed.generation)
    try:
        verify_detached(
            public, TYPE_MESSAGE, _to_sign(context, commitment, inner.signed), inner.signature
        )
    except CryptoError:
        raise AuthenticationFailed("the author's signature does not verify") from None
    return signed


def context_of(thread: bytes, envelope: Envelope) -> bytes:
    """The hash that wrap, content and signature are bound to."""
    parts: list[cbor.Value] = [
        thread,
        ["member", envelope.author.account],
        envelope.session,
        envelope.id,
        envelope.seen,
        envelope.aead,
        envelope.salt,
        envelope.header,
    ]
    return sha256(b"securemsg/context/1", cbor.encode(parts))


def _header_key(header_key: bytes, salt: bytes) -> bytes:
    return hkdf_sha512(header_key, salt=salt, info=b"securemsg/header/1", length=32)


def _header_ad(place: Place, message_id: bytes) -> bytes:
    return cbor.encode([place.thread, place.author, place.session, message_id])


def _wrap_key(message_key: bytes, salt: bytes, context: bytes, confirm: bytes) -> bytes:
    info = b"securemsg/wrap/1" + context + confirm
    return hkdf_sha512(message_key, salt=salt, info=info, length=32)


def _content_keys(
    content_key: bytes, salt: bytes, context: bytes, suite: Aead
) -> tuple[bytes, bytes]:
    """(content suite's key, commitment)."""
    info = b"securemsg/content/1" + context
    out = hkdf_sha512(content_key, salt=salt, info=info, length=suite.key_size + 32)
    return out[: suite.key_size], out[suite.key_size :]


def _to_sign(context: bytes, commitment: bytes, signed: bytes) -> bytes:
    return cbor.encode([context, commitment, signed])
