"""Records on a thread's chain that the server reads too (docs/spec/e2ee.md sections 2 to 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from secure_msg.codec.accounts import ID_SIZE, MAX_BATCH, SIGNATURE_SIZE
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import (
    Bytes,
    Choice,
    Fixed,
    Many,
    Maybe,
    Nested,
    Uint,
    Union,
    from_bytes,
    record,
)
from secure_msg.crypto.hash import sha256

KIND_OPENED = "opened"
KIND_HANDSHAKE = "handshake"
KIND_OPENING = "opening"
KIND_MESSAGE = "message"
KIND_SESSION_RESET = "session-reset"

TYPE_OPENED = "securemsg/opened/1"
TYPE_HANDSHAKE = "securemsg/handshake/1"
TYPE_MESSAGE = "securemsg/message/1"
TYPE_SESSION_RESET = "securemsg/session-reset/1"

MESSAGE_ID_SIZE = 16
KEM_CIPHERTEXT_SIZE = 1568
SEALED_OPENING_SIZE = 3193
SEALED_HEADER_SIZE = 80
WRAP_SIZE = 48
MAX_RESET_IDS = 16

AeadName: TypeAlias = Literal["AES-256-GCM", "ChaCha20-Poly1305", "AES-XChaCha"]

SIZE_CLASSES = (3_840, 7_936, 16_128, 32_512, 65_024)
MAX_OVERHEAD = 32


@record
@dataclass(frozen=True, slots=True)
class Opened:
    """Payload of entry 0 of a direct thread: its two members, for good."""

    thread: Annotated[bytes, Fixed(ID_SIZE)]
    opener: Annotated[bytes, Fixed(ID_SIZE)]
    peer: Annotated[bytes, Fixed(ID_SIZE)]
    generation: Annotated[int, Uint()]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class OneTimeRef:
    """A one-time prekey by its place."""

    batch: Annotated[int, Uint()]
    index: Annotated[int, Uint(MAX_BATCH - 1)]


@record
@dataclass(frozen=True, slots=True)
class UnsignedHandshake:
    """A handshake without its signature: what the transcript covers."""

    suite: Annotated[Literal["SM1"], Choice("SM1")]
    thread: Annotated[bytes, Fixed(ID_SIZE)]
    initiator: Annotated[bytes, Fixed(ID_SIZE)]
    responder: Annotated[bytes, Fixed(ID_SIZE)]
    initiator_keys: Annotated[int, Uint()]
    responder_keys: Annotated[int, Uint()]
    prekey: Annotated[int, Uint()]
    one_time: Annotated[OneTimeRef | None, Maybe(Nested(OneTimeRef))]
    replaces: Annotated[bytes, Bytes(32)]
    ephemeral: Annotated[bytes, Fixed(32)]
    ct_identity: Annotated[bytes, Fixed(KEM_CIPHERTEXT_SIZE)]
    ct_prekey: Annotated[bytes, Fixed(KEM_CIPHERTEXT_SIZE)]
    ct_one_time: Annotated[bytes | None, Maybe(Fixed(KEM_CIPHERTEXT_SIZE))]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class Handshake(UnsignedHandshake):
    """Body of a `handshake` entry."""

    signature: Annotated[bytes, Fixed(SIGNATURE_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class OpeningEntry:
    """Body of an `opening` entry: the large keys of one turn, sealed."""

    session: Annotated[bytes, Fixed(32)]
    author: Annotated[bytes, Fixed(ID_SIZE)]
    salt: Annotated[bytes, Fixed(32)]
    sealed: Annotated[bytes, Fixed(SEALED_OPENING_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class Member:
    """An author who signs inside the ciphertext."""

    account: Annotated[bytes, Fixed(ID_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class Envelope:
    """Body of a `message` entry."""

    suite: Annotated[Literal["SM1"], Choice("SM1")]
    author: Annotated[Member, Union({"member": Member})]
    session: Annotated[bytes, Fixed(32)]
    id: Annotated[bytes, Fixed(MESSAGE_ID_SIZE)]
    seen: Annotated[int, Uint()]
    salt: Annotated[bytes, Fixed(32)]
    aead: Annotated[AeadName, Choice(*get_args(AeadName))]
    header: Annotated[bytes, Fixed(SEALED_HEADER_SIZE)]
    wrap: Annotated[bytes, Fixed(WRAP_SIZE)]
    commitment: Annotated[bytes, Fixed(32)]
    body: Annotated[bytes, Bytes(SIZE_CLASSES[-1] + MAX_OVERHEAD, SIZE_CLASSES[0] + 16)]


@record
@dataclass(frozen=True, slots=True)
class SessionReset:
    """Payload of a `session-reset` statement: these messages could not be read in that session."""

    thread: Annotated[bytes, Fixed(ID_SIZE)]
    author: Annotated[bytes, Fixed(ID_SIZE)]
    session: Annotated[bytes, Fixed(32)]
    generation: Annotated[int, Uint()]
    ids: Annotated[tuple[bytes, ...], Many(Fixed(MESSAGE_ID_SIZE), MAX_RESET_IDS)]
    created: Annotated[int, Uint()]


def read_handshake(body: bytes) -> Handshake:
    """The handshake of an entry's body, with the rules between its fields. Raises MalformedData."""
    handshake = from_bytes(Handshake, body)
    if len(handshake.replaces) not in (0, 32):
        raise MalformedData("Handshake.replaces: neither empty nor 32 bytes")
    if (handshake.one_time is None) != (handshake.ct_one_time is None):
        raise MalformedData("Handshake.ct_one_time: present exactly when one_time is")
    return handshake


def read_envelope(body: bytes) -> Envelope:
    """The envelope of an entry's body, its ciphertext of a size class. Raises MalformedData."""
    envelope = from_bytes(Envelope, body)
    overhead = MAX_OVERHEAD if envelope.aead == "AES-XChaCha" else 16
    if len(envelope.body) - overhead not in SIZE_CLASSES:
        raise MalformedData("Envelope.body: not one of the size classes")
    return envelope


def session_id(body: bytes) -> bytes:
    """The id of the session that this handshake body begins."""
    return sha256(b"securemsg/session/1", body)


def opening_id(body: bytes) -> bytes:
    """The id by which a message's header names its turn's opening."""
    return sha256(body)
