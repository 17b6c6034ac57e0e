"""A direct thread as one member keeps it: reading its chain (docs/spec/e2ee.md section 5).

`receive` takes a state and entries and returns the next state with what to save beside it; when it
raises, nothing happened. Sending is `e2ee/send`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from secure_msg.codec.errors import CodecError
from secure_msg.codec.messages import (
    KIND_HANDSHAKE,
    KIND_MESSAGE,
    KIND_OPENED,
    KIND_OPENING,
    KIND_SESSION_RESET,
    TYPE_OPENED,
    TYPE_SESSION_RESET,
    Opened,
    OpeningEntry,
    SessionReset,
    opening_id,
    read_handshake,
    session_id,
)
from secure_msg.codec.schema import from_bytes
from secure_msg.codec.statement import open_statement, unverified_payload
from secure_msg.e2ee import handshake as handshakes
from secure_msg.e2ee import ratchet, state
from secure_msg.e2ee.errors import (
    Misuse,
    PeerViolation,
    ProtocolError,
    Replayed,
    RolledBack,
    ServerViolation,
    peers_fault,
)
from secure_msg.e2ee.events import (
    ResetAsked,
    SessionStarted,
    ThreadOpened,
)
from secure_msg.e2ee.identity import keys_of
from secure_msg.e2ee.incoming import HistoryEntry, open_history, receive_message
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.reading import ChainEntry, Entry, Reader, Reading, attempt
from secure_msg.e2ee.state import (
    LastMessage,
    PendingOpening,
    ResetMark,
    ThreadState,
)
from secure_msg.ledger.accountchain import AccountView
from secure_msg.ledger.chain import ChainState, check_content, header_hash, read_header
from secure_msg.ledger.errors import LedgerError

__all__ = [
    "ChainEntry",
    "HistoryEntry",
    "Reader",
    "Reading",
    "abandon",
    "open_history",
    "receive",
]

RESET_INTERVAL = 3_600_000


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


def _follow(chain: ChainState, served: ChainEntry) -> tuple[ChainState, Entry]:
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
    body = served.body or b""
    return after, Entry(
        header.sequence, header.kind, header_hash(header), body, served.body is None
    )


def _read(reading: Reading, entry: Entry, reader: Reader) -> Reading:
    if entry.kind == KIND_MESSAGE:
        reading = receive_message(reading, entry, reader)
        last = LastMessage(entry.sequence, entry.leaf)
        reading = reading.move(replace(reading.state, last_message=last))
        moved, segment = state.archive_step(reading.state)
        if segment is not None:
            return replace(reading, state=moved, segments=(*reading.segments, segment))
        return reading
    step = _STEPS.get(entry.kind)
    if step is None:
        return reading.refuse(entry, "an unknown kind")
    outcome = attempt(reader, lambda: step(reading, entry, reader))
    return reading.refuse(entry, outcome.rule) if isinstance(outcome, ProtocolError) else outcome


def _opened(reading: Reading, entry: Entry, reader: Reader) -> Reading:
    with peers_fault("opened"):
        claimed = from_bytes(Opened, unverified_payload(entry.body))
        opener = _member(reader, claimed.opener)
        signer = keys_of(opener, claimed.generation)
        open_statement(signer.signing, TYPE_OPENED, entry.body)
    other = reader.own.view if opener is reader.peer else reader.peer
    if claimed.thread != reading.state.thread or claimed.peer != other.account:
        raise PeerViolation("opened: of another thread or other members")
    return reading.tell(ThreadOpened(entry.sequence, claimed.opener))


def _handshake(reading: Reading, entry: Entry, reader: Reader) -> Reading:
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
    accepted = attempt(reader, lambda: _accept(reading.move(moved), now, entry, reader))
    if isinstance(accepted, ProtocolError):
        return reading.move(moved).refuse(entry, accepted.rule)
    return accepted


def _accept(reading: Reading, now: ThreadState, entry: Entry, reader: Reader) -> Reading:
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
    _check_replaces(now, answer.handshake.replaces)
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


def _check_replaces(now: ThreadState, replaces: bytes) -> None:
    if replaces == now.current:
        return
    newest = state.session_of(now, now.current)
    if newest is None or replaces != newest.replaces:
        raise PeerViolation("a handshake that does not replace the current session")
    # A rival may not push out another one, whose handshake could then be played again.
    if sum(held.replaces == replaces for held in now.sessions) >= state.MAX_SESSIONS:
        raise PeerViolation("a handshake beside too many others")


def _opening(reading: Reading, entry: Entry, reader: Reader) -> Reading:
    now = reading.state
    with peers_fault("opening"):
        opening = from_bytes(OpeningEntry, entry.body)
    if _member(reader, opening.author) is not reader.peer:
        return reading
    added = PendingOpening(opening_id(entry.body), opening.session, opening.salt, opening.sealed)
    pending = (*now.pending, added)[-state.MAX_PENDING :]
    return reading.move(replace(now, pending=pending))


def _session_reset(reading: Reading, entry: Entry, reader: Reader) -> Reading:
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
    if claimed.session != now.current:
        raise PeerViolation("session-reset: not of the current session")
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


_STEPS: dict[str, Callable[[Reading, Entry, Reader], Reading]] = {
    KIND_OPENED: _opened,
    KIND_HANDSHAKE: _handshake,
    KIND_OPENING: _opening,
    KIND_SESSION_RESET: _session_reset,
}
