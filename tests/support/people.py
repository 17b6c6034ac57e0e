"""People for tests of the server: real statements under real keys, ciphertext of random bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from secure_msg.codec.accounts import (
    KIND_KEYS,
    KIND_PREKEY,
    KIND_PREKEY_BATCH,
    TYPE_ACCOUNT,
    TYPE_KEYS,
    TYPE_POSSESSION,
    TYPE_PREKEY,
    TYPE_PREKEY_BATCH,
    AccountStatement,
    BatchEntry,
    BatchStatement,
    KeysEntry,
    KeysStatement,
    PrekeyStatement,
)
from secure_msg.codec.http import PutFile, Registration, WireAppend
from secure_msg.codec.messages import (
    KIND_HANDSHAKE,
    KIND_MESSAGE,
    KIND_OPENED,
    KIND_OPENING,
    KIND_SESSION_RESET,
    SEALED_OPENING_SIZE,
    TYPE_OPENED,
    TYPE_SESSION_RESET,
    Envelope,
    Handshake,
    Member,
    Opened,
    OpeningEntry,
    SessionReset,
    session_id,
)
from secure_msg.codec.schema import to_bytes
from secure_msg.codec.statement import sign_detached, sign_statement
from secure_msg.crypto.agreement import AgreementKey
from secure_msg.crypto.signature import HYBRID, SigningKey
from secure_msg.ledger.accountchain import batch_root

CREATED = 1_700_000_000_000


@dataclass
class Person:
    """One account's keys and secrets; `account` is known once the registration was begun."""

    name: str
    account: bytes = b""
    root: SigningKey = field(default_factory=lambda: HYBRID.generate(os.urandom(64)))
    working: SigningKey = field(default_factory=lambda: HYBRID.generate(os.urandom(64)))
    login_key: bytes = field(default_factory=lambda: os.urandom(32))
    recovery_login_key: bytes = field(default_factory=lambda: os.urandom(32))

    def account_statement(self, server: bytes) -> bytes:
        payload = AccountStatement(server, self.account, self.name, self.root.public, CREATED)
        return sign_statement(self.root, TYPE_ACCOUNT, to_bytes(payload))

    def keys_entry(self, generation: int = 1) -> bytes:
        payload = to_bytes(
            KeysStatement(
                self.account, generation, self.working.public, agreement(), ("SM1",), CREATED
            )
        )
        statement = sign_statement(self.root, TYPE_KEYS, payload)
        return to_bytes(KeysEntry(statement, sign_detached(self.working, TYPE_POSSESSION, payload)))

    def prekey(self, number: int = 1) -> bytes:
        payload = PrekeyStatement(self.account, number, agreement(), CREATED)
        return sign_statement(self.root, TYPE_PREKEY, to_bytes(payload))

    def batch(self, number: int = 1, count: int = 4) -> bytes:
        keys = tuple(agreement() for _ in range(count))
        payload = BatchStatement(self.account, number, count, batch_root(number, keys), CREATED)
        statement = sign_statement(self.root, TYPE_PREKEY_BATCH, to_bytes(payload))
        return to_bytes(BatchEntry(statement, keys))

    def registration(
        self, server: bytes, ticket: bytes, puts: tuple[PutFile, ...] = ()
    ) -> Registration:
        return Registration(
            ticket,
            self.account_statement(server),
            self.keys_entry(),
            self.prekey(),
            self.batch(),
            self.login_key,
            self.recovery_login_key,
            puts,
        )

    def own(self, kind: str, number: int, expected: int | None = None) -> WireAppend:
        make = {KIND_KEYS: self.keys_entry, KIND_PREKEY: self.prekey, KIND_PREKEY_BATCH: self.batch}
        return WireAppend(self.account, kind, make[kind](number), expected)

    # A conversation.

    def opened(self, thread: bytes, peer: bytes, generation: int = 1) -> WireAppend:
        payload = Opened(thread, self.account, peer, generation, CREATED)
        body = sign_statement(self.working, TYPE_OPENED, to_bytes(payload))
        return WireAppend(thread, KIND_OPENED, body, 0)

    def handshake(
        self, thread: bytes, peer: bytes, replaces: bytes = b""
    ) -> tuple[WireAppend, bytes]:
        """The entry and the id of the session it begins."""
        body = to_bytes(
            Handshake(
                suite="SM1",
                thread=thread,
                initiator=self.account,
                responder=peer,
                initiator_keys=1,
                responder_keys=1,
                prekey=1,
                one_time=None,
                replaces=replaces,
                ephemeral=os.urandom(32),
                ct_identity=os.urandom(1568),
                ct_prekey=os.urandom(1568),
                ct_one_time=None,
                created=CREATED,
                signature=os.urandom(3373),
            )
        )
        return WireAppend(thread, KIND_HANDSHAKE, body, None), session_id(body)

    def opening(self, thread: bytes, session: bytes) -> WireAppend:
        body = OpeningEntry(session, self.account, os.urandom(32), os.urandom(SEALED_OPENING_SIZE))
        return WireAppend(thread, KIND_OPENING, to_bytes(body), None)

    def message(
        self, thread: bytes, session: bytes, *, seen: int = 0, number: bytes | None = None
    ) -> WireAppend:
        body = Envelope(
            suite="SM1",
            author=Member(self.account),
            session=session,
            id=number or os.urandom(16),
            seen=seen,
            salt=os.urandom(32),
            aead="AES-256-GCM",
            header=os.urandom(80),
            wrap=os.urandom(48),
            commitment=os.urandom(32),
            body=os.urandom(3_840 + 16),
        )
        return WireAppend(thread, KIND_MESSAGE, to_bytes(body), None)

    def reset(self, thread: bytes, session: bytes) -> WireAppend:
        payload = SessionReset(thread, self.account, session, 1, (os.urandom(16),), CREATED)
        body = sign_statement(self.working, TYPE_SESSION_RESET, to_bytes(payload))
        return WireAppend(thread, KIND_SESSION_RESET, body, None)


def agreement() -> bytes:
    """A fresh public agreement key, 1600 bytes."""
    return AgreementKey(os.urandom(96)).public


def put(label: str, expected: int = 0, size: int = 1024) -> PutFile:
    return PutFile(path_of(label), expected, os.urandom(size), False)


def path_of(label: str) -> bytes:
    return label.encode().ljust(32, b".")[:32]
