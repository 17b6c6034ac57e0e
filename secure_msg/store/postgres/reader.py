"""All that is read from the store, each answer joined to its chain's head (port: `Store`)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from secure_msg.codec.proofs import HeadProof, LogNews, MapProof, Receipt, Restoration
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.map import chain_label, name_label
from secure_msg.ledger.merkle import EMPTY, Frontier, consistency_path
from secure_msg.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, bundle_bytes, parse_path
from secure_msg.ledger.transaction import (
    Busy,
    ChainHead,
    Damaged,
    Placed,
    PrivateFile,
    PrivateName,
    StoredEntry,
)
from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.folders import PrivateFolders
from secure_msg.store.postgres.replica import Replica
from secure_msg.store.postgres.source import ChainRows, LogRows
from secure_msg.store.postgres.views import view_of
from secure_msg.store.records import IndexedFile
from secure_msg.store.state import EMPTY_HEAD, PUT, Chain, Published
from secure_msg.store.tree import ChainTree, find_unique

BEGINNINGS = {"account": "account", "thread": "opened", "private": PUT}
TREES = 128
BEHIND_SECONDS = 1.0
"""How long a reader waits for a commit that the database has and this process does not yet."""

_log = logging.getLogger(__name__)


class Reader:
    """Takes what it needs of the replica under the lock, then asks the database outside of it."""

    def __init__(
        self,
        *,
        database: Database,
        replica: Replica,
        folders: PrivateFolders,
        keys: ChainKeys,
        name_salt: bytes,
        on_damage: Callable[[str], None] | None,
    ) -> None:
        self._database = database
        self._replica = replica
        self._folders = folders
        self._keys = keys
        self._name_salt = name_salt
        self._on_damage = on_damage
        self._trees: OrderedDict[tuple[bytes, int], ChainTree] = OrderedDict()
        self.damaged = 0

    def chain(self, chain_id: bytes) -> Chain | None:
        with self._replica.lock:
            return self._replica.chains.get(chain_id)

    def find(self, chain_id: bytes, unique: bytes, seen: int) -> tuple[Placed, int] | None:
        """Where the entry with this unique id stands, from `seen` on, and its log index."""
        chain = self.chain(chain_id)
        if chain is None:
            return None
        with self.watched("the rows of a chain"):
            found = find_unique(view_of(self._rows(chain), chain.frontier), unique, seen)
            if found is None:
                return None
            entry = self._tree(chain).entries(found[0], 1)[0]
        return Placed(chain_id, entry.sequence, entry.time, entry.header), found[1]

    def head(self, chain_id: bytes) -> ChainHead:
        chain = self.chain(chain_id)
        return EMPTY_HEAD if chain is None else chain.head()

    def entries(self, chain_id: bytes, start: int, count: int) -> tuple[StoredEntry, ...]:
        if start < 0 or count < 0:
            raise ValueError("a range of entries is not negative")
        chain = self.chain(chain_id)
        if chain is None or start >= chain.size:
            return ()
        with self.watched("a chain"):
            found = self._tree(chain).entries(start, min(count, chain.size - start))
        return tuple(StoredEntry(one.header, one.salt, one.body) for one in found)

    def frontier(self, chain_id: bytes, size: int) -> Frontier:
        chain = self.chain(chain_id)
        have = 0 if chain is None else chain.size
        if not 0 <= size <= have:
            raise ValueError(f"the chain has {have} entries")
        if chain is None or size == 0:
            return EMPTY
        with self.watched("a chain"):
            return self._tree(chain).frontier(size)

    def private(self, account: bytes, path: bytes) -> PrivateFile | None:
        while True:
            size = self._replica.size
            with self.watched("a private file"):
                file = self._folders.file(account, path)
            if file is None:
                return None
            blob = self._blob(account, file)
            if blob is not None:
                return PrivateFile(file.version, blob)
            self._follow_or_refuse(size)

    def private_names(self, account: bytes) -> tuple[PrivateName, ...]:
        with self.watched("a private folder"):
            files = self._folders.files(account)
        return tuple(PrivateName(one.path, one.version, one.length) for one in files)

    def name_owner(self, skeleton: str) -> bytes | None:
        with self._replica.lock:
            return self._replica.names.get(skeleton)

    def name_proof(self, skeleton: str) -> MapProof:
        return self._replica.published.map.prove(name_label(self._name_salt, skeleton))

    def chains(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        with self._replica.lock:
            return iter(self._replica.chains.labels(BEGINNINGS[kind]))

    def receipt(self, chain_id: bytes, sequence: int) -> Receipt:
        published, chain = self._proved(chain_id)
        if chain is None or not 0 <= sequence < chain.size:
            raise ValueError("there is no such entry")
        with self.watched("a chain"):
            header, path = self._newest(chain, sequence) or self._placed(chain, sequence)
        return Receipt(
            header,
            chain.size,
            path,
            published.map.prove(chain_label(chain_id)),
            published.log.size - 1,
            published.log.leaf,
            published.log.path,
            published.checkpoint,
        )

    def head_proof(self, chain_id: bytes) -> HeadProof:
        published, chain = self._proved(chain_id)
        frontier = EMPTY if chain is None else chain.frontier
        return HeadProof(
            chain_id,
            frontier.size,
            frontier.root(),
            published.map.prove(chain_label(chain_id)),
            published.log.size - 1,
            published.log.leaf,
            published.log.path,
            published.checkpoint,
        )

    def checkpoint(self) -> bytes:
        return self._replica.published.checkpoint

    def log_news(self, seen: int) -> LogNews:
        published = self._replica.published
        rows = LogRows(self._database)
        tree, size = ChainTree(view_of(rows, published.log.frontier)), published.log.size
        with self.watched("the log"):
            path: tuple[bytes, ...] = ()
            if 0 < seen <= size:
                tree.frontier(seen)  # joins the nodes to the log's head
                path = consistency_path(seen, size, tree.node)
            found = []
            for index, statement in rows.statements(size):
                [leaf] = rows.checked(index, [tree.node(0, index)])
                found.append(Restoration(statement, index, leaf, tree.path(index)))
        return LogNews(published.checkpoint, path, tuple(found))

    def ledger_file(self, path: str) -> bytes | None:
        published = self._replica.published
        if path == "checkpoint":
            return published.checkpoint
        tile = parse_path(path)
        if tile is None:
            return None
        height = TILE_HEIGHT * (tile.level or 0)
        if tile.index * TILE_WIDTH + tile.width > published.log.size >> height:
            return None
        with self.watched("the log"):
            return log_tile(self._database, tile, published.log.frontier)

    def entry_of(self, chain_id: bytes, sequence: int) -> tuple[Chain, bool]:
        """The chain of an entry that is there, and whether it is erasable. Raises ValueError."""
        chain = self.chain(chain_id)
        if chain is None or not 0 <= sequence < chain.size:
            raise ValueError("there is no such entry")
        with self.watched("a chain"):
            return chain, self._tree(chain).entries(sequence, 1)[0].erasable

    def _newest(self, chain: Chain, sequence: int) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Header and path of the entry that came last, without its neighbours: of most receipts."""
        before = self._replica.before_newest(chain)
        if before is None or sequence != before.size:
            return None
        [entry] = self._rows(chain).entries(sequence, 1)
        # Left of the newest leaf stand exactly the subtrees that were complete before it.
        found = before.append(entry.leaf)
        return (entry.header, before.hashes[::-1]) if found == chain.frontier else None

    def _placed(self, chain: Chain, sequence: int) -> tuple[bytes, tuple[bytes, ...]]:
        tree = self._tree(chain)
        return tree.entries(sequence, 1)[0].header, tree.path(sequence)

    def _proved(self, chain_id: bytes) -> tuple[Published, Chain | None]:
        with self._replica.lock:
            return self._replica.published, self._replica.chains.get(chain_id)

    def _rows(self, chain: Chain) -> ChainRows:
        return ChainRows(self._database, chain.id, self._keys)

    def _tree(self, chain: Chain) -> ChainTree:
        """The tree at this head, with what was read of it already."""
        key = (chain.id, chain.size)
        with self._replica.lock:
            tree = self._trees.pop(key, None) or ChainTree(
                view_of(self._rows(chain), chain.frontier)
            )
            self._trees[key] = tree
            while len(self._trees) > TREES:
                self._trees.popitem(last=False)
        return tree

    def _blob(self, account: bytes, file: IndexedFile) -> bytes | None:
        """The blob of this very version; None when another one or nothing is there."""
        found = self._database.fetch(
            "SELECT blob FROM securemsg.blobs WHERE account = %s AND path = %s "
            "AND version = %s AND octet_length(blob) = %s",
            (account, file.path, file.version, file.length),
        )
        if not found or sha256(found[0][0]) != file.content:
            return None
        blob: bytes = found[0][0]
        return blob

    def _follow_or_refuse(self, size: int) -> None:
        """What the database has may be newer than what is known here. Raises Damaged, Busy."""
        found = self._database.fetch("SELECT log_size FROM securemsg.store")
        if found and found[0][0] > size:
            if not self._replica.wait_beyond(size, BEHIND_SECONDS):
                raise Busy("a newer version is not confirmed yet; ask again shortly")
            return
        if self._replica.size > size:
            return
        with self.watched("a private file"):
            raise Damaged("a private file is not the one that its chain names")

    @contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Report damage to the operator before the caller is refused."""
        try:
            yield
        except Damaged as damage:
            self.damaged += 1
            _log.error("%s is damaged and is not served: %s", what, damage)
            if self._on_damage is not None:
                self._on_damage(f"{what}: {damage}")
            raise


def log_tile(database: Database, tile: Tile, head: Frontier) -> bytes:
    """A tile's hashes, joined to the log's head, or a bundle's leaves, joined to theirs."""
    rows = LogRows(database)
    tree = ChainTree(view_of(rows, head))
    level, start = tile.level or 0, tile.index * TILE_WIDTH
    hashes = [tree.node(TILE_HEIGHT * level, at) for at in range(start, start + tile.width)]
    # The path of the first leaf below runs through every other node of its group.
    tree.path(start << (TILE_HEIGHT * level))
    if tile.level is not None:
        return b"".join(hashes)
    return bundle_bytes(rows.checked(start, hashes))
