"""What every process holds in memory of the store, grown commit by commit and checked each time.

Heads and names lead to the map root in the newest log leaf, the leaves to the signed checkpoint.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.errors import InvalidSignature
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.errors import BadCheckpoint
from secure_msg.ledger.followed import ChangedPrivateFile, Followed, GrownChain
from secure_msg.ledger.log import GenesisLeaf, read_mapped, server_identity
from secure_msg.ledger.map import Leaf, SparseMap, chain_label, head_value, name_label, name_value
from secure_msg.ledger.merkle import EMPTY, Frontier, leaf_hash
from secure_msg.ledger.tiles import TILE_HEIGHT, TILE_WIDTH
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chains import Chain, Chains, Names, chain_of
from secure_msg.store.logfiles import EMPTY_LOG, LogHead
from secure_msg.store.postgres.records import MAX_CHANGES, Changes
from secure_msg.store.postgres.schema import Connection
from secure_msg.store.postgres.source import LOG
from secure_msg.store.records import HeadRecord, NameRecord
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import Published

NEWEST = 4096
"""Of so many chains a receipt of the newest entry costs no look at its neighbours."""


@dataclass(frozen=True, slots=True)
class CommitRow:
    log_index: int
    leaf: bytes
    changes: bytes
    mac: bytes


def commit_mac(key: bytes, index: int, leaf: bytes, changes: bytes) -> bytes:
    return hmac_sha256(key, index.to_bytes(8, "big"), leaf, changes)


def head_mac(key: bytes, record: bytes) -> bytes:
    return hmac_sha256(key, record)


@dataclass(frozen=True, slots=True)
class Grown:
    """The state after commits that are not shown yet, because nothing signs them so far."""

    log: LogHead
    map: SparseMap
    changes: tuple[tuple[int, Changes], ...]


class Replica:
    """`lock` is held for moments only. Whoever shows commits holds `turn`, one at a time."""

    def __init__(self, keys: ServerKeys) -> None:
        self._identity = keys.identity
        self._commit_key = keys.derive("journal")
        self._head_key = keys.derive("heads")
        self.lock = threading.RLock()
        self.turn = threading.RLock()
        self.chains = Chains()
        self.names = Names()
        self.published = Published()
        self.on_files: Callable[[Changes], None] = lambda _changes: None
        """Called under the lock, with what is shown."""
        self.on_followed: Callable[[Followed], None] = lambda _commit: None
        self._before: OrderedDict[bytes, Frontier] = OrderedDict()
        self._moved = threading.Condition()

    @property
    def size(self) -> int:
        return self.published.log.size

    def load(self, connection: Connection) -> None:
        """Take up the store as it is. Raises Damaged, psycopg.Error."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            size = _size(connection)
            for head in self._heads(connection):
                self.chains.settle(chain_of(head))
            for skeleton, account in connection.execute(
                "SELECT skeleton, account FROM securemsg.names"
            ):
                self.names.settle(skeleton.decode("utf-8"), account)
            newest = self._rows(connection, max(size - 1, 0), size)
            before = _log_before(connection, size - 1) if size else EMPTY_LOG
            note_size, note = signed(connection)
        if newest:
            self._adopt(newest[0], before)
            self._adopt_signed(note_size, note, before)

    def _adopt(self, newest: CommitRow, before: LogHead) -> None:
        changes = self._checked(newest)
        log, _ = before.append(newest.leaf)
        found = SparseMap(self._all_leaves())
        self._check_leaf(newest, found)
        # Shown once its checkpoint is known; until then no proof is made of it.
        self.published = Published(log, found, b"", changes.time)

    def _adopt_signed(self, size: int, note: bytes, before: LogHead) -> None:
        """All is signed, or all but the newest commit: a sequencer ended right after it."""
        if size == self.size:
            self.adopt_checkpoint(note)
        elif size != before.size:
            raise Damaged(f"{self.size} commits stand there, and {size} are signed")
        elif size:
            self._check_note(note, before)

    def adopt_checkpoint(self, checkpoint: bytes) -> None:
        """The signed note of what was loaded. Raises Damaged."""
        self._check_note(checkpoint, self.published.log)
        with self.lock:
            now = self.published
            self.published = Published(now.log, now.map, checkpoint, now.time)
        with self._moved:
            self._moved.notify_all()

    def grow(self, rows: Sequence[CommitRow]) -> Grown:
        """The state after these commits, which follow on what is shown. Raises Damaged."""
        log, found = self.published.log, copy.copy(self.published.map)
        changes = []
        for row in rows:
            if row.log_index != log.size:
                raise Damaged(f"commit {row.log_index} stands where {log.size} belongs")
            change = self._checked(row)
            found.update(self._leaves(change.heads, change.names))
            self._check_leaf(row, found)
            log, _ = log.append(row.leaf)
            changes.append((row.log_index, change))
        return Grown(log, found, tuple(changes))

    def show(self, grown: Grown, checkpoint: bytes) -> None:
        """Make it what readers see, then tell the rooms."""
        told = []
        with self.lock:
            for index, changes in grown.changes:
                told.append(self._followed(index, changes))
                for head in changes.heads:
                    self._settle(chain_of(head))
                for name in changes.names:
                    self.names.settle(name.skeleton, name.account)
                self.on_files(changes)
            time = grown.changes[-1][1].time if grown.changes else self.published.time
            self.published = Published(grown.log, grown.map, checkpoint, time)
        for commit in told:
            self.on_followed(commit)
        with self._moved:
            self._moved.notify_all()

    def before_newest(self, chain: Chain) -> Frontier | None:
        """The chain's frontier before its newest entry, if it came alone and lately."""
        with self.lock:
            found = self._before.get(chain.id)
        return found if found is not None and found.size == chain.size - 1 else None

    def _settle(self, chain: Chain) -> None:
        older = self.chains.get(chain.id)
        if older is not None and older.size == chain.size - 1:
            self._before.pop(chain.id, None)
            self._before[chain.id] = older.frontier
            while len(self._before) > NEWEST:
                self._before.popitem(last=False)
        self.chains.settle(chain)

    def catch_up(self, connection: Connection) -> bool:
        """Show all that is signed; whether there was anything. Raises Damaged, psycopg.Error."""
        with self.turn:
            size, checkpoint = signed(connection)
            if size <= self.size:
                return self._adopt_late(size, checkpoint)
            grown = self.grow(self._rows(connection, self.size, size))
            self._check_note(checkpoint, grown.log)
            self.show(grown, checkpoint)
            return True

    def _adopt_late(self, size: int, checkpoint: bytes) -> bool:
        """The signature of what was loaded without one, if that is what is new."""
        if self.published.checkpoint:
            if size < self.size:
                raise Damaged("the database went back behind what this process has shown")
            return False
        if size < self.size or not size:
            return False
        self.adopt_checkpoint(checkpoint)
        return True

    def unsigned(self, connection: Connection, size: int) -> Grown:
        """What was committed and not signed, by a sequencer that ended in between."""
        return self.grow(self._rows(connection, self.size, size))

    def wait_beyond(self, size: int, seconds: float) -> bool:
        """Whether more than `size` commits are shown, at last after these seconds."""
        with self._moved:
            return self._moved.wait_for(lambda: self.size > size, seconds)

    def wait_signed(self, seconds: float) -> bool:
        """Whether there is something to prove by, at last after these seconds.

        The genesis leaf holds no map root: proofs need one more.
        """
        with self._moved:
            return self._moved.wait_for(
                lambda: bool(self.published.checkpoint) and self.size > 1, seconds
            )

    def _check_note(self, checkpoint: bytes, log: LogHead) -> None:
        try:
            note = verify_checkpoint(checkpoint, self._identity.origin, self._identity.public)
        except (BadCheckpoint, InvalidSignature):
            raise Damaged("the checkpoint in the database does not check") from None
        if (note.size, note.root) != (log.size, log.frontier.root()):
            raise Damaged("the commits do not lead to the signed checkpoint")

    def _checked(self, row: CommitRow) -> Changes:
        if not equal(commit_mac(self._commit_key, row.log_index, row.leaf, row.changes), row.mac):
            raise Damaged(f"commit {row.log_index} does not check")
        try:
            return from_bytes(Changes, row.changes, limit=MAX_CHANGES)
        except MalformedData:
            raise Damaged(f"commit {row.log_index} is malformed") from None

    def _check_leaf(self, row: CommitRow, found: SparseMap) -> None:
        try:
            if row.log_index == 0:
                genesis = GenesisLeaf.from_bytes(row.leaf)
                whole = genesis.server == server_identity(self._identity.public)
            else:
                whole = read_mapped(row.leaf).map_root == found.root
        except MalformedData:
            whole = False
        if not whole:
            raise Damaged(f"the heads do not lead to the map root of log leaf {row.log_index}")

    def _followed(self, index: int, changes: Changes) -> Followed:
        """Called under the lock, before the heads are replaced."""
        chains = tuple(self._grown_chain(chain_of(head)) for head in changes.heads)
        files = tuple(
            ChangedPrivateFile(one.account, one.path, one.version, one.length)
            for one in changes.files
        )
        return Followed(index, changes.time, chains, files)

    def _grown_chain(self, chain: Chain) -> GrownChain:
        older = self.chains.get(chain.id)
        before = 0 if older is None else older.size
        return GrownChain(chain.id, chain.begun, chain.label, before, chain.size)

    def _leaves(self, heads: Sequence[HeadRecord], names: Sequence[NameRecord]) -> list[Leaf]:
        found = [_chain_leaf(chain_of(head)) for head in heads]
        salt = self._identity.name_salt
        found += [(name_label(salt, one.skeleton), name_value(one.account)) for one in names]
        return found

    def _all_leaves(self) -> list[Leaf]:
        salt = self._identity.name_salt
        found = [_chain_leaf(chain) for chain in self.chains.settled()]
        found += [(name_label(salt, one), name_value(owner)) for one, owner in self.names.settled()]
        return found

    def _heads(self, connection: Connection) -> list[HeadRecord]:
        found = []
        for record, mac in connection.execute("SELECT record, mac FROM securemsg.heads"):
            if not equal(head_mac(self._head_key, record), mac):
                raise Damaged("a chain's head does not check")
            found.append(from_bytes(HeadRecord, record))
        return found

    def _rows(self, connection: Connection, start: int, end: int) -> list[CommitRow]:
        found = connection.execute(
            "SELECT log_index, leaf, changes, mac FROM securemsg.commits "
            "WHERE log_index >= %s AND log_index < %s ORDER BY log_index",
            (start, end),
        ).fetchall()
        if len(found) != end - start:
            raise Damaged(f"of the commits {start} to {end - 1} some are missing")
        return [CommitRow(*row) for row in found]


def signed(connection: Connection) -> tuple[int, bytes]:
    """The newest checkpoint and its size; (0, b"") before the first."""
    found = connection.execute("SELECT signed_size, checkpoint FROM securemsg.store").fetchone()
    return (0, b"") if found is None else (found[0], found[1])


def _size(connection: Connection) -> int:
    found = connection.execute("SELECT log_size FROM securemsg.store").fetchone()
    return 0 if found is None else int(found[0])


def _chain_leaf(chain: Chain) -> Leaf:
    return chain_label(chain.id), head_value(chain.size, chain.frontier.root())


def _log_before(connection: Connection, size: int) -> LogHead:
    """The log of `size` leaves from its stored subtrees; whether it is so, the checkpoint tells."""
    hashes: tuple[bytes, ...] = ()
    for level in range((size.bit_length() + 7) // TILE_HEIGHT - 1, -1, -1):
        count = size >> (TILE_HEIGHT * level)
        start = count // TILE_WIDTH * TILE_WIDTH
        hashes += _frontier(_nodes(connection, level, start, count)).hashes
    return LogHead(Frontier(size, hashes), b"", ())


def _nodes(connection: Connection, level: int, start: int, end: int) -> list[bytes]:
    if level:
        query = (
            "SELECT hash FROM securemsg.levels WHERE chain = %s AND level = %s "
            "AND position >= %s AND position < %s ORDER BY position"
        )
        found = connection.execute(query, (LOG, level, start, end)).fetchall()
        nodes = [value for (value,) in found]
    else:
        query = (
            "SELECT leaf FROM securemsg.commits WHERE log_index >= %s AND log_index < %s "
            "ORDER BY log_index"
        )
        nodes = [leaf_hash(leaf) for (leaf,) in connection.execute(query, (start, end))]
    if len(nodes) != end - start:
        raise Damaged("the log has lost some of its leaves or subtrees")
    return nodes


def _frontier(items: list[bytes]) -> Frontier:
    found = EMPTY
    for item in items:
        found = found.append(item)
    return found
