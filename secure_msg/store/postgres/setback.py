"""A database that was set back to a backup: said once, signed, in the log ("Restored")."""

from __future__ import annotations

import psycopg

from secure_msg.codec.proofs import RestoredStatement
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.restored import sign_restored
from secure_msg.store.postgres.database import session_of
from secure_msg.store.postgres.schema import Connection, WrongDatabase, hold_office, prepare
from secure_msg.store.restorations import ID_SIZE
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import Published


def announce(url: str, keys: ServerKeys, random: RandomBytes) -> None:
    """Let the next sequencer say that the store went back to what the database holds now.

    Raises WrongDatabase, also while a server runs.
    """
    try:
        with session_of(url, "set back") as session:
            prepare(session, keys.identity)
            hold_office(session)
            session.execute("UPDATE securemsg.store SET restored = %s", (random(ID_SIZE),))
    except psycopg.Error as error:
        raise WrongDatabase(f"The database failed ({type(error).__name__}).") from None


def announced(session: Connection) -> bytes:
    """The id of what is to be said; empty when there is nothing."""
    found = session.execute("SELECT restored FROM securemsg.store").fetchone()
    return b"" if found is None else bytes(found[0])


def statement_of(keys: ServerKeys, identifier: bytes, time: int, before: Published) -> bytes:
    """What the server says of the log to which it was set back."""
    log = before.log
    said = RestoredStatement(
        keys.identity.id, identifier, time, log.size, log.frontier.root(), before.time
    )
    return sign_restored(keys.signing, said)


def note_said(session: Connection, index: int, statement: bytes) -> None:
    """In the transaction of its leaf."""
    session.execute(
        "INSERT INTO securemsg.restorations (log_index, statement) VALUES (%s, %s)",
        (index, statement),
    )
    session.execute("UPDATE securemsg.store SET restored = ''")
