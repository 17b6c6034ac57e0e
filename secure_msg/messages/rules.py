"""Which entries may follow on a thread, said by the sender's request alone (docs/spec/http.md).

Pure: what must hold in the store at the same moment is returned as registers and expected sizes.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from secure_msg.codec.errors import CodecError
from secure_msg.codec.http import WireAppend
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
    read_envelope,
    read_handshake,
    session_id,
)
from secure_msg.codec.schema import from_bytes
from secure_msg.codec.statement import open_statement, unverified_payload
from secure_msg.crypto.errors import InvalidSignature
from secure_msg.ledger.transaction import Append, Register
from secure_msg.messages.errors import Malformed, StaleSession, StatementRefused
from secure_msg.messages.port import Accounts

Signed = TypeVar("Signed", Opened, SessionReset)


class Place(NamedTuple):
    """Where the sender writes: a thread, and both members seen from the sender."""

    thread: bytes
    sender: bytes
    peer: bytes


class ThreadRules:
    """Checks one request's entries of one thread, in order."""

    def __init__(self, place: Place, accounts: Accounts) -> None:
        self._place = place
        self._accounts = accounts
        self._handshake: Register | None = None
        self._session: bytes | None = None
        self._added = 0
        self._expected: int | None = None

    def add(self, wire: WireAppend) -> Append:
        """Raises MalformedData, Malformed, StaleSession, StatementRefused."""
        check = _CHECKS.get(wire.kind)
        if check is None:
            raise Malformed("kind")
        self._check_expected(wire)
        append = check(self, wire)
        self._added += 1
        return append

    def register(self) -> Register | None:
        """What must hold of the thread's session, once all entries are added."""
        if self._handshake is not None:
            return self._handshake
        return None if self._session is None else Register(self._place.thread, self._session)

    def _check_expected(self, wire: WireAppend) -> None:
        """Sizes named by later entries of a request must follow from the first one's."""
        at = self._added
        if at == 0:
            self._expected = wire.expected
        elif wire.expected is not None and (
            self._expected is None or wire.expected != self._expected + at
        ):
            raise Malformed("expected")

    def _append(
        self,
        wire: WireAppend,
        *,
        erasable: bool = False,
        unique: bytes | None = None,
        seen: int = 0,
        label: bytes = b"",
    ) -> Append:
        first = None if self._added else wire.expected
        thread = self._place.thread
        return Append(thread, wire.kind, wire.body, erasable, first, unique, seen, label)

    def _opened(self, wire: WireAppend) -> Append:
        place = self._place
        if self._added or wire.expected != 0:
            raise Malformed("opened")
        opened = self._signed(Opened, TYPE_OPENED, wire.body)
        if (opened.thread, opened.opener, opened.peer) != (place.thread, place.sender, place.peer):
            raise StatementRefused("opened")
        return self._append(wire, label=place.sender + place.peer)

    def _handshaken(self, wire: WireAppend) -> Append:
        place = self._place
        handshake = read_handshake(wire.body)
        named = (handshake.thread, handshake.initiator, handshake.responder)
        if named != (place.thread, place.sender, place.peer):
            raise StatementRefused("handshake")
        if self._handshake is not None or self._session is not None:
            raise Malformed("handshake")
        new = session_id(wire.body)
        self._handshake = Register(place.thread, handshake.replaces, new)
        return self._append(wire)

    def _opening(self, wire: WireAppend) -> Append:
        opening = from_bytes(OpeningEntry, wire.body)
        self._require_author(opening.author)
        self._require_session(opening.session)
        return self._append(wire)

    def _message(self, wire: WireAppend) -> Append:
        envelope = read_envelope(wire.body)
        self._require_author(envelope.author.account)
        self._require_session(envelope.session)
        if not any(envelope.id):
            raise Malformed("id")
        return self._append(wire, erasable=True, unique=envelope.id, seen=envelope.seen)

    def _reset(self, wire: WireAppend) -> Append:
        reset = self._signed(SessionReset, TYPE_SESSION_RESET, wire.body)
        if reset.thread != self._place.thread:
            raise StatementRefused("session-reset")
        self._require_author(reset.author)
        return self._append(wire)

    def _require_author(self, author: bytes) -> None:
        if author != self._place.sender:
            raise StatementRefused("author")

    def _require_session(self, session: bytes) -> None:
        """All session-bound entries of a request are of one session: its handshake's, if any."""
        current = self._session if self._handshake is None else self._handshake.new
        if current is not None and session != current:
            raise StaleSession
        self._session = session

    def _signed(self, cls: type[Signed], type_name: str, body: bytes) -> Signed:
        """The payload, signed by the working key of the sender that it names."""
        claimed = from_bytes(cls, unverified_payload(body))
        key = self._accounts.signing_key(self._place.sender, claimed.generation)
        if key is None:
            raise StatementRefused("generation")
        try:
            return from_bytes(cls, open_statement(key, type_name, body))
        except (CodecError, InvalidSignature):
            raise StatementRefused("signature") from None


_CHECKS = {
    KIND_OPENED: ThreadRules._opened,
    KIND_HANDSHAKE: ThreadRules._handshaken,
    KIND_OPENING: ThreadRules._opening,
    KIND_MESSAGE: ThreadRules._message,
    KIND_SESSION_RESET: ThreadRules._reset,
}
