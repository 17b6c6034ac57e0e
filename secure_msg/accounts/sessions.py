"""Sign-in sessions: kept in the account's private folder, with a copy in memory.

A cookie is a token = account id ‖ secret; only its hash is stored. What ends a session is committed
first, then the copy in memory follows, so that an ended token is dead for the next request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from secure_msg.accounts.errors import NotFound
from secure_msg.accounts.records import MAX_SESSIONS, SessionFile, SessionRecord
from secure_msg.codec.http import SESSIONS_PATH
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import equal
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.transaction import (
    Busy,
    Conflict,
    Put,
    StorageFailed,
    StorageFull,
    Store,
    Transaction,
)

ACCOUNT_SIZE = 32
SECRET_SIZE = 32
TOKEN_SIZE = ACCOUNT_SIZE + SECRET_SIZE
SESSION_ID_SIZE = 16

SEEN_EVERY_MS = 3_600_000
MAX_CACHED = 20_000
MAX_TRIES = 8


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: what a valid token stands for."""

    account: bytes
    session: bytes
    recovering: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """`token` goes to the browser and is kept nowhere else."""

    token: bytes
    record: SessionRecord


@dataclass(frozen=True, slots=True)
class _Stored:
    version: int
    sessions: tuple[SessionRecord, ...]


Change = Callable[[tuple[SessionRecord, ...]], tuple[SessionRecord, ...]]


def new_session(
    account: bytes, browser: str, now: int, random: RandomBytes, *, recovering: bool = False
) -> NewSession:
    """Draws 32 bytes for the secret, then 16 for the id."""
    token = account + random(SECRET_SIZE)
    return NewSession(
        token,
        SessionRecord(random(SESSION_ID_SIZE), token_hash(token), now, now, browser, recovering),
    )


def token_hash(token: bytes) -> bytes:
    return sha256(b"securemsg/session-token/1", token)


class Sessions:
    """`lifetime` in milliseconds is how long an unused session lives."""

    def __init__(self, store: Store, lifetime: int) -> None:
        self._store = store
        self._lifetime = lifetime
        self._cached: OrderedDict[bytes, _Stored] = OrderedDict()

    def find(self, token: bytes, now: int) -> SignedIn | None:
        """Who holds this token, or None: never issued, ended or expired."""
        if len(token) != TOKEN_SIZE:
            return None
        account, hashed = token[:ACCOUNT_SIZE], token_hash(token)
        for record in self._load(account).sessions:
            if equal(record.token, hashed) and self._lives(record, now):
                return SignedIn(account, record.id, record.recovering)
        return None

    def alive(self, who: SignedIn, now: int) -> bool:
        # Asked for each thing that a socket asks or is told: a plain loop takes half the time.
        for record in self._load(who.account).sessions:
            if record.id == who.session and self._lives(record, now):
                return True
        return False

    def listed(self, account: bytes, now: int) -> tuple[SessionRecord, ...]:
        return self._living(self._load(account).sessions, now)

    def begin(self, session: NewSession, now: int, prove: Callable[[], object]) -> None:
        """Keep a new session; the least recently used one goes when there are too many.

        `prove` raises when what was signed in with does not hold any more. A new password commits
        the sessions too: it is seen by `prove`, or this change conflicts with it and asks again.
        """

        def with_new(kept: tuple[SessionRecord, ...]) -> tuple[SessionRecord, ...]:
            prove()
            return self.with_new(kept, session, now)

        self._change(session.token[:ACCOUNT_SIZE], with_new)

    def with_new(
        self, kept: tuple[SessionRecord, ...], session: NewSession, now: int
    ) -> tuple[SessionRecord, ...]:
        living = sorted(self._living(kept, now), key=lambda record: record.last_seen)
        return (*living[-(MAX_SESSIONS - 1) :], session.record)

    def end(self, account: bytes, session: bytes) -> None:
        """Raises NotFound when there is no such session (any more)."""
        before = self._load(account).sessions
        if not any(record.id == session for record in before):
            raise NotFound
        self._change(account, lambda kept: tuple(r for r in kept if r.id != session))

    def end_others(self, who: SignedIn) -> tuple[bytes, ...]:
        """The ids of the sessions that were ended: all but the asker's."""
        ended = tuple(r.id for r in self._load(who.account).sessions if r.id != who.session)
        self._change(who.account, lambda kept: tuple(r for r in kept if r.id == who.session))
        return ended

    def seen(self, who: SignedIn, now: int) -> None:
        """Note the use of a session, at most once an hour, where the disk takes it."""
        for record in self._load(who.account).sessions:
            if record.id == who.session and now - record.last_seen >= SEEN_EVERY_MS:
                with suppress(StorageFull, StorageFailed, Busy):  # reading goes on without it
                    self._change(who.account, lambda kept: _touched(kept, who.session, now))

    def only_put(self, who: SignedIn) -> tuple[Put, SessionFile]:
        """The put that leaves the asker's session alone, no longer recovering; for a transaction.

        `committed` follows it.
        """
        stored = self._load(who.account)
        kept = tuple(
            replace(record, recovering=False)
            for record in stored.sessions
            if record.id == who.session
        )
        file = SessionFile(kept)
        return Put(who.account, SESSIONS_PATH, stored.version, to_bytes(file)), file

    def committed(self, account: bytes, version: int, file: SessionFile) -> None:
        """A put of this folder's sessions was committed as part of a transaction."""
        self._keep(account, _Stored(version, file.sessions))

    def reload(self, account: bytes) -> None:
        """After a conflict: take what is stored, unless newer is known already."""
        self._read(account)

    def forget(self, account: bytes) -> None:
        """Another process may have changed this account's sessions: the store is asked again."""
        self._cached.pop(account, None)

    def forget_all(self) -> None:
        self._cached.clear()

    def _change(self, account: bytes, change: Change) -> None:
        for attempt in range(MAX_TRIES):
            stored = self._load(account)
            file = SessionFile(change(stored.sessions))
            put = Put(account, SESSIONS_PATH, stored.version, to_bytes(file))
            try:
                committed = self._store.commit(Transaction(puts=(put,)))
            except Conflict:
                self.reload(account)
                if attempt == MAX_TRIES - 1:
                    raise
                continue
            self.committed(account, committed.versions[0], file)
            return

    def _load(self, account: bytes) -> _Stored:
        cached = self._cached.get(account)
        if cached is not None:
            self._cached.move_to_end(account)
            return cached
        return self._read(account)

    def _read(self, account: bytes) -> _Stored:
        file = self._store.private(account, SESSIONS_PATH)
        if file is None:
            return _Stored(0, ())
        stored = _Stored(file.version, from_bytes(SessionFile, file.blob).sessions)
        return self._keep(account, stored)

    def _keep(self, account: bytes, stored: _Stored) -> _Stored:
        # Reads and commits interleave: an older version never replaces a newer one.
        cached = self._cached.get(account)
        if cached is not None and cached.version >= stored.version:
            return cached
        self._cached[account] = stored
        self._cached.move_to_end(account)
        while len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)
        return stored

    def _lives(self, record: SessionRecord, now: int) -> bool:
        return now - record.last_seen < self._lifetime

    def _living(self, kept: tuple[SessionRecord, ...], now: int) -> tuple[SessionRecord, ...]:
        return tuple(record for record in kept if self._lives(record, now))


def _touched(
    kept: tuple[SessionRecord, ...], session: bytes, now: int
) -> tuple[SessionRecord, ...]:
    return tuple(
        replace(record, last_seen=now) if record.id == session else record for record in kept
    )
