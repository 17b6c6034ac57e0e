"""All that is read from the store, each answer joined to its chain's head (port: `Store`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from secure_msg.codec.proofs import HeadProof, MapProof, Receipt
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.map import name_label
from secure_msg.ledger.merkle import EMPTY, EMPTY_ROOT, Frontier
from secure_msg.ledger.tiles import parse_path
from secure_msg.ledger.transaction import (
    ChainHead,
    Damaged,
    Placed,
    PrivateFile,
    PrivateName,
    StoredEntry,
)
from secure_msg.store.folders import Folders
from secure_msg.store.layout import Layout
from secure_msg.store.logfiles import LogFiles
from secure_msg.store.proofs import Proofs
from secure_msg.store.records import IndexedFile
from secure_msg.store.state import EMPTY_HEAD, PUT, Published
from secure_msg.store.tree import ChainTree, find_unique
from secure_msg.store.views import Now, Views

BEGINNINGS = {"account": "account", "thread": "opened", "private": PUT}
RACES = 8
"""How often a blob may be superseded while it is being read, before that counts as damage."""

_log = logging.getLogger(__name__)


class Reader:
    """Takes what it needs of the state under the lock, then reads files outside of it."""

    def __init__(
        self,
        *,
        views: Views,
        folders: Folders,
        log: LogFiles,
        name_salt: bytes,
        on_damage: Callable[[str], None] | None,
    ) -> None:
        self._views = views
        self._layout = views.layout
        self._state = views.state
        self._folders = folders
        self._log = log
        self._name_salt = name_salt
        self._on_damage = on_damage
        self._proofs = Proofs(self._state.published)
        self.damaged = 0

    def find(self, chain_id: bytes, unique: bytes, seen: int) -> tuple[Placed, int] | None:
        """Where the entry with this unique id stands, from `seen` on, and its log index."""
        now = self._views.at(chain_id)
        if now is None:
            return None
        if seen >= now.first:
            return _find_recent(now, unique, seen)
        with self.watched("the rows of a chain"):
            # The rows have a MAC each; an entry of the files is joined to the head as well.
            view = self._views.view(now)
            found = find_unique(view, unique, seen)
            if found is None:
                return None
            entry = ChainTree(view).entries(found[0], 1)[0]
        return Placed(chain_id, entry.sequence, entry.time, entry.header), found[1]

    def head(self, chain_id: bytes) -> ChainHead:
        now = self._views.at(chain_id)
        if now is None:
            return EMPTY_HEAD
        root = self._proofs_of(now.published).root(now.chain)
        return ChainHead(now.chain.size, root, now.chain.register)

    def entries(self, chain_id: bytes, start: int, count: int) -> tuple[StoredEntry, ...]:
        now = self._views.at(chain_id)
        if start < 0 or count < 0:
            raise ValueError("a range of entries is not negative")
        if now is None or start >= now.chain.size:
            return ()
        count = min(count, now.chain.size - start)
        first = now.first
        if start >= first:
            found = now.pending.entries[start - first : start - first + count]
        else:
            with self.watched("a chain"):
                found = ChainTree(self._views.view(now)).entries(start, count)
        return tuple([StoredEntry(one.header, one.salt, one.body) for one in found])

    def frontier(self, chain_id: bytes, size: int) -> Frontier:
        now = self._views.at(chain_id)
        have = 0 if now is None else now.chain.size
        if not 0 <= size <= have:
            raise ValueError(f"the chain has {have} entries")
        if now is None or size == 0:
            return EMPTY
        if size == have:
            return now.chain.frontier
        if size >= now.first:
            return now.pending.before[size - now.first]
        with self.watched("a chain"):
            return ChainTree(self._views.view(now)).frontier(size)

    def private(self, account: bytes, path: bytes) -> PrivateFile | None:
        with self.watched("a private file"):
            for _ in range(RACES):
                file = self._folders.file(account, path)
                if file is None:
                    return None
                blob = self._blob(account, file)
                if blob is not None:
                    return PrivateFile(file.version, blob)
                if self._folders.file(account, path) == file:
                    break
            raise Damaged("a private file is not the one that its chain names")

    def private_names(self, account: bytes) -> tuple[PrivateName, ...]:
        with self.watched("a private folder"):
            folder = self._folders.load(account)
        with self._state.lock:
            files = list(folder.files.values())
        return tuple(PrivateName(one.path, one.version, one.length) for one in files)

    def name_owner(self, skeleton: str) -> bytes | None:
        with self._state.lock:
            return self._state.names.get(skeleton)

    def name_proof(self, skeleton: str) -> MapProof:
        return self._state.published.map.prove(name_label(self._name_salt, skeleton))

    def chains(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        with self._state.lock:
            return iter(self._state.chains.labels(BEGINNINGS[kind]))

    def receipt(self, chain_id: bytes, sequence: int) -> Receipt:
        now = self._views.at(chain_id)
        if now is None or not 0 <= sequence < now.chain.size:
            raise ValueError("there is no such entry")
        header, path = self._placed(now, sequence)
        published = now.published
        return Receipt(
            header,
            now.chain.size,
            path,
            self._proofs_of(published).map_proof(chain_id),
            published.log.size - 1,
            published.log.leaf,
            published.log.path,
            published.checkpoint,
        )

    def head_proof(self, chain_id: bytes) -> HeadProof:
        now = self._views.at(chain_id)
        published = self._state.published if now is None else now.published
        proofs = self._proofs_of(published)
        return HeadProof(
            chain_id,
            0 if now is None else now.chain.size,
            EMPTY_ROOT if now is None else proofs.root(now.chain),
            proofs.map_proof(chain_id),
            published.log.size - 1,
            published.log.leaf,
            published.log.path,
            published.checkpoint,
        )

    def checkpoint(self) -> bytes:
        return self._state.published.checkpoint

    def ledger_file(self, path: str) -> bytes | None:
        published = self._state.published
        if path == "checkpoint":
            return published.checkpoint
        tile = parse_path(path)
        if tile is None:
            return None
        with self.watched("the log"):
            return self._log.read(tile, published.log.size)

    def _proofs_of(self, published: Published) -> Proofs:
        """What was made of this moment already."""
        proofs = self._proofs
        if proofs.published is not published:
            proofs = self._proofs = Proofs(published)
        return proofs

    def _placed(self, now: Now, sequence: int) -> tuple[bytes, tuple[bytes, ...]]:
        """An entry's header and its path in the chain's head."""
        at = sequence - now.first
        if at < 0:
            with self.watched("a chain"):
                tree = ChainTree(self._views.view(now))
                return tree.entries(sequence, 1)[0].header, tree.path(sequence)
        header = now.pending.entries[at].header
        if at == now.waiting - 1:
            # Left of the newest leaf stand exactly the subtrees that were complete before it.
            return header, now.pending.before[at].hashes[::-1]
        return header, self._proofs_of(now.published).recent(now).path(sequence)

    def _blob(self, account: bytes, file: IndexedFile) -> bytes | None:
        """The blob of this very version; None when something else or nothing is there."""
        with self._state.lock:
            pending = self._state.pending_blob((account, file.path))
        if pending is not None and pending.version == file.version:
            blob = pending.blob
        else:
            blob = _read(self._layout, account, file)
        if blob is None or len(blob) != file.length or sha256(blob) != file.content:
            return None
        return blob

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


def _find_recent(now: Now, unique: bytes, seen: int) -> tuple[Placed, int] | None:
    """As `find`, where all that is searched is in memory."""
    for one in now.pending.entries[seen - now.first : now.waiting]:
        if one.unique == unique:
            return Placed(now.chain.id, one.sequence, one.time, one.header), one.log_index
    return None


def _read(layout: Layout, account: bytes, file: IndexedFile) -> bytes | None:
    path = layout.blob(account, file.path, file.version)
    try:
        # A file of another size cannot be the one, whatever fills it.
        return path.read_bytes() if path.stat().st_size == file.length else None
    except OSError:
        return None
