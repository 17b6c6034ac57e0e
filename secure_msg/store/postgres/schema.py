"""The tables of docs/spec/storage.md, "In PostgreSQL", and whose they are."""

from __future__ import annotations

from typing import Any

import psycopg

from secure_msg.codec.schema import to_bytes
from secure_msg.ledger.transaction import StoreError
from secure_msg.store.serverkeys import ServerIdentity

FORMAT = "secure-msg postgres 1"
FLOOR = 140_000
"""The first version that ends an idle session by itself, which the election relies on."""
PREPARING = 0x7365_6375_7265_6D00
SEQUENCER = 0x7365_6375_7265_6D01
REQUESTS, COMMITS = "securemsg_requests", "securemsg_commits"

Connection = psycopg.Connection[Any]

TABLES = """
CREATE SCHEMA IF NOT EXISTS securemsg;
CREATE TABLE securemsg.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format text NOT NULL,
    identity bytea NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    log_size bigint NOT NULL DEFAULT 0,
    signed_size bigint NOT NULL DEFAULT 0,
    checkpoint bytea NOT NULL DEFAULT '',
    restored bytea NOT NULL DEFAULT ''
);
CREATE TABLE securemsg.commits (
    log_index bigint PRIMARY KEY,
    leaf bytea NOT NULL,
    changes bytea NOT NULL,
    mac bytea NOT NULL
);
CREATE TABLE securemsg.heads (
    chain bytea PRIMARY KEY,
    record bytea NOT NULL,
    mac bytea NOT NULL
);
CREATE TABLE securemsg.names (
    skeleton bytea PRIMARY KEY,
    account bytea NOT NULL
);
CREATE TABLE securemsg.entries (
    chain bytea NOT NULL,
    sequence bigint NOT NULL,
    leaf bytea NOT NULL,
    uniq bytea NOT NULL,
    log_index bigint NOT NULL,
    mac bytea NOT NULL,
    frame bytea NOT NULL,
    PRIMARY KEY (chain, sequence)
);
CREATE TABLE securemsg.levels (
    chain bytea NOT NULL,
    level smallint NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (chain, level, position)
);
CREATE TABLE securemsg.blobs (
    account bytea NOT NULL,
    path bytea NOT NULL,
    version bigint NOT NULL,
    blob bytea NOT NULL,
    PRIMARY KEY (account, path)
);
CREATE TABLE securemsg.indices (
    account bytea PRIMARY KEY,
    size bigint NOT NULL,
    data bytea NOT NULL
);
CREATE TABLE securemsg.restorations (
    log_index bigint PRIMARY KEY,
    statement bytea NOT NULL
);
CREATE TABLE securemsg.requests (
    id bytea PRIMARY KEY,
    size bigint NOT NULL,
    payload bytea,
    result bytea,
    asked timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX requests_waiting ON securemsg.requests (asked) WHERE result IS NULL;
"""


class WrongDatabase(StoreError):
    """The database cannot hold this server's store; the text is for the operator."""


def prepare(connection: Connection, identity: ServerIdentity) -> None:
    """Make the tables of a new database, or check whose they are. Raises WrongDatabase."""
    _check_server(connection)
    own = to_bytes(identity)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PREPARING,))
        made = connection.execute("SELECT to_regclass('securemsg.store')").fetchone()
        # On tables in use even CREATE IF NOT EXISTS takes locks: a deadlock with a commit.
        if made is None or made[0] is None:
            connection.execute(TABLES)
            connection.execute(
                "INSERT INTO securemsg.store (format, identity) VALUES (%s, %s)", (FORMAT, own)
            )
    found = connection.execute("SELECT format, identity FROM securemsg.store").fetchone()
    if found is None or found[0] != FORMAT:
        raise WrongDatabase(f"The database holds another format than {FORMAT!r}.")
    if found[1] != own:
        raise WrongDatabase(
            "The database belongs to a server with other keys: copy the folder server/ of that "
            "server into this one's storage folder."
        )


def hold_office(session: Connection) -> None:
    """While this session lives nothing is committed. Raises WrongDatabase."""
    found = session.execute("SELECT pg_try_advisory_lock(%s)", (SEQUENCER,)).fetchone()
    if found is None or not found[0]:
        raise WrongDatabase("A server runs on this database: end all of them first.")


def _check_server(connection: Connection) -> None:
    if connection.info.server_version < FLOOR:
        raise WrongDatabase("PostgreSQL 14 or newer is needed.")
    for name in ("fsync", "full_page_writes"):
        found = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        if found is None or found[0] != "on":
            raise WrongDatabase(
                f"PostgreSQL runs with {name} off: what it confirms might not be on its disk."
            )
