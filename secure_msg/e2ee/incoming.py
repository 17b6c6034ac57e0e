"""Message entries of a thread: own ones get their place, the peer's are opened (section 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.messages import Envelope, OpeningEntry, read_envelope
from secure_msg.e2ee import envelope as envelopes
from secure_msg.e2ee import state
from secure_msg.e2ee.envelope import ResentContent, Signed, Unsealed
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    NeedsOpening,
    PeerViolation,
    ProtocolError,
    Replayed,
    RolledBack,
    peers_fault,
)
from secure_msg.e2ee.events import (
    Checkpoint,
    FolderRolledBack,
    OwnMessage,
    Reason,
    Received,
)
from secure_msg.e2ee.identity import keys_of
from secure_msg.e2ee.ratchet import Place
from secure_msg.e2ee.reading import Entry, Reader, Reading, attempt
from secure_msg.e2ee.state import KeptKey, ThreadState
from secure_msg.ledger.accountchain import AccountView


def receive_message(reading: Reading, entry: Entry, reader: Reader) -> Reading:
    if entry.erased:
        return reading.unreadable(entry, b"", "erased")
    try:
        envelope = read_envelope(entry.body)
    except MalformedData:
        return reading.unreadable(entry, b"", "malformed")
    author = envelope.author.account
    if author == reader.own.account:
        return _own_message(reading, entry, envelope, reader)
    if author != reading.state.peer:
        return reading.unreadable(entry, envelope.id, "author")
    return _peers_message(reading, entry, envelope, reader)


def _own_message(reading: Reading, entry: Entry, envelope: Envelope, reader: Reader) -> Reading:
    now = reading.state
    kept = state.kept_key(now, envelope.id)
    if kept is None:
        if entry.sequence >= reader.unknown_own_below:
            raise RolledBack("an own message that this session file does not know")
        return reading.unreadable(entry, envelope.id, "session")
    if kept.sequence:
        return reading.unreadable(entry, envelope.id, "rules")
    signed = attempt(
        reader,
        lambda: envelopes.open_archived(
            envelope,
            kept.key,
            thread=now.thread,
            public_of=lambda generation: keys_of(reader.own.view, generation).signing,
        ),
    )
    if isinstance(signed, ProtocolError):
        return reading.unreadable(entry, envelope.id, _reason(signed))
    placed = tuple(
        replace(one, sequence=entry.sequence) if one is kept else one for one in now.kept
    )
    told = OwnMessage(entry.sequence, envelope.id, signed.time, signed.content)
    return reading.move(replace(now, kept=placed)).tell(told)


def _peers_message(reading: Reading, entry: Entry, envelope: Envelope, reader: Reader) -> Reading:
    now = reading.state
    session = state.session_of(now, envelope.session)
    if session is None:
        return reading.unreadable(entry, envelope.id, "session")
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

    unsealed = attempt(reader, unseal)
    if isinstance(unsealed, ProtocolError):
        return reading.unreadable(entry, envelope.id, _reason(unsealed))
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


def _check_claims(now: ThreadState, entry: Entry, envelope: Envelope, signed: Signed) -> None:
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


def _received(entry: Entry, envelope: Envelope, unsealed: Unsealed) -> Received:
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


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A message entry read again; `author` is its account."""

    author: bytes
    id: bytes
    signed: Signed


def open_history(
    body: bytes, key: bytes, *, thread: bytes, own: AccountView, peer: AccountView
) -> HistoryEntry:
    """A message entry, own or the peer's, by its content key.

    Raises PeerViolation, AuthenticationFailed, NeedsAccount.
    """
    with peers_fault("message"):
        envelope = read_envelope(body)
    author = envelope.author.account
    if author not in (own.account, peer.account):
        raise PeerViolation("a message of somebody who is not a member")
    view = own if author == own.account else peer
    signed = envelopes.open_archived(
        envelope,
        key,
        thread=thread,
        public_of=lambda generation: keys_of(view, generation).signing,
    )
    return HistoryEntry(author, envelope.id, signed)
