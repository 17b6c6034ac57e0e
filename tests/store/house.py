"""A storage folder for tests, and disks that fail or die at a chosen step."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def unflushed(store: FileStore) -> Iterator[None]:
    """No flush runs inside: what is committed stays in the journal, and the folder can be copied.

    A copy that is taken while files are written is one of no moment at all.
    """
    with store._background._one:
        yield


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
