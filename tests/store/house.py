"""A storage folder for tests, and disks that fail or die at a chosen step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from secure_msg.crypto.random import SeededRandom
from secure_msg.store.durable import Disk
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import ServerIdentity, ServerKeys, open_or_create
from tests.store.contract import Clock


class FileHouse:
    """Opens a FileStore on one folder, again and again."""

    def __init__(self, root: Path, keys: ServerKeys | None = None) -> None:
        self.root = root
        self.root.mkdir(exist_ok=True)
        self.clock = Clock()
        self.random = SeededRandom(b"house")
        self.keys = keys or open_or_create(root, None, self.random)
        self.store: FileStore | None = None

    @property
    def identity(self) -> ServerIdentity:
        return self.keys.identity

    def open(self, disk: Disk | None = None, **options: Any) -> FileStore:
        self.close()
        self.store = FileStore.open(
            self.root, self.keys, self.clock, self.random, disk=disk, **options
        )
        return self.store

    def close(self) -> None:
        store, self.store = self.store, None
        if store is not None:
            store.close()

    def copy(self, root: Path) -> FileHouse:
        """The folder as it is at this moment, as a house of its own."""
        shutil.copytree(self.root, root)
        (root / "server" / "seal.key").chmod(0o600)
        return FileHouse(root, self.keys)


STEPS = (
    "make_folder",
    "write_file",
    "patch_file",
    "write_all",
    "sync_data",
    "sync_file",
    "sync_folder",
    "sync_system",
    "rename",
    "remove",
    "cut",
)


class WatchedDisk(Disk):
    """Calls `before` and `after` with (number, name) around each durable step."""

    def __init__(
        self,
        before: Callable[[int, str], None] = lambda number, name: None,
        after: Callable[[int, str], None] = lambda number, name: None,
    ) -> None:
        self.before = before
        self.after = after
        self.steps: list[str] = []

    def _step(self, name: str, *arguments: Any) -> Any:
        number = len(self.steps)
        self.steps.append(name)
        self.before(number, name)
        result = getattr(Disk, name)(self, *arguments)
        self.after(number, name)
        return result

    def make_folder(self, path: Path) -> None:
        self._step("make_folder", path)

    def write_file(self, path: Path, data: bytes) -> None:
        self._step("write_file", path, data)

    def patch_file(self, path: Path, parts: Iterable[tuple[int, bytes]]) -> None:
        self._step("patch_file", path, parts)

    def write_all(self, descriptor: int, data: bytes, offset: int) -> None:
        self._step("write_all", descriptor, data, offset)

    def sync_data(self, descriptor: int) -> None:
        self._step("sync_data", descriptor)

    def sync_file(self, path: Path) -> None:
        self._step("sync_file", path)

    def sync_folder(self, path: Path) -> None:
        self._step("sync_folder", path)

    def sync_system(self, path: Path) -> bool:
        return bool(self._step("sync_system", path))

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", old, new)

    def remove(self, path: Path) -> None:
        self._step("remove", path)

    def cut(self, path: Path, size: int) -> None:
        self._step("cut", path, size)
