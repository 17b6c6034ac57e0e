"""One batch as rows: everything of a commit, and the compare-and-set that lets it in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from secure_msg.codec.schema import to_bytes
from secure_msg.ledger.merkle import Node
from secure_msg.ledger.tiles import TILE_HEIGHT
from secure_msg.store.chainfiles import Row
from secure_msg.store.entry import Entry, frame_bytes
from secure_msg.store.postgres.records import ChangedFile, Changes
from secure_msg.store.postgres.replica import CommitRow, commit_mac, head_mac
from secure_msg.store.postgres.schema import Connection
from secure_msg.store.postgres.source import LOG, row_mac
from secure_msg.store.records import IndexedFile, NameRecord
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.stage import NO_CONTENT, Stage

Values = tuple[Any, ...]


class Deposed(Exception):
    """Another process is the sequencer now; nothing was written."""


@dataclass(frozen=True, slots=True)
class RowKeys:
    """The server's keys for what no head and no leaf covers."""

    rows: bytes
    heads: bytes
    commits: bytes


def row_keys(keys: ServerKeys) -> RowKeys:
    return RowKeys(keys.derive("rows"), keys.derive("heads"), keys.derive("journal"))


def changes_of(stage: Stage) -> Changes:
    """What the commit of this batch changes, for all who follow."""
    files = tuple(_file(key, file) for key, file in stage.files.items())
    return Changes(
        stage.time,
        tuple(staged.chain.record() for staged in stage.chains.values()),
        tuple(NameRecord(skeleton, account) for skeleton, account in stage.names.items()),
        files,
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and what its log leaf changes; `blobs` are the last ones put under each path."""

    stage: Stage
    row: CommitRow
    nodes: tuple[Node, ...]
    blobs: dict[tuple[bytes, bytes], bytes | None]


def write_commit(connection: Connection, batch: Batch, keys: RowKeys) -> None:
    """All rows of a commit, in the transaction that is open."""
    stage, row, blobs = batch.stage, batch.row, batch.blobs
    with connection.pipeline(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO securemsg.commits (log_index, leaf, changes, mac) VALUES (%s, %s, %s, %s)",
            (row.log_index, row.leaf, row.changes, row.mac),
        )
        cursor.executemany(
            "INSERT INTO securemsg.entries (chain, sequence, leaf, uniq, log_index, mac, frame) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            list(_entries(stage, keys.rows)),
        )
        cursor.executemany(
            "INSERT INTO securemsg.levels (chain, level, position, hash) VALUES (%s, %s, %s, %s)",
            [*_levels(stage), *_log_levels(batch.nodes)],
        )
        cursor.executemany(
            "INSERT INTO securemsg.heads (chain, record, mac) VALUES (%s, %s, %s) "
            "ON CONFLICT (chain) DO UPDATE SET record = excluded.record, mac = excluded.mac",
            list(_heads(stage, keys.heads)),
        )
        cursor.executemany(
            "INSERT INTO securemsg.names (skeleton, account) VALUES (%s, %s)",
            [(skeleton.encode("utf-8"), account) for skeleton, account in stage.names.items()],
        )
        cursor.executemany(
            "INSERT INTO securemsg.blobs (account, path, version, blob) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, path) "
            "DO UPDATE SET version = excluded.version, blob = excluded.blob",
            [(*key, file.version, blobs[key]) for key, file in stage.files.items() if file],
        )
        cursor.executemany(
            "DELETE FROM securemsg.blobs WHERE account = %s AND path = %s",
            [key for key, file in stage.files.items() if file is None],
        )


def advance(connection: Connection, epoch: int, size: int) -> None:
    """From `size` commits to one more, when this epoch still reigns. Raises Deposed."""
    done = connection.execute(
        "UPDATE securemsg.store SET log_size = %s WHERE epoch = %s AND log_size = %s",
        (size + 1, epoch, size),
    )
    if done.rowcount != 1:
        raise Deposed


def commit_row(stage: Stage, leaf: bytes, keys: RowKeys) -> tuple[CommitRow, Changes]:
    changes = changes_of(stage)
    data = to_bytes(changes)
    mac = commit_mac(keys.commits, stage.index, leaf, data)
    return CommitRow(stage.index, leaf, data, mac), changes


def _file(key: tuple[bytes, bytes], file: IndexedFile | None) -> ChangedFile:
    if file is None:
        return ChangedFile(*key, 0, NO_CONTENT, 0, 0)
    return ChangedFile(*key, file.version, file.content, file.length, file.sequence)


def _entries(stage: Stage, key: bytes) -> Iterator[Values]:
    for chain, staged in stage.chains.items():
        for entry in staged.new.entries:
            yield entry_row(chain, entry, key)


def entry_row(chain: bytes, entry: Entry, key: bytes) -> Values:
    row = Row(entry.leaf, entry.unique, entry.log_index)
    mac = row_mac(key, chain, entry.sequence, row)
    place = (chain, entry.sequence, row.leaf, row.unique, row.log_index)
    return (*place, mac, frame_bytes(entry))


def _levels(stage: Stage) -> Iterator[Values]:
    for chain, staged in stage.chains.items():
        for node in staged.new.levels:
            yield (chain, node.level // TILE_HEIGHT, node.index, node.hash)


def _log_levels(nodes: tuple[Node, ...]) -> Iterator[Values]:
    for node in nodes[TILE_HEIGHT::TILE_HEIGHT]:
        yield (LOG, node.level // TILE_HEIGHT, node.index, node.hash)


def _heads(stage: Stage, key: bytes) -> Iterator[Values]:
    for staged in stage.chains.values():
        data = to_bytes(staged.chain.record())
        yield (staged.chain.id, data, head_mac(key, data))
