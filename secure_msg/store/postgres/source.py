"""Rows of chains and of the log as `ChainTree` reads them; the head joins them, not this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from secure_msg.codec.proofs import MAX_RESTORATIONS
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.merkle import leaf_hash
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chainfiles import NO_UNIQUE, ChainKeys, Row
from secure_msg.store.entry import Entry, derived_salt, entry_of, read_frame
from secure_msg.store.postgres.database import Database

T = TypeVar("T")

LOG = b""
"""Stands for the chain id in the levels of the log."""


def row_mac(key: bytes, chain: bytes, sequence: int, row: Row) -> bytes:
    """Over what no head covers: the unique id and the log index of an entry."""
    place, index = sequence.to_bytes(8, "big"), row.log_index.to_bytes(6, "big")
    return hmac_sha256(key, chain, place, row.leaf, row.unique or NO_UNIQUE, index)


@dataclass(frozen=True, slots=True)
class ChainRows:
    """One chain in the database."""

    database: Database
    chain: bytes
    keys: ChainKeys

    def leaves(self, start: int, count: int) -> list[bytes]:
        found = self.database.fetch(
            "SELECT leaf FROM securemsg.entries WHERE chain = %s AND sequence >= %s "
            "AND sequence < %s ORDER BY sequence",
            (self.chain, start, start + count),
        )
        return _all([leaf for (leaf,) in found], count)

    def rows(self, start: int, count: int) -> list[Row]:
        found = self.database.fetch(
            "SELECT sequence, leaf, uniq, log_index, mac FROM securemsg.entries "
            "WHERE chain = %s AND sequence >= %s AND sequence < %s ORDER BY sequence",
            (self.chain, start, start + count),
        )
        for sequence, *parts, mac in found:
            if not equal(mac, row_mac(self.keys.rows, self.chain, sequence, Row(*parts))):
                raise Damaged("a row of a chain does not check")
        return _all([Row(*parts) for _, *parts, _ in found], count)

    def level(self, level: int, start: int, count: int) -> list[bytes]:
        return _level(self.database, self.chain, level, start, count)

    def entries(self, start: int, count: int) -> list[Entry]:
        found = self.database.fetch(
            "SELECT sequence, frame FROM securemsg.entries WHERE chain = %s "
            "AND sequence >= %s AND sequence < %s ORDER BY sequence",
            (self.chain, start, start + count),
        )
        return _all([self._entry(sequence, frame) for sequence, frame in found], count)

    def _entry(self, sequence: int, frame: bytes) -> Entry:
        salt = b"" if frame[:1] == b"\1" else derived_salt(self.keys.salt_mac, self.chain, sequence)
        return entry_of(self.chain, sequence, read_frame(frame, salt))


@dataclass(frozen=True, slots=True)
class LogRows:
    """The public log in the database: its leaves are those of the commits."""

    database: Database

    def contents(self, start: int, count: int) -> list[bytes]:
        """The leaves' bytes; not checked."""
        found = self.database.fetch(
            "SELECT leaf FROM securemsg.commits WHERE log_index >= %s AND log_index < %s "
            "ORDER BY log_index",
            (start, start + count),
        )
        return _all([leaf for (leaf,) in found], count)

    def leaves(self, start: int, count: int) -> list[bytes]:
        return [leaf_hash(leaf) for leaf in self.contents(start, count)]

    def checked(self, start: int, hashes: list[bytes]) -> list[bytes]:
        """The leaves from `start` on that have these hashes. Raises Damaged."""
        found = self.contents(start, len(hashes))
        if [leaf_hash(leaf) for leaf in found] != hashes:
            raise Damaged("the log's leaves do not match their hashes")
        return found

    def statements(self, size: int) -> list[tuple[int, bytes]]:
        """(log index, statement) of the newest restorations below `size`, in their order."""
        found = self.database.fetch(
            "SELECT log_index, statement FROM securemsg.restorations WHERE log_index < %s "
            "ORDER BY log_index DESC LIMIT %s",
            (size, MAX_RESTORATIONS),
        )
        return [(index, statement) for index, statement in reversed(found)]

    def level(self, level: int, start: int, count: int) -> list[bytes]:
        return _level(self.database, LOG, level, start, count)


def _level(database: Database, chain: bytes, level: int, start: int, count: int) -> list[bytes]:
    found = database.fetch(
        "SELECT hash FROM securemsg.levels WHERE chain = %s AND level = %s "
        "AND position >= %s AND position < %s ORDER BY position",
        (chain, level, start, start + count),
    )
    return _all([value for (value,) in found], count)


def _all(found: list[T], count: int) -> list[T]:
    if len(found) != count:
        raise Damaged(f"of {count} rows {count - len(found)} are missing")
    return found
