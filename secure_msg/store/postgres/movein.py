"""From files into an empty database: `secure-msg migrate files-to-postgres`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.log import GenesisLeaf, read_mapped
from secure_msg.ledger.merkle import EMPTY, leaf_hash
from secure_msg.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, bundle_entries
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chainfiles import ChainKeys, Row
from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from secure_msg.store.heads import FoundHeads, HeadsFile
from secure_msg.store.layout import Layout
from secure_msg.store.lock import FolderLock
from secure_msg.store.logfiles import LogFiles
from secure_msg.store.postgres.carried import NotMoved, carry, put_of, stored_frame
from secure_msg.store.postgres.commit import RowKeys, row_keys
from secure_msg.store.postgres.database import session_of
from secure_msg.store.postgres.records import Changes
from secure_msg.store.postgres.replica import commit_mac, head_mac
from secure_msg.store.postgres.schema import Connection, prepare
from secure_msg.store.postgres.source import LOG, row_mac
from secure_msg.store.records import IndexedFile
from secure_msg.store.recovery import adopt_heads
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import Chain, Published, State, chain_of

MOVED = b"secure-msg storage in PostgreSQL\n"
"""What `format` says of a folder that was moved: no server starts on it as on files."""

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Folder:
    layout: Layout
    heads: FoundHeads
    log: LogFiles
    published: Published
    checkpoint: bytes


def files_to_postgres(
    folder: Path, url: str, keys: ServerKeys, clock: Callable[[], int], random: Any
) -> int:
    """Move the store of `folder`, which keeps its files and its keys; the log's size.

    All of it stands in the database in one transaction, then the folder is marked as moved.
    Raises NotMoved, WrongDatabase, InUse, WrongFormat, Damaged, OSError.
    """
    # What a crash left is made whole, and all is flushed: afterwards the files have everything.
    FileStore.open(folder, keys, clock, random).close()
    lock = FolderLock(folder)
    try:
        found = _read(folder, keys)
        with session_of(url, "migration") as session:
            prepare(session, keys.identity)
            with session.transaction():
                _require_empty(session)
                _write(session, found, row_keys(keys))
        Disk().replace(found.layout.format, MOVED)
    except psycopg.Error as error:
        raise NotMoved(f"the database failed ({type(error).__name__})") from None
    finally:
        lock.release()
    return found.published.log.size


def _read(folder: Path, keys: ServerKeys) -> _Folder:
    layout = Layout(folder, ChainKeys(keys.derive("rows"), keys.derive("salt")))
    layout.check_format()
    heads = HeadsFile(layout.heads, keys.derive("heads"), Disk())
    found = heads.join(heads.copies())
    state, log = State(), LogFiles(layout.ledger)
    adopt_heads(state, found, keys.identity, log)
    return _Folder(layout, found, log, state.published, layout.checkpoint.read_bytes())


def _require_empty(session: Connection) -> None:
    found = session.execute("SELECT log_size FROM securemsg.store FOR UPDATE").fetchone()
    if found is None or found[0]:
        raise NotMoved("the database holds a store already")


def _write(session: Connection, found: _Folder, keys: RowKeys) -> None:
    for record in found.heads.heads.values():
        _write_chain(session, found, chain_of(record), keys)
    _copy(session, "heads (chain, record, mac)", _heads(found, keys))
    names = ((name.encode("utf-8"), account) for name, account in found.heads.names.items())
    _copy(session, "names (skeleton, account)", names)
    _write_log(session, found, keys)
    size = found.published.log.size
    session.execute(
        "UPDATE securemsg.store SET log_size = %s, signed_size = %s, checkpoint = %s",
        (size, size, found.checkpoint),
    )


def _write_chain(session: Connection, found: _Folder, chain: Chain, keys: RowKeys) -> None:
    files: dict[bytes, IndexedFile | None] = {}
    source = found.layout.chain_files(chain)
    for part in carry(source, chain):
        entries = (
            (
                chain.id,
                entry.sequence,
                entry.leaf,
                entry.unique,
                entry.log_index,
                row_mac(
                    keys.rows,
                    chain.id,
                    entry.sequence,
                    Row(entry.leaf, entry.unique, entry.log_index),
                ),
                stored_frame(entry),
            )
            for entry in part.entries
        )
        columns = "entries (chain, sequence, leaf, uniq, log_index, mac, frame)"
        _copy(session, columns, entries)
        levels = (
            (chain.id, node.level // TILE_HEIGHT, node.index, node.hash) for node in part.levels
        )
        _copy(session, "levels (chain, level, position, hash)", levels)
        if chain.owner is not None:
            files.update(put_of(entry) for entry in part.entries)
    if chain.owner is not None:
        _copy(session, "blobs (account, path, version, blob)", _blobs(found, chain.owner, files))


def _blobs(
    found: _Folder, owner: bytes, files: dict[bytes, IndexedFile | None]
) -> Iterator[Values]:
    for path, file in files.items():
        if file is not None:
            blob = found.layout.blob(owner, path, file.version).read_bytes()
            if sha256(blob) != file.content:
                raise Damaged("a private file is not the one that its chain names")
            yield (owner, path, file.version, blob)


def _heads(found: _Folder, keys: RowKeys) -> Iterator[Values]:
    for record in found.heads.heads.values():
        data = to_bytes(record)
        yield (record.chain, data, head_mac(keys.heads, data))


def _write_log(session: Connection, found: _Folder, keys: RowKeys) -> None:
    """Every leaf; of older commits the changes are not told: nobody follows from before them."""
    head, frontier = found.published.log, EMPTY
    for start in range(0, head.size, TILE_WIDTH):
        tile = Tile(None, start // TILE_WIDTH, min(TILE_WIDTH, head.size - start))
        leaves = bundle_entries(found.log.read(tile, head.size) or b"", tile.width)
        levels: list[Values] = []
        for leaf in leaves:
            frontier, nodes = frontier.grown(leaf_hash(leaf))
            levels += (
                (LOG, node.level // TILE_HEIGHT, node.index, node.hash)
                for node in nodes[TILE_HEIGHT::TILE_HEIGHT]
            )
        rows = (_commit(start + at, leaf, keys) for at, leaf in enumerate(leaves))
        _copy(session, "commits (log_index, leaf, changes, mac)", rows)
        _copy(session, "levels (chain, level, position, hash)", levels)
    if frontier != head.frontier:
        raise Damaged("the log's leaves do not lead to its head")
    _copy(session, "restorations (log_index, statement)", _restorations(found, head.size))


def _commit(index: int, leaf: bytes, keys: RowKeys) -> Values:
    time = read_mapped(leaf).time if index else GenesisLeaf.from_bytes(leaf).time
    changes = to_bytes(Changes(time, (), (), ()))
    return (index, leaf, changes, commit_mac(keys.commits, index, leaf, changes))


def _restorations(found: _Folder, size: int) -> Iterator[Values]:
    folder = found.layout.root / "server" / "restored"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.isdecimal() and int(path.name) < size:
            yield (int(path.name), path.read_bytes())


def _copy(session: Connection, columns: str, rows: Any) -> None:
    with session.cursor() as cursor, cursor.copy(f"COPY securemsg.{columns} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
