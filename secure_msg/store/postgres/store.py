"""The store in PostgreSQL: the entry point (docs/spec/storage.md, "In PostgreSQL")."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import psycopg

from secure_msg.codec.proofs import HeadProof, LogNews, MapProof, Receipt
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.followed import Followed, Follower
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.transaction import (
    Busy,
    ChainHead,
    Committed,
    PrivateFile,
    PrivateName,
    StoredEntry,
    Transaction,
)
from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.committer import Offload
from secure_msg.store.entry import erased_frame, read_frame
from secure_msg.store.files import run_here
from secure_msg.store.observer import Observer, Unobserved
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.desk import Desk
from secure_msg.store.postgres.folders import PrivateFolders
from secure_msg.store.postgres.following import Following
from secure_msg.store.postgres.leader import Leader, LeaderParts
from secure_msg.store.postgres.outside import LEASE_SECONDS, Outside
from secure_msg.store.postgres.reader import Reader
from secure_msg.store.postgres.replica import Replica
from secure_msg.store.postgres.schema import WrongDatabase, prepare
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.stage import Base
from secure_msg.store.stats import Stats, condition

START_SECONDS = 60.0

_log = logging.getLogger(__name__)


class PostgresStore:
    """`open` it once a process, then `follow`, then `close`; any thread may call the port."""

    def __init__(self, database: Database, outside: Outside) -> None:
        keys = outside.keys
        chain_keys = ChainKeys(keys.derive("rows"), keys.derive("salt"))
        self._database = database
        self._replica = replica = Replica(keys)
        self._folders = PrivateFolders(database, replica, chain_keys, keys.derive("index"))
        replica.on_files = self._folders.follow
        replica.on_followed = self._tell
        self._reader = Reader(
            database=database,
            replica=replica,
            folders=self._folders,
            keys=chain_keys,
            name_salt=keys.identity.name_salt,
            on_damage=outside.on_damage,
        )
        self._desk = Desk(database, replica, keys.derive("requests"), outside)
        base = Base(
            self._reader.chain, self._reader.name_owner, self._folders.file, self._reader.find
        )
        parts = LeaderParts(database, replica, self._folders, base, outside)
        self._leader = Leader(parts)
        self._following = Following(database, replica, self._desk, self._lose)
        self._followers: tuple[Follower, ...] = ()

    @classmethod
    def open(
        cls,
        url: str,
        keys: ServerKeys,
        clock: Callable[[], int],
        random: RandomBytes,
        offload: Offload = run_here,
        *,
        on_damage: Callable[[str], None] | None = None,
        observer: Observer | None = None,
        lease: float = LEASE_SECONDS,
    ) -> PostgresStore:
        """The store as it is now, loaded and checked; `follow` is to be called next.

        `lease`: seconds of silence after which a sequencer loses its office.
        Raises WrongDatabase, Damaged.
        """
        database = Database(url)
        store = cls(
            database,
            Outside(keys, clock, random, offload, on_damage, observer or Unobserved(), lease),
        )
        try:
            with database.session("start") as session:
                prepare(session, keys.identity)
                store._replica.load(session)
        except psycopg.Error as error:
            raise WrongDatabase(
                "The database of SECURE_MSG_DATABASE_URL does not answer as it should "
                f"({type(error).__name__})."
            ) from None
        return store

    def follow(self, *followers: Follower) -> None:
        """Tell these of every commit from the loaded one on, and take part. Raises Busy.

        Returns when a process sequences and there is a signed checkpoint to serve.
        """
        self._followers = followers
        self._database.open()
        self._following.start()
        self._leader.start()
        settled = self._leader.settled.wait(START_SECONDS)
        if not settled or not self._replica.wait_signed(START_SECONDS):
            raise Busy("no process became the sequencer; look at the others' logs")

    # The port.

    def commit(self, transaction: Transaction) -> Committed:
        return self._desk.commit(transaction)

    def head(self, chain: bytes) -> ChainHead:
        return self._reader.head(chain)

    def entries(self, chain: bytes, start: int, count: int) -> tuple[StoredEntry, ...]:
        return self._reader.entries(chain, start, count)

    def frontier(self, chain: bytes, size: int) -> Frontier:
        return self._reader.frontier(chain, size)

    def private(self, account: bytes, path: bytes) -> PrivateFile | None:
        return self._reader.private(account, path)

    def private_names(self, account: bytes) -> tuple[PrivateName, ...]:
        return self._reader.private_names(account)

    def erase(self, chain: bytes, sequence: int) -> None:
        found, erasable = self._reader.entry_of(chain, sequence)
        if not erasable:
            raise ValueError("this entry is not erasable")
        with self._database.pooled() as connection, connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            where = (found.id, sequence)
            row = connection.execute(
                "SELECT frame FROM securemsg.entries WHERE chain = %s AND sequence = %s FOR UPDATE",
                where,
            ).fetchone()
            frame = read_frame(row[0], b"") if row is not None else None
            if frame is not None and frame.body is not None:
                connection.execute(
                    "UPDATE securemsg.entries SET frame = %s WHERE chain = %s AND sequence = %s",
                    (erased_frame(frame), *where),
                )

    def name_owner(self, skeleton: str) -> bytes | None:
        return self._reader.name_owner(skeleton)

    def name_proof(self, skeleton: str) -> MapProof:
        return self._reader.name_proof(skeleton)

    def chains(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        return self._reader.chains(kind)

    def receipt(self, chain: bytes, sequence: int) -> Receipt:
        return self._reader.receipt(chain, sequence)

    def head_proof(self, chain: bytes) -> HeadProof:
        return self._reader.head_proof(chain)

    def checkpoint(self) -> bytes:
        return self._reader.checkpoint()

    def log_news(self, seen: int) -> LogNews:
        return self._reader.log_news(seen)

    def ledger_file(self, path: str) -> bytes | None:
        return self._reader.ledger_file(path)

    # Beside the port.

    @property
    def log_size(self) -> int:
        """How many commits this process shows."""
        return self._replica.size

    def wait_beyond(self, size: int, seconds: float) -> bool:
        """Whether more than `size` commits are shown, at last after these seconds."""
        return self._replica.wait_beyond(size, seconds)

    def close(self) -> None:
        """Leave the office, if it is held, and the database."""
        self._leader.stop()
        self._following.stop()
        self._database.close()

    @property
    def leads(self) -> bool:
        """Whether this process is the sequencer."""
        return self._leader.leads

    @property
    def condition(self) -> str:
        """Read-only while the database cannot be followed."""
        return condition(read_only=not self._following.connected, full=False)

    def stats(self) -> Stats:
        replica, leader = self._replica, self._leader
        return Stats(
            read_only=not self._following.connected,
            log_size=replica.size,
            chains=len(replica.chains),
            names=len(replica.names),
            waiting=self._desk.waiting(),
            batches=leader.batches,
            transactions=leader.transactions,
            flushes=0,
            unflushed_bytes=0,
            damaged=self._reader.damaged,
            full=False,
        )

    def _tell(self, commit: Followed) -> None:
        for follower in self._followers:
            follower.followed(commit)

    def _lose(self) -> None:
        for follower in self._followers:
            follower.lost()
