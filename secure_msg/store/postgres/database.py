"""Connections to the database: a pool for short statements, and sessions of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from secure_msg.ledger.transaction import Busy
from secure_msg.store.postgres.schema import Connection

POOLED = 8
PATIENCE = 5.0
SILENT = "the database does not answer; ask again shortly"
# A peer that vanished without a word ends a session within these.
WIRE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Database:
    """`url` is secret: it is given to the driver and kept nowhere else."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=POOLED,
            timeout=PATIENCE,
            open=False,
            kwargs={**WIRE, "autocommit": True, "application_name": "secure-msg"},
            configure=_relaxed,
        )
        self._connect: Callable[[str], Connection] = lambda name: session_of(url, name)

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def pooled(self) -> Iterator[Connection]:
        """For reads, and for what need not be durable by itself. Raises Busy."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout):
            raise Busy(SILENT) from None

    def fetch(self, query: LiteralString, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement that only reads. Raises Busy."""
        for left in range(POOLED, -1, -1):
            try:
                with self._pool.connection() as connection:
                    return connection.execute(query, values).fetchall()
            except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
                # After a restart of the database each pooled connection fails once.
                if not left or isinstance(error, PoolTimeout):
                    raise Busy(SILENT) from None
        raise Busy(SILENT)

    def session(self, name: str) -> Connection:
        """A connection of one's own, to be used as a context manager. Raises psycopg.Error."""
        return self._connect(name)


def session_of(url: str, name: str) -> Connection:
    """Raises psycopg.Error."""
    return psycopg.connect(url, **WIRE, autocommit=True, application_name=f"secure-msg {name}")


def _relaxed(connection: Connection) -> None:
    """What is asked becomes durable with its answer, in the sequencer's own session."""
    connection.execute("SET synchronous_commit = off")
