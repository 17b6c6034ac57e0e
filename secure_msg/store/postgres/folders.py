"""Private folders in memory: from an index in the database and the puts after it, then followed."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.folders import MAC_SIZE, MAX_INDEX, Folder
from secure_msg.store.postgres.carried import put_of
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.records import Changes
from secure_msg.store.postgres.replica import Replica
from secure_msg.store.postgres.source import ChainRows
from secure_msg.store.postgres.views import view_of
from secure_msg.store.records import FolderIndex, IndexedFile
from secure_msg.store.state import Chain, private_chain
from secure_msg.store.tree import ChainTree

KEPT = 1024
PAGE = 256

_log = logging.getLogger(__name__)


class PrivateFolders:
    def __init__(
        self, database: Database, replica: Replica, keys: ChainKeys, index_key: bytes
    ) -> None:
        self._database = database
        self._replica = replica
        self._keys = keys
        self._index_key = index_key
        self._kept: OrderedDict[bytes, Folder] = OrderedDict()

    def load(self, account: bytes) -> Folder:
        """The folder as it is now; read it under the replica's lock. Raises Damaged, Busy."""
        replica = self._replica
        while True:
            with replica.lock:
                kept = self._kept.get(account)
                if kept is not None:
                    self._kept.move_to_end(account)
                    return kept
                chain = replica.chains.get(private_chain(account))
            if chain is None:
                return Folder(0, 0)
            folder = self._read(account, chain)
            with replica.lock:
                now = replica.chains.get(chain.id)
                if now is not None and now.size == chain.size:
                    self._keep(account, folder)
                    return folder

    def file(self, account: bytes, path: bytes) -> IndexedFile | None:
        folder = self.load(account)
        with self._replica.lock:
            return folder.files.get(path)

    def files(self, account: bytes) -> list[IndexedFile]:
        folder = self.load(account)
        with self._replica.lock:
            return list(folder.files.values())

    def follow(self, changes: Changes) -> None:
        """Called under the replica's lock, as the commit is shown."""
        sizes = {head.owner: head.size for head in changes.heads}
        for one in changes.files:
            folder = self._kept.get(one.account)
            if folder is not None:
                file = IndexedFile(one.path, one.version, one.content, one.length, one.sequence)
                folder.take(sizes[one.account], one.path, file if one.version else None)

    def due(self, accounts: Iterable[bytes]) -> list[tuple[bytes, int, bytes]]:
        """(account, size, bytes) of each index that is to be written again."""
        found = []
        with self._replica.lock:
            for account in accounts:
                folder = self._kept.get(account)
                chain = self._replica.chains.get(private_chain(account))
                if folder is not None and chain is not None and folder.index_due:
                    index = FolderIndex(
                        chain.size, chain.frontier.root(), tuple(folder.files.values())
                    )
                    data = to_bytes(index)
                    mac = hmac_sha256(self._index_key, account, data)
                    folder.indexed = chain.size
                    found.append((account, chain.size, mac + data))
        return found

    def _keep(self, account: bytes, folder: Folder) -> None:
        self._kept[account] = folder
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, account: bytes, chain: Chain) -> Folder:
        tree = ChainTree(view_of(ChainRows(self._database, chain.id, self._keys), chain.frontier))
        folder = self._indexed(account, tree, chain.size)
        while folder.size < chain.size:
            for entry in tree.entries(folder.size, min(PAGE, chain.size - folder.size)):
                folder.take(entry.sequence + 1, *put_of(entry))
        return folder

    def _indexed(self, account: bytes, tree: ChainTree, size: int) -> Folder:
        """The stored index when it fits the chain; else an empty folder, the chain has it all."""
        found = self._database.fetch(
            "SELECT data FROM securemsg.indices WHERE account = %s AND size <= %s",
            (account, size),
        )
        index = self._checked(account, found[0][0]) if found else None
        if index is not None and tree.frontier(index.size).root() == index.root:
            return Folder(index.size, index.size, {one.path: one for one in index.files})
        if found:
            _log.warning("an index of a private folder does not check; its chain is read instead")
        return Folder(0, 0)

    def _checked(self, account: bytes, data: bytes) -> FolderIndex | None:
        mac = hmac_sha256(self._index_key, account, data[MAC_SIZE:])
        if len(data) < MAC_SIZE or not equal(mac, data[:MAC_SIZE]):
            return None
        try:
            return from_bytes(FolderIndex, data[MAC_SIZE:], limit=MAX_INDEX)
        except MalformedData:
            return None
