"""A direct thread as one member keeps it: reading its chain (docs/spec/e2ee.md section 5).

`receive` takes a state and entries and returns the next state with what to save beside it; when it
raises, nothing happened. Sending is `e2ee/send`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from secure_msg.codec.errors import CodecError, MalformedData
from secure_msg.codec.messages import (
    KIND_HANDSHAKE,
    KIND_MESSAGE,
    KIND_OPENED,
    KIND_OPENING,
    KIND_SESSION_RESET,
    TYPE_OPENED,
    TYPE_SESSION_RESET,
    Envelope,
    Opened,
    OpeningEntry,
    SessionReset,
    opening_id,
    read_envelope,
    read_handshake,
    session_id,
)
from secure_msg.codec.schema import from_bytes
from secure_msg.codec.statement import open_statement, unverified_payload
from secure_msg.e2ee import envelope as envelopes
from secure_msg.e2ee import handshake as handshakes
from secure_msg.e2ee import ratchet, state
from secure_msg.e2ee.envelope import ResentContent, Signed, Unsealed
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    Misuse,
    NeedsAccount,
    NeedsOpening,
    PeerViolation,
    ProtocolError,
    Replayed,
    RolledBack,
    ServerViolation,
    peers_fault,
)
from secure_msg.e2ee.events import (
    Checkpoint,
    Event,
    FolderRolledBack,
    OwnMessage,
    Reason,
    Received,
    Refused,
    ResetAsked,
    SessionStarted,
    ThreadOpened,
    Undecryptable,
)
from secure_msg.e2ee.identity import OwnKeys, keys_of
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.ratchet import Place
from secure_msg.e2ee.state import (
    ArchiveSegment,
    KeptKey,
    LastMessage,
    PendingOpening,
    ResetMark,
    ThreadState,
)
from secure_msg.ledger.accountchain import AccountView
from secure_msg.ledger.chain import ChainState, check_content, header_hash, read_header
from secure_msg.ledger.errors import LedgerError

RESET_INTERVAL = 3_600_000

T = TypeVar("T")


class ChainEntry(Protocol):
    """An entry as it is served; `body` is None once it was erased."""

    @property
    def header(self) -> bytes: ...
    @property
    def salt(self) -> bytes: ...
    @property
    def body(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    """`body` is empty where it was erased: only a message's is, and no valid body is empty."""

    sequence: int
    kind: str
    leaf: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and what is known of the peer.

    `refreshed`: both account views were just fetched, so what they lack does not exist.
    `unknown_own_below`: own entries before this sequence may be unknown (after `abandon`).
    """

    own: OwnKeys
    peer: AccountView
    now: int
    refreshed: bool = False
    unknown_own_below: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading gave. State, prekeys and segments are saved together, or not at all."""

    state: ThreadState
    prekeys: Prekeys
    segments: tuple[ArchiveSegment, ...] = ()
    events: tuple[Event, ...] = ()

    def tell(self, *events: Event) -> Reading:
        return replace(self, events=self.events + events)

    def refuse(self, entry: _Entry, rule: str) -> Reading:
        return self.tell(Refused(entry.sequence, entry.kind, rule))

    def move(self, moved: ThreadState) -> Reading:
        return replace(self, state=moved)


def receive(
    before: ThreadState, prekeys: Prekeys, entries: Sequence[ChainEntry], reader: Reader
) -> Reading:
    """Read the entries that follow `before`; that they lead to a proved head is the caller's care.

    Raises ServerViolation (RolledBack) and NeedsAccount. What the peer did wrong is an event.
    """
    if reader.peer.account != before.peer:
        raise Misuse("the account view is not the peer's")
    reading = Reading(before, prekeys)
    chain = ChainState(before.thread, before.chain)
    for served in entries:
        chain, entry = _follow(chain, served)
        reading = reading.move(replace(reading.state, chain=chain.frontier))
        reading = _read(reading, entry, reader)
    return reading


def abandon(before: ThreadState) -> ThreadState:
    """Drop all sessions, whose ratchets may have been set back: the next send begins a new one."""
    return replace(before, sessions=(), pending=())


def _follow(chain: ChainState, served: ChainEntry) -> tuple[ChainState, _Entry]:
    try:
        header = read_header(served.header)
        after = chain.next(header)
        if served.body is not None:
            check_content(header, served.salt, served.body)
    except (CodecError, LedgerError) as error:
        raise ServerViolation(f"chain: {error}") from None
    if served.body is None and header.kind != KIND_MESSAGE:
        raise ServerViolation("chain: an entry that is not erasable has no body")
    if (header.sequence == 0) != (header.kind == KIND_OPENED):
        raise ServerViolation("chain: a thread begins with its opening, once")
    return after, _Entry(header.sequence, header.kind, header_hash(header), served.body or b"")


def _read(reading: Reading, entry: _Entry, reader: Reader) -> Reading:
    if entry.kind == KIND_MESSAGE:
        reading = _message(reading, entry, reader)
        last = LastMessage(entry.sequence, entry.leaf)
        reading = reading.move(replace(reading.state, last_message=last))
        moved, segment = state.archive_step(reading.state)
        if segment is not None:
            return replace(reading, state=moved, segments=(*reading.segments, segment))
        return reading
    step = _STEPS.get(entry.kind)
    if step is None:
        return reading.refuse(entry, "an unknown kind")
    outcome = _attempt(reader, lambda: step(reading, entry, reader))
    return reading.refuse(entry, outcome.rule) if isinstance(outcome, ProtocolError) else outcome


def _attempt(reader: Reader, step: Callable[[], T]) -> T | ProtocolError:
    """The step's result, or the peer's fault. What other fetches may cure is raised."""
    try:
        return step()
    except NeedsAccount as error:
        if not reader.refreshed:
            raise
        return PeerViolation(error.rule)
    except (PeerViolation, AuthenticationFailed, NeedsOpening) as error:
        return error


def _opened(reading: Reading, entry: _Entry, reader: Reader) -> Reading:
    with peers_fault("opened"):
        claimed = from_bytes(Opened, unverified_payload(entry.body))
        opener = _member(reader, claimed.opener)
        signer = keys_of(opener, claimed.generation)
        open_statement(signer.signing, TYPE_OPENED, entry.body)
    other = reader.own.view if opener is reader.peer else reader.peer
    if claimed.thread != reading.state.thread or claimed.peer != other.account:
        raise PeerViolation("opened: of another thread or other members")
    return reading.tell(ThreadOpened(entry.sequence, claimed.opener))


def _handshake(reading: Reading, entry: _Entry, reader: Reader) -> Reading:
    now = reading.state
    with peers_fault("handshake"):
        handshake = read_handshake(entry.body)
    session = session_id(entry.body)
    held = state.session_of(now, session) is not None
    own = handshake.initiator == reader.own.account
    if own and held:
        return reading
    if own and entry.sequence >= reader.unknown_own_below:
        raise RolledBack("an own handshake that this session file does not know")
    # The register moves on the server whether or not this client accepts what it names.
    moved = replace(now, current=session) if handshake.replaces == now.current else now
    if own:
        return reading.move(moved)
    accepted = _attempt(reader, lambda: _accept(reading.move(moved), now, entry, reader))
    if isinstance(accepted, ProtocolError):
        return reading.move(moved).refuse(entry, accepted.rule)
    return accepted


def _accept(reading: Reading, now: ThreadState, entry: _Entry, reader: Reader) -> Reading:
    """Take the peer's handshake; `now` is the state whose current session it may replace."""
    if state.session_of(now, session_id(entry.body)) is not None:
        raise Replayed("a handshake that was seen before")
    answer = handshakes.respond(
        entry.body,
        own=reader.own,
        peer=reader.peer,
        thread=now.thread,
        prekeys=reading.prekeys,
    )
    newest = state.session_of(now, now.current)
    rival = newest is not None and answer.handshake.replaces == newest.replaces
    if answer.handshake.replaces != now.current and not rival:
        raise PeerViolation("a handshake that does not replace the current session")
    session = state.new_session(
        answer.session,
        answer.handshake,
        answer.secrets,
        ratchet.start_responder(answer.secrets, answer.prekey_private),
        initiated=False,
    )
    moved = state.with_session(reading.state, session)
    started = SessionStarted(entry.sequence, session.id, session.last_resort, session.created)
    return replace(reading, state=moved, prekeys=answer.prekeys).tell(started)


def _opening(reading: Reading, entry: _Entry, reader: Reader) -> Reading:
    now = reading.state
    with peers_fault("opening"):
        opening = from_bytes(OpeningEntry, entry.body)
    if _member(reader, opening.author) is not reader.peer:
        return reading
    added = PendingOpening(opening_id(entry.body), opening.session, opening.salt, opening.sealed)
    pending = (*now.pending, added)[-state.MAX_PENDING :]
    return reading.move(replace(now, pending=pending))


def _session_reset(reading: Reading, entry: _Entry, reader: Reader) -> Reading:
    now = reading.state
    with peers_fault("session-reset"):
        claimed = from_bytes(SessionReset, unverified_payload(entry.body))
        author = _member(reader, claimed.author)
        signer = keys_of(author, claimed.generation)
        open_statement(signer.signing, TYPE_SESSION_RESET, entry.body)
    if claimed.thread != now.thread:
        raise PeerViolation("session-reset: of another thread")
    if author is not reader.peer:
        return reading
    if any(mark.at > reader.now - RESET_INTERVAL for mark in now.resets):
        raise PeerViolation("session-reset: more than one an hour")
    resets = (*now.resets, ResetMark(entry.sequence, reader.now))[-state.MAX_RESETS :]
    asked = ResetAsked(entry.sequence, claimed.session, claimed.ids)
    return reading.move(replace(now, resets=resets)).tell(asked)


def _member(reader: Reader, account: bytes) -> AccountView:
    if account == reader.own.account:
        return reader.own.view
    if account == reader.peer.account:
        return reader.peer
    raise PeerViolation("not a member of the thread")


def _message(reading: Reading, entry: _Entry, reader: Reader) -> Reading:
    if not entry.body:
        return reading.tell(Undecryptable(entry.sequence, b"", "erased"))
    try:
        envelope = read_envelope(entry.body)
    except MalformedData:
        return reading.tell(Undecryptable(entry.sequence, b"", "malformed"))
    author = envelope.author.account
    if author == reader.own.account:
        return _own_message(reading, entry, envelope, reader)
    if author != reading.state.peer:
        return reading.tell(Undecryptable(entry.sequence, envelope.id, "author"))
    return _peers_message(reading, entry, envelope, reader)


def _own_message(reading: Reading, entry: _Entry, envelope: Envelope, reader: Reader) -> Reading:
    now = reading.state
    kept = state.kept_key(now, envelope.id)
    if kept is None:
        if entry.sequence >= reader.unknown_own_below:
            raise RolledBack("an own message that this session file does not know")
        return reading.tell(Undecryptable(entry.sequence, envelope.id, "session"))
    if kept.sequence:
        return reading.tell(Undecryptable(entry.sequence, envelope.id, "rules"))
    signed = _attempt(
        reader,
        lambda: envelopes.open_archived(
            envelope,
            kept.key,
            thread=now.thread,
            public_of=lambda generation: keys_of(reader.own.view, generation).signing,
        ),
    )
    if isinstance(signed, ProtocolError):
        return reading.tell(Undecryptable(entry.sequence, envelope.id, _reason(signed)))
    placed = tuple(
        replace(one, sequence=entry.sequence) if one is kept else one for one in now.kept
    )
    told = OwnMessage(entry.sequence, envelope.id, signed.time, signed.content)
    return reading.move(replace(now, kept=placed)).tell(told)


def _peers_message(reading: Reading, entry: _Entry, envelope: Envelope, reader: Reader) -> Reading:
    now = reading.state
    session = state.session_of(now, envelope.session)
    if session is None:
        return reading.tell(Undecryptable(entry.sequence, envelope.id, "session"))
    openings = {
        pending.id: OpeningEntry(pending.session, now.peer, pending.salt, pending.sealed)
        for pending in now.pending
        if pending.session == session.id
    }

    def unseal() -> Unsealed:
        if state.kept_key(now, envelope.id) is not None:
            raise PeerViolation("a message id that was used before")
        unsealed = envelopes.unseal(
            session.ratchet,
            envelope,
            place=Place(now.thread, session.id, now.peer),
            confirm=session.confirm,
            find=openings.get,
            public_of=lambda generation: keys_of(reader.peer, generation).signing,
            now=reader.now,
        )
        _check_claims(now, entry, envelope, unsealed.signed)
        return unsealed

    unsealed = _attempt(reader, unseal)
    if isinstance(unsealed, ProtocolError):
        return reading.tell(Undecryptable(entry.sequence, envelope.id, _reason(unsealed)))
    signed = unsealed.signed
    moved = state.with_ratchet(now, session, unsealed.ratchet)
    moved = replace(
        moved,
        pending=tuple(one for one in now.pending if one.id != unsealed.opened),
        kept=(*now.kept, KeptKey(envelope.id, unsealed.content_key, entry.sequence)),
        peer_version=max(now.peer_version, signed.session_version),
    )
    reading = reading.move(moved).tell(_received(entry, envelope, unsealed))
    if signed.session_version <= now.peer_version:
        return reading.tell(FolderRolledBack(entry.sequence))
    return reading


def _check_claims(now: ThreadState, entry: _Entry, envelope: Envelope, signed: Signed) -> None:
    """What the author says of the thread must not contradict what stands here."""
    last = now.last_message
    if envelope.seen > entry.sequence:
        raise PeerViolation("a message that has seen more than stands before it")
    if signed.previous_sequence > last.sequence or (
        signed.previous_sequence == last.sequence and signed.previous != last.hash
    ):
        raise PeerViolation("a message that follows another chain")
    content = signed.content
    if isinstance(content, ResentContent) and state.kept_key(now, content.id) is not None:
        raise PeerViolation("a message sent again that was read before")


def _received(entry: _Entry, envelope: Envelope, unsealed: Unsealed) -> Received:
    signed = unsealed.signed
    return Received(
        sequence=entry.sequence,
        id=envelope.id,
        author=envelope.author.account,
        time=signed.time,
        content=signed.content,
        session_version=signed.session_version,
        checkpoint=Checkpoint(signed.checkpoint_size, signed.checkpoint_root),
        gap=unsealed.gap,
    )


def _reason(error: ProtocolError) -> Reason:
    if isinstance(error, Replayed):
        return "replayed"
    if isinstance(error, AuthenticationFailed):
        return "forged"
    if isinstance(error, NeedsOpening):
        return "opening"
    return "rules"


_STEPS: dict[str, Callable[[Reading, _Entry, Reader], Reading]] = {
    KIND_OPENED: _opened,
    KIND_HANDSHAKE: _handshake,
    KIND_OPENING: _opening,
    KIND_SESSION_RESET: _session_reset,
}
