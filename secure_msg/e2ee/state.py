"""What a client keeps of a thread: session file and archive (docs/spec/e2ee.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from secure_msg.codec.accounts import ID_SIZE
from secure_msg.codec.messages import MESSAGE_ID_SIZE, SEALED_OPENING_SIZE, Handshake
from secure_msg.codec.schema import (
    Bool,
    Bytes,
    Fixed,
    MalformedData,
    Many,
    Nested,
    Uint,
    from_bytes,
    record,
    to_bytes,
)
from secure_msg.e2ee.handshake import SessionSecrets
from secure_msg.e2ee.ratchet import RatchetState
from secure_msg.ledger import merkle
from secure_msg.ledger.errors import ProofError
from secure_msg.ledger.merkle import Frontier

MAX_SESSIONS = 4
MAX_PENDING = 8
MAX_KEPT = 320
MAX_RESETS = 8
ARCHIVE_AT = 256
ARCHIVE_COUNT = 192
MAX_STATE = 1_048_576


@record
@dataclass(frozen=True, slots=True)
class Session:
    """One session of a thread; `replaces` is the session before it, or empty."""

    id: Annotated[bytes, Fixed(32)]
    replaces: Annotated[bytes, Bytes(32)]
    initiated: Annotated[bool, Bool()]
    confirm: Annotated[bytes, Fixed(32)]
    mark: Annotated[bytes, Fixed(32)]
    created: Annotated[int, Uint()]
    peer_generation: Annotated[int, Uint()]
    last_resort: Annotated[bool, Bool()]
    ratchet: Annotated[RatchetState, Nested(RatchetState)]


@record
@dataclass(frozen=True, slots=True)
class PendingOpening:
    """An opening of the peer's whose turn has not begun here."""

    id: Annotated[bytes, Fixed(32)]
    session: Annotated[bytes, Fixed(32)]
    salt: Annotated[bytes, Fixed(32)]
    sealed: Annotated[bytes, Fixed(SEALED_OPENING_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class KeptKey:
    """A message's content key; sequence 0: an own message whose place is not known yet."""

    id: Annotated[bytes, Fixed(MESSAGE_ID_SIZE)]
    key: Annotated[bytes, Fixed(32)]
    sequence: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class LastMessage:
    """The thread's last message entry: its place and leaf hash; zeros before the first."""

    sequence: Annotated[int, Uint()]
    hash: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class ResetMark:
    """A reset of the peer's that was answered, and when."""

    sequence: Annotated[int, Uint()]
    at: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class ThreadState:
    """All that a client keeps of a direct thread, besides the archive.

    `current` is the thread's register as this client knows it. If no session of that id is held,
    sending begins a new one.
    """

    thread: Annotated[bytes, Fixed(ID_SIZE)]
    peer: Annotated[bytes, Fixed(ID_SIZE)]
    chain: Annotated[Frontier, Nested(Frontier)]
    sessions: Annotated[tuple[Session, ...], Many(Nested(Session), MAX_SESSIONS)]
    current: Annotated[bytes, Bytes(32)]
    pending: Annotated[tuple[PendingOpening, ...], Many(Nested(PendingOpening), MAX_PENDING)]
    kept: Annotated[tuple[KeptKey, ...], Many(Nested(KeptKey), MAX_KEPT)]
    segments: Annotated[int, Uint()]
    last_message: Annotated[LastMessage, Nested(LastMessage)]
    peer_version: Annotated[int, Uint()]
    read: Annotated[int, Uint()]
    resets: Annotated[tuple[ResetMark, ...], Many(Nested(ResetMark), MAX_RESETS)]


@record
@dataclass(frozen=True, slots=True)
class ArchiveSegment:
    """Content keys by sequence, from `first` to `last`."""

    number: Annotated[int, Uint()]
    first: Annotated[int, Uint()]
    last: Annotated[int, Uint()]
    keys: Annotated[tuple[KeptKey, ...], Many(Nested(KeptKey), ARCHIVE_AT)]


def new_thread(thread: bytes, peer: bytes) -> ThreadState:
    """The state before anything was read or sent."""
    nothing = LastMessage(0, bytes(32))
    return ThreadState(thread, peer, merkle.EMPTY, (), b"", (), (), 0, nothing, 0, 0, ())


def save(state: ThreadState) -> bytes:
    return to_bytes(state)


def load(data: bytes) -> ThreadState:
    """The state of its bytes. Raises MalformedData."""
    try:
        state = from_bytes(ThreadState, data, limit=MAX_STATE)
    except ProofError as error:
        raise MalformedData(f"ThreadState.chain: {error}") from None
    links = (state.current, *(session.replaces for session in state.sessions))
    if any(len(link) not in (0, 32) for link in links):
        raise MalformedData("ThreadState: a session id is neither empty nor 32 bytes")
    return state


def session_of(state: ThreadState, session: bytes) -> Session | None:
    """The held session of that id."""
    return next((held for held in state.sessions if held.id == session), None)


def new_session(
    session: bytes,
    handshake: Handshake,
    secrets: SessionSecrets,
    ratchet: RatchetState,
    *,
    initiated: bool,
) -> Session:
    peer = handshake.responder_keys if initiated else handshake.initiator_keys
    return Session(
        id=session,
        replaces=handshake.replaces,
        initiated=initiated,
        confirm=secrets.confirm,
        mark=secrets.mark,
        created=handshake.created,
        peer_generation=peer,
        last_resort=handshake.one_time is None,
        ratchet=ratchet,
    )


def with_session(state: ThreadState, session: Session) -> ThreadState:
    """With one more session; beyond four the oldest that is not current goes."""
    held = (*state.sessions, session)
    if len(held) > MAX_SESSIONS:
        oldest = next(one for one in held if one.id != state.current)
        held = tuple(one for one in held if one is not oldest)
    return replace(state, sessions=held)


def with_ratchet(state: ThreadState, session: Session, ratchet: RatchetState) -> ThreadState:
    """The session with its next ratchet state."""
    sessions = tuple(
        replace(held, ratchet=ratchet) if held.id == session.id else held for held in state.sessions
    )
    return replace(state, sessions=sessions)


def kept_key(state: ThreadState, message_id: bytes) -> KeptKey | None:
    return next((kept for kept in state.kept if kept.id == message_id), None)


def archive_step(state: ThreadState) -> tuple[ThreadState, ArchiveSegment | None]:
    """Move the 192 oldest keys into a segment once 256 have their place."""
    placed = sorted((kept for kept in state.kept if kept.sequence), key=lambda kept: kept.sequence)
    if len(placed) < ARCHIVE_AT:
        return state, None
    moved = tuple(placed[:ARCHIVE_COUNT])
    segment = ArchiveSegment(state.segments, moved[0].sequence, moved[-1].sequence, moved)
    going = {kept.sequence for kept in moved}
    kept = tuple(kept for kept in state.kept if kept.sequence not in going)
    return replace(state, kept=kept, segments=state.segments + 1), segment
