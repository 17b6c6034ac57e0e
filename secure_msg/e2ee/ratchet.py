"""Double Ratchet with encrypted headers; each turn mixes X25519 and ML-KEM (e2ee.md section 3).

A state is a value. A step returns the next one, to be kept once the message proved authentic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias

from secure_msg.codec import cbor
from secure_msg.codec.accounts import AGREEMENT_PUBLIC_SIZE
from secure_msg.codec.messages import KEM_CIPHERTEXT_SIZE, OpeningEntry, opening_id
from secure_msg.codec.schema import Fixed, Many, Maybe, Nested, Uint, from_bytes, record, to_bytes
from secure_msg.crypto.aead import AES_256_GCM
from secure_msg.crypto.agreement import PRIVATE_SIZE, AgreementKey, split_public
from secure_msg.crypto.errors import DecryptionFailed
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.kem import mlkem1024_encapsulate
from secure_msg.crypto.random import RandomBytes
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    Misuse,
    NeedsOpening,
    PeerViolation,
    Replayed,
    peers_fault,
)
from secure_msg.e2ee.handshake import SessionSecrets

MAX_SKIPPED_AT_ONCE = 256
MAX_SKIPPED = 512
SKIPPED_LIFE = 30 * 86_400_000
NONCE = bytes(12)


@record
@dataclass(frozen=True, slots=True)
class Chain:
    """A sending or receiving chain; `count` messages so far."""

    key: Annotated[bytes, Fixed(32)]
    header: Annotated[bytes, Fixed(32)]
    count: Annotated[int, Uint()]
    turn: Annotated[int, Uint()]
    opening: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class Skipped:
    """The key of a message that has not come; usable until `expires` (ms)."""

    header: Annotated[bytes, Fixed(32)]
    turn: Annotated[int, Uint()]
    count: Annotated[int, Uint()]
    key: Annotated[bytes, Fixed(32)]
    expires: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class RatchetState:
    root: Annotated[bytes, Fixed(32)]
    own: Annotated[bytes | None, Maybe(Fixed(PRIVATE_SIZE))]
    peer: Annotated[bytes | None, Maybe(Fixed(AGREEMENT_PUBLIC_SIZE))]
    sending: Annotated[Chain | None, Maybe(Nested(Chain))]
    receiving: Annotated[Chain | None, Maybe(Nested(Chain))]
    next_send: Annotated[bytes, Fixed(32)]
    next_receive: Annotated[bytes, Fixed(32)]
    previous_count: Annotated[int, Uint()]
    turn: Annotated[int, Uint()]
    skipped: Annotated[tuple[Skipped, ...], Many(Nested(Skipped), MAX_SKIPPED)]


@record
@dataclass(frozen=True, slots=True)
class Opening:
    """What a turn brings: fresh public keys, and a KEM ciphertext for the peer's last ones."""

    x: Annotated[bytes, Fixed(32)]
    kem: Annotated[bytes, Fixed(AGREEMENT_PUBLIC_SIZE - 32)]
    ciphertext: Annotated[bytes, Fixed(KEM_CIPHERTEXT_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class MessageHeader:
    """Where a message stands; `opening` is the id of its turn's opening entry."""

    turn: Annotated[int, Uint()]
    count: Annotated[int, Uint()]
    previous_count: Annotated[int, Uint()]
    opening: Annotated[bytes, Fixed(32)]


@dataclass(frozen=True, slots=True)
class Place:
    """What an opening is bound to: thread, session and the account that made it."""

    thread: bytes
    session: bytes
    author: bytes


@dataclass(frozen=True, slots=True)
class SendStep:
    """`opening` is the body of the opening entry when this message opens a turn."""

    state: RatchetState
    header: MessageHeader
    header_key: bytes
    message_key: bytes
    opening: bytes | None


@dataclass(frozen=True, slots=True)
class ReceiveStep:
    """`gap` keys were skipped just before this message; `opened`: it began a new turn."""

    state: RatchetState
    header: MessageHeader
    message_key: bytes
    gap: int
    opened: bool


TryHeader: TypeAlias = Callable[[bytes], MessageHeader | None]
"""The header that a header key opens, None where it does not."""

FindOpening: TypeAlias = Callable[[bytes], OpeningEntry | None]
"""The opening entry of an id."""


def start_initiator(secrets: SessionSecrets, peer_prekey: bytes) -> RatchetState:
    """A's first state: it may send at once."""
    s = secrets
    return RatchetState(s.root, None, peer_prekey, None, None, s.header_a, s.header_b, 0, 0, ())


def start_responder(secrets: SessionSecrets, prekey_private: bytes) -> RatchetState:
    """B's first state: it may send once it has received."""
    s = secrets
    return RatchetState(s.root, prekey_private, None, None, None, s.header_b, s.header_a, 0, 0, ())


def can_send(state: RatchetState) -> bool:
    return state.sending is not None or state.peer is not None


def send_step(state: RatchetState, place: Place, random: RandomBytes) -> SendStep:
    """The keys of the next message; a turn is opened first where none is. Raises Misuse."""
    opening = None
    chain = state.sending
    if chain is None:
        state, chain, opening = _open_turn(state, place, random)
    message_key, chain_key = _chain_keys(chain.key)
    header = MessageHeader(chain.turn, chain.count, state.previous_count, chain.opening)
    after = replace(state, sending=replace(chain, key=chain_key, count=chain.count + 1))
    return SendStep(after, header, chain.header, message_key, opening)


def receive_step(
    state: RatchetState, place: Place, try_header: TryHeader, find: FindOpening, now: int
) -> ReceiveStep:
    """The key of a received message.

    Raises Replayed, AuthenticationFailed (no header key fits), NeedsOpening, PeerViolation.
    """
    live = tuple(skipped for skipped in state.skipped if skipped.expires > now)
    state = replace(state, skipped=live)
    for header_key in dict.fromkeys(skipped.header for skipped in live):
        header = try_header(header_key)
        if header is not None:
            return _in_known_chain(state, header, header_key, now)
    if state.receiving is not None:
        header = try_header(state.receiving.header)
        if header is not None:
            return _in_known_chain(state, header, state.receiving.header, now)
    header = try_header(state.next_receive)
    if header is None:
        raise AuthenticationFailed("no header key opens this message")
    return _in_new_turn(state, place, header, find, now)


def _open_turn(
    state: RatchetState, place: Place, random: RandomBytes
) -> tuple[RatchetState, Chain, bytes]:
    if state.peer is None:
        raise Misuse("a responder sends after it has received")
    private = random(PRIVATE_SIZE)
    own = AgreementKey(private)
    with peers_fault("the peer's ratchet key"):
        peer_x, peer_kem = split_public(state.peer)
        ss_x = own.dh(peer_x)
        ciphertext, ss_k = mlkem1024_encapsulate(peer_kem, random(32))
    opening = to_bytes(Opening(own.public[:32], own.public[32:], ciphertext))
    body = seal_opening(opening, state.next_send, place, random(32))
    root, chain_key, next_header = _turn_keys(state.root, ss_x + ss_k, opening)
    turn = state.turn + 1
    chain = Chain(chain_key, state.next_send, 0, turn, opening_id(body))
    after = replace(state, root=root, own=private, sending=chain, next_send=next_header, turn=turn)
    return after, chain, body


def _in_known_chain(
    state: RatchetState, header: MessageHeader, header_key: bytes, now: int
) -> ReceiveStep:
    for place, skipped in enumerate(state.skipped):
        if (skipped.header, skipped.turn, skipped.count) == (
            header_key,
            header.turn,
            header.count,
        ):
            left = (*state.skipped[:place], *state.skipped[place + 1 :])
            return ReceiveStep(replace(state, skipped=left), header, skipped.key, 0, opened=False)
    chain = state.receiving
    if chain is None or chain.header != header_key:
        raise Replayed("a message that was read before")
    if (header.turn, header.opening) != (chain.turn, chain.opening):
        raise PeerViolation("a header that is not of its chain's turn")
    if header.count < chain.count:
        raise Replayed("a message that was read before")
    _check_skips(header.count - chain.count)
    new, chain = _skip_to(chain, header.count, now)
    message_key, chain_key = _chain_keys(chain.key)
    after = replace(
        state,
        receiving=replace(chain, key=chain_key, count=chain.count + 1),
        skipped=_bounded(state.skipped, new),
    )
    return ReceiveStep(after, header, message_key, len(new), opened=False)


def _in_new_turn(
    state: RatchetState, place: Place, header: MessageHeader, find: FindOpening, now: int
) -> ReceiveStep:
    if header.turn != state.turn + 1 or state.own is None:
        raise PeerViolation("a turn that does not follow")
    old = state.receiving
    left = header.previous_count - (0 if old is None else old.count)
    if left < 0 or (old is None and left > 0):
        raise PeerViolation("a turn whose previous count contradicts what was received")
    _check_skips(left + header.count)
    entry = find(header.opening)
    if entry is None:
        raise NeedsOpening(header.opening)
    data = unseal_opening(entry, state.next_receive, place)
    with peers_fault("opening"):
        opening = from_bytes(Opening, data)
        peer = opening.x + opening.kem
        split_public(peer)
        own = AgreementKey(state.own)
        secret = own.dh(opening.x) + own.decapsulate(opening.ciphertext)
    rest, _ = ((), None) if old is None else _skip_to(old, header.previous_count, now)
    root, chain_key, next_header = _turn_keys(state.root, secret, data)
    chain = Chain(chain_key, state.next_receive, 0, header.turn, header.opening)
    new, chain = _skip_to(chain, header.count, now)
    message_key, chain_key = _chain_keys(chain.key)
    after = replace(
        state,
        root=root,
        peer=peer,
        sending=None,
        receiving=replace(chain, key=chain_key, count=chain.count + 1),
        next_receive=next_header,
        previous_count=0 if state.sending is None else state.sending.count,
        turn=header.turn,
        skipped=_bounded(state.skipped, (*rest, *new)),
    )
    return ReceiveStep(after, header, message_key, len(rest) + len(new), opened=True)


def seal_opening(opening: bytes, header_key: bytes, place: Place, salt: bytes) -> bytes:
    """Body of the opening entry; the key is used once, by its fresh salt."""
    key = hkdf_sha512(header_key, salt=salt, info=b"securemsg/opening/1", length=32)
    sealed = AES_256_GCM.seal(key, NONCE, opening, _opening_ad(place))
    return to_bytes(OpeningEntry(place.session, place.author, salt, sealed))


def unseal_opening(entry: OpeningEntry, header_key: bytes, place: Place) -> bytes:
    """CBOR Opening. Raises AuthenticationFailed."""
    key = hkdf_sha512(header_key, salt=entry.salt, info=b"securemsg/opening/1", length=32)
    try:
        return AES_256_GCM.open(key, NONCE, entry.sealed, _opening_ad(place))
    except DecryptionFailed:
        raise AuthenticationFailed("an opening that is not its turn's") from None


def _opening_ad(place: Place) -> bytes:
    return cbor.encode([place.thread, place.session, place.author])


def _turn_keys(root: bytes, secret: bytes, opening: bytes) -> tuple[bytes, bytes, bytes]:
    info = b"securemsg/turn/1" + sha256(opening)
    out = hkdf_sha512(secret, salt=root, info=info, length=96)
    return out[:32], out[32:64], out[64:]


def _chain_keys(key: bytes) -> tuple[bytes, bytes]:
    """(message key, next chain key)."""
    out = hkdf_sha512(key, salt=b"", info=b"securemsg/chain/1", length=64)
    return out[:32], out[32:]


def _skip_to(chain: Chain, count: int, now: int) -> tuple[tuple[Skipped, ...], Chain]:
    """The keys of the messages before `count`, and the chain that stands there."""
    skipped = []
    while chain.count < count:
        key, following = _chain_keys(chain.key)
        skipped.append(Skipped(chain.header, chain.turn, chain.count, key, now + SKIPPED_LIFE))
        chain = replace(chain, key=following, count=chain.count + 1)
    return tuple(skipped), chain


def _check_skips(count: int) -> None:
    if count > MAX_SKIPPED_AT_ONCE:
        raise PeerViolation(f"more than {MAX_SKIPPED_AT_ONCE} messages are skipped at once")


def _bounded(old: tuple[Skipped, ...], new: tuple[Skipped, ...]) -> tuple[Skipped, ...]:
    return (*old, *new)[-MAX_SKIPPED:]
