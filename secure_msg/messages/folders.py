"""How much a private folder holds, so that nobody fills the disk."""

from __future__ import annotations

from collections import OrderedDict

from secure_msg.ledger.transaction import Put, Store
from secure_msg.messages.errors import FolderFull

# The whole list is answered at once, and kept in memory.
MAX_FILES = 20_000
MAX_CACHED_FILES = 50_000
"""Of all folders together, at about 200 bytes each; the folder in use stays, whatever it holds."""


class _Folder:
    """The sizes of one folder's files, and their sum."""

    __slots__ = ("sizes", "total")

    def __init__(self, sizes: dict[bytes, int]) -> None:
        self.sizes = sizes
        self.total = sum(sizes.values())

    def set(self, path: bytes, size: int | None) -> int:
        """A file has this size now, None: it is gone. The growth in files."""
        before = self.sizes.pop(path, None)
        if size is not None:
            self.sizes[path] = size
        self.total += (size or 0) - (before or 0)
        return (size is not None) - (before is not None)


class Folders:
    """Sizes are read once an account and then followed; `quota` in bytes."""

    def __init__(self, store: Store, quota: int, keep: int = MAX_CACHED_FILES) -> None:
        self._store = store
        self._quota = quota
        self._keep = keep
        self._files = 0
        self._cached: OrderedDict[bytes, _Folder] = OrderedDict()

    def check(self, account: bytes, puts: tuple[Put, ...]) -> None:
        """Raises FolderFull when these puts would grow the folder over its quota."""
        changed = {put.path: len(put.blob or b"") for put in puts}
        if not any(changed.values()):
            return
        folder = self._load(account)
        growth = files = 0
        for path, size in changed.items():
            before = folder.sizes.get(path)
            growth += size - (before or 0)
            files += before is None
        if growth > 0 and folder.total + growth > self._quota:
            raise FolderFull("quota")
        if len(folder.sizes) + files > MAX_FILES:
            raise FolderFull("files")

    def committed(self, account: bytes, puts: tuple[Put, ...]) -> None:
        for put in puts:
            self.moved(account, put.path, None if put.blob is None else len(put.blob))

    def moved(self, account: bytes, path: bytes, size: int | None) -> None:
        """A file has this size since a commit that any process asked for; None: it is gone."""
        folder = self._cached.get(account)
        if folder is not None:
            self._files += folder.set(path, size)

    def _load(self, account: bytes) -> _Folder:
        folder = self._cached.get(account)
        if folder is None:
            names = self._store.private_names(account)
            folder = self._cached[account] = _Folder({name.path: name.size for name in names})
            self._files += len(folder.sizes)
        self._cached.move_to_end(account)
        while self._files > self._keep and len(self._cached) > 1:
            _, oldest = self._cached.popitem(last=False)
            self._files -= len(oldest.sizes)
        return folder
