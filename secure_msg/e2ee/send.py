"""A direct thread as one member keeps it: what it appends (docs/spec/e2ee.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from secure_msg.codec.messages import (
    KIND_HANDSHAKE,
    KIND_MESSAGE,
    KIND_OPENED,
    KIND_OPENING,
    KIND_SESSION_RESET,
    MAX_RESET_IDS,
    TYPE_OPENED,
    TYPE_SESSION_RESET,
    AeadName,
    Opened,
    SessionReset,
)
from secure_msg.codec.schema import to_bytes
from secure_msg.codec.statement import sign_statement
from secure_msg.crypto.random import RandomBytes
from secure_msg.e2ee import envelope, handshake, ratchet, state
from secure_msg.e2ee.envelope import Content, Signed
from secure_msg.e2ee.errors import Misuse, StaleSession
from secure_msg.e2ee.events import Checkpoint
from secure_msg.e2ee.identity import OwnKeys, PeerBundle
from secure_msg.e2ee.ratchet import Place
from secure_msg.e2ee.state import KeptKey, Session, ThreadState

MAX_UNPLACED = 64


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry to append; `expected` is the chain's size that it needs, where it needs one."""

    kind: str
    body: bytes
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """`drafts` and the session file with `state` belong into one transaction."""

    state: ThreadState
    drafts: tuple[Draft, ...]
    id: bytes
    session: bytes


def needs_bundle(before: ThreadState) -> bool:
    """Whether the next message begins a new session."""
    session = state.session_of(before, before.current)
    return session is None or not ratchet.can_send(session.ratchet)


def send(
    before: ThreadState,
    content: Content,
    *,
    own: OwnKeys,
    session_version: int,
    checkpoint: Checkpoint,
    now: int,
    random: RandomBytes,
    bundle: PeerBundle | None = None,
    restart: bool = False,
    aead: AeadName = "AES-256-GCM",
    message_id: bytes | None = None,
) -> Sent:
    """A message with all that must stand before it.

    `session_version` is the version of the session file that the same transaction makes. `restart`
    begins a new session in place of the current one; `message_id` is that of an earlier try.
    Raises StaleSession (no bundle), Misuse, PeerViolation (the bundle's keys).
    """
    if sum(1 for kept in before.kept if not kept.sequence) >= MAX_UNPLACED:
        raise Misuse("too many own messages without a place: read the thread first")
    drafts: list[Draft] = []
    after = before
    if restart or needs_bundle(before):
        if bundle is None:
            raise StaleSession("a new session needs the peer's bundle")
        if before.chain.size == 0 and not before.current:
            drafts.append(_opened(before, own, now))
        after, body = _begin(before, own, bundle, now, random)
        drafts.append(Draft(KIND_HANDSHAKE, body))
    session = state.session_of(after, after.current)
    if session is None:
        raise StaleSession("no session to send in")
    signed = Signed(
        generation=own.generation,
        time=now,
        previous_sequence=before.last_message.sequence,
        previous=before.last_message.hash,
        session_version=session_version,
        checkpoint_size=checkpoint.size,
        checkpoint_root=checkpoint.root,
        content=content,
    )
    sealed = envelope.seal(
        session.ratchet,
        signed,
        place=Place(before.thread, session.id, own.account),
        confirm=session.confirm,
        seen=before.chain.size,
        aead=aead,
        signing=own.signing,
        random=random,
        message_id=message_id,
    )
    if sealed.opening is not None:
        drafts.append(Draft(KIND_OPENING, sealed.opening))
    drafts.append(Draft(KIND_MESSAGE, sealed.body))
    after = state.with_ratchet(after, session, sealed.ratchet)
    kept = (*after.kept, KeptKey(sealed.id, sealed.content_key, 0))
    return Sent(replace(after, kept=kept), tuple(drafts), sealed.id, session.id)


def _opened(before: ThreadState, own: OwnKeys, now: int) -> Draft:
    opened = Opened(before.thread, own.account, before.peer, own.generation, now)
    return Draft(KIND_OPENED, sign_statement(own.signing, TYPE_OPENED, to_bytes(opened)), 0)


def _begin(
    before: ThreadState, own: OwnKeys, bundle: PeerBundle, now: int, random: RandomBytes
) -> tuple[ThreadState, bytes]:
    if bundle.view.account != before.peer:
        raise Misuse("the bundle is not the peer's")
    begun = handshake.initiate(
        own, bundle, thread=before.thread, replaces=before.current, now=now, random=random
    )
    session: Session = state.new_session(
        begun.session,
        begun.handshake,
        begun.secrets,
        ratchet.start_initiator(begun.secrets, bundle.prekey.agreement),
        initiated=True,
    )
    return state.with_session(replace(before, current=session.id), session), begun.body


def ask_reset(
    before: ThreadState, session: bytes, ids: tuple[bytes, ...], *, own: OwnKeys, now: int
) -> Draft:
    """Tell the peer that these messages (at most 16) could not be read in that session."""
    if len(ids) > MAX_RESET_IDS:
        raise Misuse(f"a reset names at most {MAX_RESET_IDS} messages")
    reset = SessionReset(before.thread, own.account, session, own.generation, ids, now)
    body = sign_statement(own.signing, TYPE_SESSION_RESET, to_bytes(reset))
    return Draft(KIND_SESSION_RESET, body)
