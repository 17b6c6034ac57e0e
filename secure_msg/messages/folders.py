"""How much a private folder holds, so that nobody fills the disk."""

from __future__ import annotations

from collections import OrderedDict

from secure_msg.ledger.transaction import Put, Store
from secure_msg.messages.errors import FolderFull

# The whole list is answered at once, and kept in memory.
MAX_FILES = 20_000
MAX_CACHED = 5_000


class Folders:
    """Sizes are read once an account and then followed; `quota` in bytes."""

    def __init__(self, store: Store, quota: int) -> None:
        self._store = store
        self._quota = quota
        self._sizes: OrderedDict[bytes, dict[bytes, int]] = OrderedDict()

    def check(self, account: bytes, puts: tuple[Put, ...]) -> None:
        """Raises FolderFull when these puts would grow the folder over its quota."""
        if not any(put.blob for put in puts):
            return
        sizes = self._load(account)
        changed = {put.path: len(put.blob or b"") for put in puts}
        growth = sum(size - sizes.get(path, 0) for path, size in changed.items())
        if growth > 0 and sum(sizes.values()) + growth > self._quota:
            raise FolderFull("quota")
        if len(sizes.keys() | changed.keys()) > MAX_FILES:
            raise FolderFull("files")

    def committed(self, account: bytes, puts: tuple[Put, ...]) -> None:
        sizes = self._sizes.get(account)
        if sizes is None:
            return
        for put in puts:
            if put.blob is None:
                sizes.pop(put.path, None)
            else:
                sizes[put.path] = len(put.blob)

    def moved(self, account: bytes, path: bytes, size: int | None) -> None:
        """A file has this size since a commit that any process asked for; None: it is gone."""
        sizes = self._sizes.get(account)
        if sizes is None:
            return
        if size is None:
            sizes.pop(path, None)
        else:
            sizes[path] = size

    def _load(self, account: bytes) -> dict[bytes, int]:
        sizes = self._sizes.get(account)
        if sizes is None:
            sizes = {name.path: name.size for name in self._store.private_names(account)}
            self._sizes[account] = sizes
            while len(self._sizes) > MAX_CACHED:
                self._sizes.popitem(last=False)
        self._sizes.move_to_end(account)
        return sizes
