"""A new password, by the old one or by a recovery: all other sessions end with it."""

from __future__ import annotations

from secure_msg.accounts.chains import Chains
from secure_msg.accounts.credentials import login_hash, recovery_hash, stored_credential
from secure_msg.accounts.errors import NotSignedIn, SignInFailed
from secure_msg.accounts.placed import result_of
from secure_msg.accounts.records import Credential
from secure_msg.accounts.sessions import Sessions, SignedIn
from secure_msg.codec.accounts import KIND_CREDENTIAL, CredentialEvent
from secure_msg.codec.http import CREDENTIAL_PATH, CredentialChange, TransactResult, check_puts
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.mac import equal
from secure_msg.ledger.transaction import Append, Put, Store, Transaction


class Renewal:
    def __init__(self, store: Store, sessions: Sessions, chains: Chains) -> None:
        self._store = store
        self._sessions = sessions
        self._chains = chains

    def change(self, who: SignedIn, request: CredentialChange) -> TransactResult:
        """Raises SignInFailed, NotSignedIn, StatementRefused, MalformedData, Conflict.

        A sign-in that lands in between is a Conflict: the client sends the same request again.
        """
        check_puts(request.puts)
        self._chains.require_room(who.account)
        stored = stored_credential(self._store, who.account)
        if stored is None:
            raise SignInFailed
        if not who.recovering and not equal(login_hash(request.proof), stored.credential.login):
            raise SignInFailed
        recovery = request.recovery_login_key
        credential = Credential(
            request.stored_random,
            login_hash(request.login_key),
            None if recovery is None else recovery_hash(recovery),
        )
        sessions_put, sessions = self._sessions.only_put(who)
        if not sessions.sessions:
            raise NotSignedIn
        transaction = Transaction(
            appends=(self._event(who),),
            puts=(
                *(
                    Put(who.account, put.path, put.expected, None if put.delete else put.blob)
                    for put in request.puts
                ),
                Put(who.account, CREDENTIAL_PATH, stored.version, to_bytes(credential)),
                sessions_put,
            ),
        )
        committed = self._store.commit(transaction)
        self._sessions.committed(who.account, committed.versions[-1], sessions)
        return result_of(self._store, committed, len(request.puts))

    def _event(self, who: SignedIn) -> Append:
        event = CredentialEvent("recovered" if who.recovering else "changed")
        return Append(who.account, KIND_CREDENTIAL, to_bytes(event))
