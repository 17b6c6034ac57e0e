"""The one elected sequencer: takes what is asked, commits it, signs (docs/spec/storage.md).

A session-wide advisory lock elects it. The database ends a session that is silent for a lease, so
that a process that was stopped loses the lock; whatever it still tries fails on the epoch. It signs
after its commit was confirmed and at no other time.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import psycopg
from psycopg.errors import LockNotAvailable

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.transaction import Busy, Committed, Damaged, StoreError
from secure_msg.store.observer import BatchReport
from secure_msg.store.postgres.commit import (
    Batch,
    Deposed,
    advance,
    commit_row,
    row_keys,
    write_commit,
)
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.folders import PrivateFolders
from secure_msg.store.postgres.outside import Outside
from secure_msg.store.postgres.records import (
    MAX_REQUEST,
    Asked,
    Outcome,
    outcome_of,
    refusal_of,
    transaction_of,
)
from secure_msg.store.postgres.replica import Grown, Replica
from secure_msg.store.postgres.schema import COMMITS, REQUESTS, SEQUENCER, Connection
from secure_msg.store.postgres.setback import announced, note_said, statement_of
from secure_msg.store.sequencer import BATCH_BYTES, BATCH_LIMIT
from secure_msg.store.stage import Base, Stage, stage_keys

IDLE_LEAF_MS = 6 * 3600 * 1000
BEAT_SECONDS = 1.0
PAUSE_SECONDS = 0.3
VALID_MS = 10 * 60 * 1000
"""How long a request may be on its way, and how much the hosts' clocks may differ."""
KEPT_MINUTES = 20
"""How long an answer is kept: longer than its request could come again."""

END_SILENT = """
SELECT pg_terminate_backend(held.pid)
FROM pg_locks AS held JOIN pg_stat_activity AS session ON session.pid = held.pid
WHERE held.locktype = 'advisory' AND held.granted AND session.datname = current_database()
    AND (held.classid::bigint << 32 | held.objid::bigint) = %s
    AND clock_timestamp() - session.state_change > make_interval(secs => %s)
"""
"""Ends a sequencer that fell silent in the middle of a pipeline, where no timeout of the database
counts. Ending the wrong one costs an election and no more: the epoch fences."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaderParts:
    database: Database
    replica: Replica
    folders: PrivateFolders
    base: Base
    outside: Outside


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was asked, under the ids that it is answered by."""

    ids: list[bytes]
    payloads: list[bytes]


@dataclass(frozen=True, slots=True)
class _Decided:
    stage: Stage
    outcomes: list[Outcome]
    blobs: dict[tuple[bytes, bytes], bytes | None]


def request_mac(key: bytes, what: bytes, request_id: bytes, data: bytes) -> bytes:
    """`what` is b"asked" or b"answer"."""
    return hmac_sha256(key, what, request_id, data)


class Leader:
    """Runs for the office for as long as the process lives."""

    def __init__(self, parts: LeaderParts) -> None:
        keys = parts.outside.keys
        self._parts = parts
        self._stage_keys = stage_keys(keys)
        self._row_keys = row_keys(keys)
        self._request_key = keys.derive("requests")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._epoch = 0
        self.settled = threading.Event()
        """Set once this process, or another one, has the office."""
        self.leads = False
        self.batches = 0
        self.transactions = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        with suppress(Busy), self._parts.database.pooled() as connection:
            connection.execute(f"NOTIFY {REQUESTS}")
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with self._parts.database.session("sequencer") as session:
                    self._campaign(session)
            except Deposed:
                _log.warning("another process is the sequencer now")
            except psycopg.Error as error:
                _log.warning("the sequencer's session ended: %s", type(error).__name__)
            except StoreError as error:
                _log.critical("this process cannot be the sequencer: %s", error)
            finally:
                self.leads = False
            self._ending.wait(PAUSE_SECONDS)

    def _campaign(self, session: Connection) -> None:
        """Wait for the office and hold it. Raises Deposed, psycopg.Error, Damaged, Busy."""
        lease = int(self._parts.outside.lease * 1000)
        for name in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
            session.execute("SELECT set_config(%s, %s, false)", (name, str(lease)))
        session.execute("SET synchronous_commit = on")
        session.execute("SET lock_timeout = 1000")
        while not self._ending.is_set():
            try:
                session.execute("SELECT pg_advisory_lock(%s)", (SEQUENCER,))
            except LockNotAvailable:
                self.settled.set()
                session.execute(END_SILENT, (SEQUENCER, 1.5 * self._parts.outside.lease))
                continue
            self._lead(session)

    def _lead(self, session: Connection) -> None:
        session.execute(f"LISTEN {REQUESTS}")
        self._take_office(session)
        self.leads = True
        self.settled.set()
        _log.info("this process is the sequencer, epoch %d", self._epoch)
        while not self._ending.is_set():
            while self._batch(session):
                pass
            self._keep_house(session)
            for _ in session.notifies(timeout=BEAT_SECONDS, stop_after=1):
                pass

    def _take_office(self, session: Connection) -> None:
        """A new epoch; what the last sequencer committed and did not sign is signed; a leaf."""
        found = session.execute(
            "UPDATE securemsg.store SET epoch = epoch + 1 RETURNING epoch, log_size, signed_size"
        ).fetchone()
        if found is None:
            raise Damaged("the database has lost its store")
        self._epoch, size, signed_size = found
        replica = self._parts.replica
        replica.catch_up(session)
        if signed_size < size:
            with replica.turn:
                self._sign(session, replica.unsigned(session, size))
        if not self._say_restored(session):
            # Leaf 0 is the genesis leaf, which holds no map root: proofs need one more.
            for _ in range(1 if replica.size else 2):
                self._commit_leaf(session)

    def _say_restored(self, session: Connection) -> bool:
        """Say that the store was set back, where that is announced and not yet said."""
        identifier = announced(session)
        if not identifier or self._parts.replica.size < 2:
            return False
        with self._parts.replica.turn:
            stage, before = self._stage(), self._parts.replica.published
            keys = self._parts.outside.keys
            stage.restored = statement_of(keys, identifier, stage.time, before)
            with session.transaction():
                grown = self._write(session, _Decided(stage, [], {}))
                note_said(session, stage.index, stage.restored)
            self._sign(session, grown)
        _log.warning("the store was set back to a copy of log size %d", before.log.size)
        return True

    def _keep_house(self, session: Connection) -> None:
        """The heartbeat: what is said here keeps the session, and with it the office."""
        session.execute(
            "DELETE FROM securemsg.requests "
            "WHERE result IS NOT NULL AND asked < now() - make_interval(mins => %s)",
            (KEPT_MINUTES,),
        )
        if self._parts.outside.clock() - self._parts.replica.published.time >= IDLE_LEAF_MS:
            self._commit_leaf(session)

    def _commit_leaf(self, session: Connection) -> None:
        """A timed empty leaf."""
        with self._parts.replica.turn:
            with session.transaction():
                grown = self._write(session, _Decided(self._stage(), [], {}))
            self._sign(session, grown)

    def _batch(self, session: Connection) -> bool:
        """Settle what is asked now; whether there was anything."""
        with self._parts.replica.turn:
            began = perf_counter()
            with session.transaction():
                found = self._take(session)
                if not found.ids:
                    return False
                decided = self._decide(found)
                grown = None if decided.stage.empty else self._write(session, decided)
                self._answer(session, found.ids, decided.outcomes)
                if grown is None:
                    # Who reads this must still be the one who may decide it.
                    self._check_office(session)
                    session.execute(f"NOTIFY {COMMITS}")
            self.transactions += len(found.ids)
            if grown is not None:
                signed = self._sign(session, grown)
                self._report(decided, perf_counter() - began - signed, signed)
                self._write_indices(session, decided.stage)
        return True

    def _take(self, session: Connection) -> _Taken:
        """The longest waiting requests that fit a batch, locked against their withdrawal."""
        rows = session.execute(
            "SELECT id, size FROM securemsg.requests WHERE result IS NULL ORDER BY asked "
            "LIMIT %s FOR UPDATE SKIP LOCKED",
            (BATCH_LIMIT,),
        ).fetchall()
        ids: list[bytes] = []
        total = 0
        for request_id, size in rows:
            if ids and total + size > BATCH_BYTES:
                break
            ids.append(request_id)
            total += size
        payloads = dict(
            session.execute(
                "SELECT id, payload FROM securemsg.requests WHERE id = ANY(%s)", (ids,)
            ).fetchall()
        )
        return _Taken(ids, [payloads[request_id] for request_id in ids])

    def _decide(self, found: _Taken) -> _Decided:
        stage, size = self._stage(), self._parts.replica.size
        decided: list[Committed | Exception] = []
        blobs: dict[tuple[bytes, bytes], bytes | None] = {}
        for request_id, payload in zip(found.ids, found.payloads, strict=True):
            try:
                transaction = transaction_of(self._opened(request_id, payload))
                committed = stage.transact(transaction)
            except (StoreError, ValueError) as error:
                decided.append(error)
                continue
            decided.append(committed)
            if not committed.repeat:
                blobs.update(((put.account, put.path), put.blob) for put in transaction.puts)
        seen = size if stage.empty else size + 1
        outcomes = [
            refusal_of(one, seen) if isinstance(one, Exception) else outcome_of(one, seen)
            for one in decided
        ]
        return _Decided(stage, outcomes, blobs)

    def _opened(self, request_id: bytes, payload: bytes) -> Asked:
        """Raises Damaged for what no process of this server asked, Busy for what is too old."""
        mac, data = payload[:32], payload[32:]
        if not equal(request_mac(self._request_key, b"asked", request_id, data), mac):
            raise Damaged("a request does not check")
        try:
            asked = from_bytes(Asked, data, limit=MAX_REQUEST)
        except MalformedData:
            raise Damaged("a request is malformed") from None
        if abs(self._parts.outside.clock() - asked.at) > VALID_MS:
            raise Busy("the request was on its way for too long; ask again")
        return asked

    def _answer(self, session: Connection, ids: list[bytes], outcomes: list[Outcome]) -> None:
        """In the transaction of the commit: who lost the answer finds it by the id."""
        answers = []
        for request_id, outcome in zip(ids, outcomes, strict=True):
            data = to_bytes(outcome)
            mac = request_mac(self._request_key, b"answer", request_id, data)
            answers.append((mac + data, request_id))
        with session.cursor() as cursor:
            cursor.executemany(
                "UPDATE securemsg.requests SET result = %s, payload = NULL WHERE id = %s", answers
            )

    def _write(self, session: Connection, decided: _Decided) -> Grown:
        """The rows of a batch, in the transaction that is open. Raises Deposed, psycopg.Error."""
        stage, published = decided.stage, self._parts.replica.published
        leaf, after = stage.leaf(published.map)
        log, nodes = published.log.append(leaf)
        row, changes = commit_row(stage, leaf, self._row_keys)
        advance(session, self._epoch, stage.index)
        write_commit(session, Batch(stage, row, nodes, decided.blobs), self._row_keys)
        return Grown(log, after, ((stage.index, changes),))

    def _sign(self, session: Connection, grown: Grown) -> float:
        """After the commit, never before: sign what was let in, and show it. Seconds of signing."""
        began = perf_counter()
        log, keys = grown.log, self._parts.outside.keys
        checkpoint: bytes = self._parts.outside.offload(
            lambda: keys.checkpoint(log.size, log.frontier.root())
        )
        seconds = perf_counter() - began
        with session.transaction():
            done = session.execute(
                "UPDATE securemsg.store SET signed_size = %s, checkpoint = %s "
                "WHERE epoch = %s AND signed_size < %s",
                (log.size, checkpoint, self._epoch, log.size),
            )
            if done.rowcount != 1:
                raise Deposed
            session.execute(f"NOTIFY {COMMITS}")
        self._parts.replica.show(grown, checkpoint)
        self.batches += 1
        return seconds

    def _report(self, decided: _Decided, durable: float, signature: float) -> None:
        entries = sum(len(one.new.entries) for one in decided.stage.chains.values())
        report = BatchReport(len(decided.outcomes), entries, durable, signature)
        self._parts.outside.observer.committed(report)

    def _check_office(self, session: Connection) -> None:
        done = session.execute(
            "SELECT 1 FROM securemsg.store WHERE epoch = %s FOR SHARE", (self._epoch,)
        )
        if done.fetchone() is None:
            raise Deposed

    def _write_indices(self, session: Connection, stage: Stage) -> None:
        accounts = {account for account, _ in stage.files}
        for account, size, data in self._parts.folders.due(accounts):
            session.execute(
                "INSERT INTO securemsg.indices (account, size, data) VALUES (%s, %s, %s) "
                "ON CONFLICT (account) DO UPDATE SET size = excluded.size, data = excluded.data",
                (account, size, data),
            )

    def _stage(self) -> Stage:
        parts, published = self._parts, self._parts.replica.published
        time = max(parts.outside.clock(), published.time)
        return Stage(parts.base, self._stage_keys, parts.outside.random, published.log.size, time)
