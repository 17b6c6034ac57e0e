"""Private folders: an account's files, from its chain and the index (docs/spec/storage.md)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.records import FolderIndex, IndexedFile, PutBody
from secure_msg.store.state import BlobKey, private_chain
from secure_msg.store.tree import ChainTree, ChainView
from secure_msg.store.views import Views

INDEX_AFTER = 64
MAX_INDEX = 256 << 20
MAC_SIZE = 32
PAGE = 256
MAX_HELD_FILES = 32_768
"""Of all folders in memory, at about 400 bytes each; the one in use stays, whatever it holds."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Folder:
    """The files after `size` entries of the folder's chain; `indexed` is the index's size."""

    size: int
    indexed: int
    files: dict[bytes, IndexedFile] = field(default_factory=dict)

    @property
    def index_due(self) -> bool:
        return self.size - self.indexed >= max(INDEX_AFTER, len(self.files) // 4)

    def take(self, entry_size: int, path: bytes, file: IndexedFile | None) -> None:
        """One put; the chain has `entry_size` entries after it."""
        if file is None:
            self.files.pop(path, None)
        else:
            self.files[path] = file
        self.size = entry_size


class Folders:
    """The folders used last. `install` and `due` are called under the state's lock."""

    def __init__(
        self,
        views: Views,
        key: bytes,
        keep: int = MAX_HELD_FILES,
    ) -> None:
        self._views = views
        self._state = views.state
        self._layout = views.layout
        self._key = key
        self._keep = keep
        self._cache: OrderedDict[bytes, Folder] = OrderedDict()
        self._held = 0

    def at_hand(self, account: bytes) -> bool:
        """Whether the folder is in memory; it was used now."""
        with self._state.lock:
            if account not in self._cache:
                return False
            self._cache.move_to_end(account)
            return True

    def load(self, account: bytes) -> Folder:
        """The folder as it is now; read it under the lock. Raises Damaged."""
        while True:
            with self._state.lock:
                cached = self._cache.get(account)
                if cached is not None:
                    self._cache.move_to_end(account)
                    return cached
                view = self._views.now(private_chain(account))
            if view is None:
                return Folder(0, 0)
            folder = self._read(account, view)
            with self._state.lock:
                current = self._views.now(private_chain(account))
                if current is not None and current.head.size == view.head.size:
                    self._remember(account, folder)
                    return folder

    def file(self, account: bytes, path: bytes) -> IndexedFile | None:
        """The path's latest version. Raises Damaged."""
        # Asked for each put that is staged: one look into a dictionary needs no lock.
        cached = self._cache.get(account)
        if cached is not None:
            return cached.files.get(path)
        folder = self.load(account)
        with self._state.lock:
            return folder.files.get(path)

    def install(self, files: dict[BlobKey, IndexedFile | None], sizes: dict[bytes, int]) -> None:
        """Take up committed puts; `sizes` are the folders' chain sizes after them."""
        for (account, path), file in files.items():
            folder = self._cache.get(account)
            if folder is not None:
                before = len(folder.files)
                folder.take(sizes[account], path, file)
                self._held += len(folder.files) - before

    def due(self, account: bytes) -> tuple[list[IndexedFile], int] | None:
        """The folder's files when its index is to be written again, and the older index's size."""
        folder = self._cache.get(account)
        if folder is None or not folder.index_due:
            return None
        older, folder.indexed = folder.indexed, folder.size
        return list(folder.files.values()), older

    def index_bytes(self, account: bytes, index: FolderIndex) -> bytes:
        data = to_bytes(index)
        return hmac_sha256(self._key, account, data) + data

    def _remember(self, account: bytes, folder: Folder) -> None:
        known = self._cache.get(account)
        self._held += len(folder.files) - (len(known.files) if known else 0)
        self._cache[account] = folder
        # A folder counts as one more than its files, which may be none.
        while self._held + len(self._cache) > self._keep and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._held -= len(oldest.files)

    def _read(self, account: bytes, view: ChainView) -> Folder:
        tree = ChainTree(view)
        folder = self._read_index(account, view, tree)
        while folder.size < view.head.size:
            count = min(PAGE, view.head.size - folder.size)
            for entry in tree.entries(folder.size, count):
                if entry.body is None:
                    raise Damaged("a put without its body")
                body = _put_body(entry.body)
                file = IndexedFile(
                    body.path, body.version, body.content, body.length, entry.sequence
                )
                gone = body.length == 0 and body.content == bytes(32)
                folder.take(entry.sequence + 1, body.path, None if gone else file)
        return folder

    def _read_index(self, account: bytes, view: ChainView, tree: ChainTree) -> Folder:
        """The newest index that fits; without one an empty folder, the chain has it all."""
        for size, path in self._layout.indices(account):
            if size > view.head.size:
                continue
            index = self._checked_index(account, path)
            fits = index is not None and index.size == size
            if index and fits and tree.frontier(size).root() == index.root:
                return Folder(size, size, {one.path: one for one in index.files})
            _log.warning("an index of a private folder does not check; its chain is read instead")
        return Folder(0, 0)

    def _checked_index(self, account: bytes, path: Path) -> FolderIndex | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        mac = hmac_sha256(self._key, account, data[MAC_SIZE:])
        if len(data) < MAC_SIZE or not equal(mac, data[:MAC_SIZE]):
            return None
        return from_bytes(FolderIndex, data[MAC_SIZE:], limit=MAX_INDEX)


def _put_body(body: bytes) -> PutBody:
    try:
        return from_bytes(PutBody, body)
    except MalformedData:
        raise Damaged("the body of a put is malformed") from None
