"""A storage folder for tests, and disks that fail or die at a chosen step."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from secure_msg.crypto.random import SeededRandom
from secure_msg.store.durable import Disk, SyncFailed
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import ServerIdentity, ServerKeys, open_or_create
from tests.store.contract import Clock


class FileHouse:
    """Opens a FileStore on one folder, again and again; without a disk given, nothing is synced."""

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
            self.root, self.keys, self.clock, self.random, disk=disk or UnsyncedDisk(), **options
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


NO_STEPS = frozenset({"write_set", "free"})
STEPS = tuple(
    name
    for name, member in vars(Disk).items()
    if callable(member) and not name.startswith("_") and name not in NO_STEPS
)
"""Every durable step that a disk has, whichever there are: nobody has to think of a new one."""


class WatchedDisk(Disk):
    """Calls `before` and `after` with (number, name) around each durable step.

    A step that is made of others counts as one more, around them.
    """

    def __init__(
        self,
        before: Callable[[int, str], None] = lambda number, name: None,
        after: Callable[[int, str], None] = lambda number, name: None,
    ) -> None:
        self.before = before
        self.after = after
        self.steps: list[str] = []
        # One step at a time, so that a copy made in `before` has none half done.
        self.lock = threading.RLock()

    def __getattribute__(self, name: str) -> Any:
        if name not in STEPS:
            return super().__getattribute__(name)
        return lambda *arguments: self._step(name, *arguments)

    def _step(self, name: str, *arguments: Any) -> Any:
        with self.lock:
            number = len(self.steps)
            self.steps.append(name)
            self.before(number, name)
            result = getattr(Disk, name)(self, *arguments)
            self.after(number, name)
            return result


def failure(name: str, number: int) -> OSError:
    """What a disk raises when the step `name` fails with the errno `number`."""
    return (SyncFailed if name.startswith("sync") else OSError)(number, os.strerror(number))


class UnsyncedDisk(Disk):
    """Syncs nothing: for what is checked after a crash, when no further one follows."""

    def sync_data(self, descriptor: int) -> None:
        pass

    def sync_file(self, path: Path) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass

    def sync_system(self, path: Path) -> bool:
        return True


class PowerDisk(WatchedDisk):
    """Knows what would be left if the power failed: the strictest reading of POSIX.

    A file's bytes are those of its last sync; a name is there when its folder was synced with it.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._bytes: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}
        self._folders: set[Path] = set()
        self._held: dict[int, int] = {}
        self._sync_all()

    def _step(self, name: str, *arguments: Any) -> Any:
        with self.lock:
            result = super()._step(name, *arguments)
            if name == "sync_data":
                self._sync_file(Path(os.readlink(f"/proc/self/fd/{arguments[0]}")))
            elif name in ("sync_file", "cut"):
                self._sync_file(arguments[0])
            elif name == "sync_folder":
                self._sync_names(arguments[0])
            elif name == "sync_system":
                self._sync_all()
            return result

    def lose_power(self, target: Path) -> None:
        """Write into `target` what would be left now."""
        self._restore(self._root, target)

    def _restore(self, folder: Path, target: Path) -> None:
        target.mkdir()
        for name in self._names.get(folder, {}):
            inode = self._names[folder][name]
            if folder / name in self._folders:
                self._restore(folder / name, target / name)
            else:
                (target / name).write_bytes(self._bytes.get(inode, b""))
                (target / name).chmod(0o600)

    def _sync_file(self, path: Path) -> None:
        self._bytes[path.stat().st_ino] = path.read_bytes()

    def _sync_names(self, folder: Path) -> None:
        self._names[folder] = {path.name: self._hold(path) for path in folder.iterdir()}
        self._folders |= {path for path in folder.iterdir() if path.is_dir()}

    def _hold(self, path: Path) -> int:
        """The inode of `path`, kept open so that no later file is given its number."""
        inode = path.stat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)
        return inode

    def release(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held = {}

    def _sync_all(self) -> None:
        for folder in [self._root, *(path for path in self._root.rglob("*") if path.is_dir())]:
            self._sync_names(folder)
        for path in self._root.rglob("*"):
            if path.is_file():
                self._sync_file(path)
