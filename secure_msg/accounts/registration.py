"""How an account comes to be: one transaction, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from secure_msg.accounts.credentials import login_hash, recovery_hash
from secure_msg.accounts.directory import Directory
from secure_msg.accounts.errors import Malformed, NameTaken, Refused, StatementRefused
from secure_msg.accounts.names import check_name
from secure_msg.accounts.placed import result_of
from secure_msg.accounts.records import Credential, SessionFile
from secure_msg.accounts.sessions import NewSession, Sessions
from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    KIND_CREDENTIAL,
    KIND_KEYS,
    KIND_PREKEY,
    KIND_PREKEY_BATCH,
    CredentialEvent,
)
from secure_msg.codec.http import (
    CREDENTIAL_PATH,
    SESSIONS_PATH,
    Registration,
    TransactResult,
    check_puts,
)
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.accountchain import AccountViolation, apply_entry, open_account
from secure_msg.ledger.transaction import (
    Append,
    Committed,
    Conflict,
    NameClaim,
    Put,
    Store,
    Transaction,
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the server promised at the beginning of a registration, and signed."""

    account: bytes
    name: str
    stored_random: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    ticket: Ticket
    skeleton: str


class Registrations:
    """`server` is the server's id, which account statements name."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        sessions: Sessions,
        server: bytes,
        *,
        is_open: bool,
    ) -> None:
        self._store = store
        self._directory = directory
        self._sessions = sessions
        self._server = server
        self._open = is_open

    @property
    def is_open(self) -> bool:
        return self._open

    def begin(self, typed: str, random: RandomBytes) -> Begun:
        """Draws 32 bytes for the account id, then 32 that salt the password.

        Raises Refused, NameRefused, NameTaken.
        """
        self._require_open()
        name = check_name(typed)
        if any(self._store.name_owner(skeleton) is not None for skeleton in name.skeletons):
            raise NameTaken
        return Begun(Ticket(random(32), name.shown, random(32)), name.skeleton)

    def finish(self, ticket: Ticket, request: Registration, session: NewSession) -> TransactResult:
        """Raises Refused, StatementRefused, NameTaken, Malformed, MalformedData."""
        self._require_open()
        name = check_name(ticket.name)
        appends = self._appends(ticket, request)
        sessions = SessionFile((session.record,))
        transaction = Transaction(
            appends=appends,
            puts=_puts(ticket, request, sessions),
            names=tuple(NameClaim(skeleton, ticket.account) for skeleton in name.skeletons),
        )
        committed = self._commit(transaction)
        self._directory.add(ticket.account, name.shown)
        self._sessions.committed(ticket.account, committed.versions[-1], sessions)
        return result_of(self._store, committed, len(request.puts))

    def _commit(self, transaction: Transaction) -> Committed:
        try:
            return self._store.commit(transaction)
        except Conflict as conflict:
            if conflict.what == "name":
                raise NameTaken from None
            # The ticket was used before: its account exists.
            raise Malformed("ticket") from None

    def _appends(self, ticket: Ticket, request: Registration) -> tuple[Append, ...]:
        bodies = (
            (KIND_ACCOUNT, request.account_statement),
            (KIND_KEYS, request.keys_entry),
            (KIND_PREKEY, request.prekey_statement),
            (KIND_PREKEY_BATCH, request.batch_entry),
            (KIND_CREDENTIAL, to_bytes(CredentialEvent("created"))),
        )
        try:
            view = open_account(
                request.account_statement, server=self._server, account=ticket.account
            )
            for kind, body in bodies[1:]:
                view = apply_entry(view, kind, body)
        except AccountViolation:
            raise StatementRefused from None
        if view.name != ticket.name:
            raise StatementRefused("name")
        first = Append(
            ticket.account,
            KIND_ACCOUNT,
            request.account_statement,
            expected_size=0,
            label=ticket.name.encode("utf-8"),
        )
        return (first, *(Append(ticket.account, kind, body) for kind, body in bodies[1:]))

    def _require_open(self) -> None:
        if not self._open:
            raise Refused("registration-closed")


def _puts(ticket: Ticket, request: Registration, sessions: SessionFile) -> tuple[Put, ...]:
    """The client's files, then the credential, then the sessions."""
    check_puts(request.puts)
    if any(put.expected != 0 for put in request.puts):
        raise Malformed("expected")
    recovery = request.recovery_login_key
    credential = Credential(
        ticket.stored_random,
        login_hash(request.login_key),
        None if recovery is None else recovery_hash(recovery),
    )
    return (
        *(Put(ticket.account, put.path, 0, put.blob) for put in request.puts),
        Put(ticket.account, CREDENTIAL_PATH, 0, to_bytes(credential)),
        Put(ticket.account, SESSIONS_PATH, 0, to_bytes(sessions)),
    )
