"""Where a process hands in its transactions and waits for what the sequencer made of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic

from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.mac import equal
from secure_msg.ledger.transaction import Busy, Committed, Damaged, Transaction
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.leader import request_mac
from secure_msg.store.postgres.outside import Outside
from secure_msg.store.postgres.records import MAX_OUTCOME, Outcome, asked, committed_of
from secure_msg.store.postgres.replica import Replica
from secure_msg.store.postgres.schema import REQUESTS
from secure_msg.store.requests import checked_request
from secure_msg.store.sequencer import QUEUE_LIMIT

ID_SIZE = 16
PATIENCE_SECONDS = 20.0
"""Longer than an election takes: what was handed in before is answered after it."""
CONFIRM_SECONDS = 10.0


@dataclass(slots=True)
class _Waiting:
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None


class Desk:
    """One request a transaction. Its id is how a lost answer is found again, exactly once."""

    def __init__(
        self,
        database: Database,
        replica: Replica,
        key: bytes,
        outside: Outside,
    ) -> None:
        self._database = database
        self._replica = replica
        self._key = key
        self._outside = outside
        self._waiting: dict[bytes, _Waiting] = {}

    def commit(self, transaction: Transaction) -> Committed:
        """Raises what `Store.commit` does, ValueError."""
        size = checked_request(transaction).size
        if len(self._waiting) >= QUEUE_LIMIT:
            raise Busy("too many requests wait; send it again shortly")
        request_id = self._outside.random(ID_SIZE)
        data = to_bytes(asked(transaction, self._outside.clock()))
        payload = request_mac(self._key, b"asked", request_id, data) + data
        waiting = self._waiting[request_id] = _Waiting()
        try:
            self._hand_in(request_id, size, payload)
            if not waiting.done.wait(PATIENCE_SECONDS):
                waiting.outcome = waiting.outcome or self._withdrawn(request_id)
        finally:
            del self._waiting[request_id]
        return self._confirmed(waiting.outcome)

    def waiting(self) -> int:
        return len(self._waiting)

    def collect(self) -> None:
        """Look for answers to what waits here. Raises Busy."""
        ids = [one for one, waiting in tuple(self._waiting.items()) if waiting.outcome is None]
        if ids:
            with self._database.pooled() as connection:
                found = connection.execute(
                    "SELECT id, result FROM securemsg.requests "
                    "WHERE id = ANY(%s) AND result IS NOT NULL",
                    (ids,),
                ).fetchall()
            for request_id, result in found:
                waiting = self._waiting.get(request_id)
                if waiting is not None:
                    waiting.outcome = self._opened(request_id, result)
        for waiting in tuple(self._waiting.values()):
            # Not before this process shows the commit: who is answered may read it at once.
            if waiting.outcome is not None and waiting.outcome.seen <= self._replica.size:
                waiting.done.set()

    def _hand_in(self, request_id: bytes, size: int, payload: bytes) -> None:
        with self._database.pooled() as connection:
            connection.execute(
                "WITH taken AS (INSERT INTO securemsg.requests (id, size, payload) "
                "VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1) "
                "SELECT pg_notify(%s, '') FROM taken",
                (request_id, size, payload, REQUESTS),
            )

    def _withdrawn(self, request_id: bytes) -> Outcome | None:
        """None when nobody decided it and nobody will; else what was decided."""
        with self._database.pooled() as connection:
            connection.execute(
                "DELETE FROM securemsg.requests WHERE id = %s AND result IS NULL", (request_id,)
            )
            found = connection.execute(
                "SELECT result FROM securemsg.requests WHERE id = %s", (request_id,)
            ).fetchone()
        return None if found is None else self._opened(request_id, found[0])

    def _confirmed(self, outcome: Outcome | None) -> Committed:
        if outcome is None:
            raise Busy("no process sequences at the moment; send it again shortly")
        deadline = monotonic() + CONFIRM_SECONDS
        while outcome.seen > self._replica.size:
            left = deadline - monotonic()
            if left <= 0 or not self._replica.wait_beyond(self._replica.size, left):
                raise Busy("the commit is not signed yet; send it again shortly")
        return committed_of(outcome)

    def _opened(self, request_id: bytes, result: bytes) -> Outcome:
        mac, data = result[:32], result[32:]
        if not equal(request_mac(self._key, b"answer", request_id, data), mac):
            raise Damaged("an answer of the sequencer does not check")
        return from_bytes(Outcome, data, limit=MAX_OUTCOME)
