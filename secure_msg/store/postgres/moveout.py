"""From a database into a new folder: `secure-msg migrate postgres-to-files`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg

from secure_msg.crypto.hash import sha256
from secure_msg.ledger.tiles import tiles_of_growth
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chainfiles import GROUP, ChainFiles, ChainKeys, entries_bytes
from secure_msg.store.durable import Disk, WriteSet
from secure_msg.store.heads import HeadsFile
from secure_msg.store.journal import SEGMENT_MAGIC
from secure_msg.store.layout import Layout
from secure_msg.store.postgres.carried import Carried, NotMoved, carry, put_of
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.reader import log_tile
from secure_msg.store.postgres.replica import Replica
from secure_msg.store.postgres.schema import FORMAT, hold_office, prepare
from secure_msg.store.postgres.source import ChainRows, LogRows
from secure_msg.store.records import HeadRecord, IndexedFile, MarkRecord, NameRecord
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import Chain

MOVED = "secure-msg postgres moved to files"
"""What the table `store` says after it: no server starts on this database any more."""


def postgres_to_files(url: str, keys: ServerKeys, server: Path, target: Path) -> int:
    """Write the store into `target`, which must not exist, with the keys of `server`.

    It is complete, under another name, before it takes its name; then the database is marked as
    moved. The log's size. Raises NotMoved, WrongDatabase, Damaged, Busy, OSError.
    """
    if target.exists():
        raise NotMoved(f"{target} exists already")
    database = Database(url)
    try:
        with database.session("migration") as session:
            prepare(session, keys.identity)
            hold_office(session)
            database.open()
            replica = Replica(keys)
            replica.load(session)
            size = replica.size
            if not replica.published.checkpoint:
                raise NotMoved("the newest commit is not signed: start a server once, and end it")
            part = target.with_name(target.name + ".part")
            _Folder(part, keys, database, replica).write(server)
            os.rename(part, target)
            Disk().sync_folder(target.parent)
            session.execute(
                "UPDATE securemsg.store SET format = %s WHERE format = %s", (MOVED, FORMAT)
            )
    except psycopg.Error as error:
        raise NotMoved(f"the database failed ({type(error).__name__})") from None
    finally:
        database.close()
    return size


class _Folder:
    def __init__(self, root: Path, keys: ServerKeys, database: Database, replica: Replica) -> None:
        self._chain_keys = ChainKeys(keys.derive("rows"), keys.derive("salt"))
        self._keys = keys
        self._layout = Layout(root, self._chain_keys)
        self._database = database
        self._replica = replica
        self._disk = Disk()

    def write(self, server: Path) -> None:
        layout, disk, published = self._layout, self._disk, self._replica.published
        shutil.rmtree(layout.root, ignore_errors=True)
        layout.prepare(disk)
        shutil.copytree(server, layout.root / "server")
        writes = disk.write_set(layout.root)
        for chain in self._replica.chains.settled():
            self._write_chain(writes, chain)
        self._write_log(writes)
        self._write_statements(writes)
        # All is in the files: a journal that has just begun.
        writes.write(layout.journal / f"{1:08d}", SEGMENT_MAGIC)
        writes.sync()
        disk.replace(layout.checkpoint, published.checkpoint)
        self._write_heads()

    def _write_chain(self, writes: WriteSet, chain: Chain) -> None:
        files: dict[bytes, IndexedFile | None] = {}
        target = self._layout.chain_files(chain)
        for part in carry(ChainRows(self._database, chain.id, self._chain_keys), chain):
            _write_part(writes, target, part)
            if chain.owner is not None:
                files.update(put_of(entry) for entry in part.entries)
        for path, file in files.items():
            if file is not None and chain.owner is not None:
                writes.write(
                    self._layout.blob(chain.owner, path, file.version),
                    self._blob(chain.owner, file),
                )

    def _blob(self, owner: bytes, file: IndexedFile) -> bytes:
        found = self._database.fetch(
            "SELECT blob FROM securemsg.blobs WHERE account = %s AND path = %s AND version = %s",
            (owner, file.path, file.version),
        )
        blob: bytes = found[0][0] if found else b""
        if not found or sha256(blob) != file.content:
            raise Damaged("a private file is not the one that its chain names")
        return blob

    def _write_log(self, writes: WriteSet) -> None:
        head = self._replica.published.log.frontier
        for tile in tiles_of_growth(0, head.size):
            path = self._layout.ledger / tile.path
            writes.make_folder(path.parent)
            writes.write(path, log_tile(self._database, tile, head))

    def _write_statements(self, writes: WriteSet) -> None:
        folder = self._layout.root / "server" / "restored"
        for index, statement in LogRows(self._database).statements(self._replica.size):
            writes.make_folder(folder)
            writes.write(folder / str(index), statement)

    def _write_heads(self) -> None:
        log, time = self._replica.published.log, self._replica.published.time
        lines: list[HeadRecord | NameRecord] = [
            chain.record() for chain in self._replica.chains.settled()
        ]
        lines += [NameRecord(*named) for named in self._replica.names.settled()]
        heads = HeadsFile(self._layout.heads, self._keys.derive("heads"), self._disk)
        heads.load()
        heads.rewrite(lines, MarkRecord(log.size, log.frontier.hashes, log.leaf, log.path, time))
        heads.close()


def _write_part(writes: WriteSet, target: ChainFiles, part: Carried) -> None:
    first = part.entries[0].sequence
    writes.make_folder(target.folder)
    rows = b"".join(target.row_bytes(entry) for entry in part.entries)
    writes.write_at(target.folder / "leaves", [(64 * first, rows)])
    writes.write(target.folder / f"entries-{first // GROUP:06d}", entries_bytes(part.frames()))
    for node in part.levels:
        target.write_level(writes, node.level // 8, node.index, [node.hash])
