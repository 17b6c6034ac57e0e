"""A disk that records what a store does, and the folders that a loss of power could leave of it.

The model is POSIX read strictly. What a file holds is what its last sync found, and of the writes
after it any part: each sector as it was at any moment since, whatever the others are. A name is
there when its folder was synced with it; of the changes to a folder's names after its last sync any
may be there. A rename is one change.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from secure_msg.store.durable import Disk

SECTOR = 512
UNRECORDED = frozenset({"lock", "hold"})
"""Files that are only locked: nothing in them counts."""

Image: TypeAlias = tuple[tuple[str, bytes | None], ...]
"""All that is in a folder: (name, bytes), None for a folder."""


@dataclass(frozen=True, slots=True)
class Named:
    """`name` in `folder` now stands for the file `inode` (-1: a folder; None: nothing)."""

    folder: str
    name: str
    inode: int | None
    instead_of: str | None = None
    """A rename: this name of the folder goes with it."""


@dataclass(frozen=True, slots=True)
class Written:
    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    inode: int
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A file (`inode`), a folder's names (`folder`), or with neither everything."""

    inode: int | None = None
    folder: str | None = None


Operation: TypeAlias = Named | Written | Cut | Synced


@dataclass
class Recording:
    """All operations on the folder `root`, with the number of script steps done before each."""

    root: Path
    operations: list[tuple[Operation, int]] = field(default_factory=list)
    done: int = 0
    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytearray] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """What is there already is durable."""
        for path in sorted(self.root.rglob("*")):
            self.notice(path)
        self.add(Synced())

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def add(self, operation: Operation) -> None:
        self.operations.append((operation, self.done))

    def notice(self, path: Path) -> int | None:
        """Record what happened to a file beside the writes: that it was made, or cut."""
        name = self.relative(path)
        if name in UNRECORDED or not path.exists():
            return None
        if path.is_dir():
            self._name(name, -1)
            return None
        inode = self.names.get(name)
        if inode is None:
            inode = len(self.contents)
            self.contents[inode] = bytearray()
            self._name(name, inode)
        content, size = self.contents[inode], path.stat().st_size
        if size < len(content):
            del content[size:]
            self.add(Cut(inode, size))
        elif size > len(content):  # written before the recording began, or beside it
            data = path.read_bytes()[len(content) :]
            self.write(inode, len(content), data)
        return inode

    def write(self, inode: int, offset: int, data: bytes) -> None:
        content = self.contents[inode]
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
        self.add(Written(inode, offset, data))

    def _name(self, name: str, inode: int) -> None:
        if name not in self.names:
            self.names[name] = inode
            folder, _, last = name.rpartition("/")
            self.add(Named(folder, last, inode))

    def renamed(self, old: Path, new: Path) -> None:
        inode = self.names[self.relative(new)] = self.names.pop(self.relative(old))
        self.add(Named(_folder(self.relative(new)), new.name, inode, old.name))

    def removed(self, path: Path) -> None:
        if self.names.pop(self.relative(path), None) is not None:
            self.add(Named(_folder(self.relative(path)), path.name, None))

    def live(self) -> Image:
        """The folder as all operations together leave it."""
        return tuple(
            (name, None if inode == -1 else bytes(self.contents[inode]))
            for name, inode in sorted(self.names.items())
        )


class RecordingDisk(Disk):
    """Records, and syncs nothing in truth.

    At `dies_at` operations it does nothing any more; `syncfs` tells whether the platform has it.
    """

    def __init__(
        self, recording: Recording, dies_at: int | None = None, *, syncfs: bool = True
    ) -> None:
        self._recording = recording
        self._dies_at = dies_at
        self._syncfs = syncfs

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in ("write_set", "free"):
            return found
        return lambda *arguments: self._alive(found, *arguments)

    def _alive(self, step: Any, *arguments: Any) -> Any:
        recording = self._recording
        with recording.lock:
            if self._dies_at is not None and len(recording.operations) >= self._dies_at:
                raise OSError(5, "dead")
            return step(*arguments)

    def write_all(self, descriptor: int, data: bytes, offset: int) -> None:
        inode = self._recording.notice(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        super().write_all(descriptor, data, offset)
        if inode is not None:
            self._recording.write(inode, offset, bytes(data))

    def sync_data(self, descriptor: int) -> None:
        self.sync_file(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def sync_file(self, path: Path) -> None:
        inode = self._recording.notice(path)
        self._recording.add(Synced(inode=inode))

    def sync_folder(self, path: Path) -> None:
        for one in path.iterdir():
            self._recording.notice(one)
        folder = self._recording.relative(path)
        self._recording.add(Synced(folder="" if folder == "." else folder))

    def sync_system(self, path: Path) -> bool:
        if self._syncfs:
            self._recording.add(Synced())
        return self._syncfs

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        self._recording.notice(path)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._recording.renamed(old, new)

    def remove(self, path: Path) -> None:
        super().remove(path)
        self._recording.removed(path)


@dataclass
class _File:
    durable: bytes = b""
    pending: list[Written | Cut] = field(default_factory=list)

    def all(self) -> bytes:
        return _applied(self.durable, self.pending)


@dataclass
class _Folder:
    durable: dict[str, int] = field(default_factory=dict)
    pending: list[Named] = field(default_factory=list)

    def all(self) -> dict[str, int]:
        return _renamed(self.durable, self.pending)


class Remains:
    """What is durable and what is pending after the first operations of a recording."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._folders: dict[str, _Folder] = {"": _Folder()}

    def take(self, operation: Operation) -> None:
        match operation:
            case Named():
                self._folder(operation.folder).pending.append(operation)
            case Written() | Cut():
                self._file(operation.inode).pending.append(operation)
            case Synced(inode=None, folder=None):
                self._sync(self._files.values(), self._folders.values())
            case Synced(inode=None):
                self._sync((), [self._folder(operation.folder or "")])
            case Synced():
                self._sync([self._file(operation.inode or 0)], ())

    def killed(self) -> Image:
        """The process is gone, the kernel keeps all that it was given."""
        return self._image(lambda file: file.all(), lambda folder: folder.all())

    def powerless(self) -> Image:
        """Only what was synced is there."""
        return self._image(lambda file: file.durable, lambda folder: folder.durable)

    def torn(self, rng: random.Random) -> Image:
        """Of what was not synced any part is there."""

        def some(pending: list[Named]) -> list[Named]:
            kind = rng.randrange(4)
            if kind == 0:
                return pending[: rng.randrange(len(pending) + 1)]
            likely = (0.0, 0.5, 0.9)[kind - 1] if kind < 3 else 1.0
            return [one for one in pending if rng.random() < likely]

        return self._image(
            lambda file: _torn_file(file, rng),
            lambda folder: _renamed(folder.durable, some(folder.pending)),
        )

    def _file(self, inode: int) -> _File:
        return self._files.setdefault(inode, _File())

    def _folder(self, name: str) -> _Folder:
        return self._folders.setdefault(name, _Folder())

    def _sync(self, files: Any, folders: Any) -> None:
        for file in files:
            file.durable, file.pending = file.all(), []
        for folder in folders:
            folder.durable, folder.pending = folder.all(), []

    def _image(self, content: Any, names: Any) -> Image:
        def walk(folder: str) -> Iterator[tuple[str, bytes | None]]:
            for name, inode in sorted(names(self._folder(folder)).items()):
                path = f"{folder}/{name}" if folder else name
                if inode == -1:
                    yield path, None
                    yield from walk(path)
                else:
                    yield path, content(self._file(inode))

        return tuple(walk(""))


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _renamed(names: dict[str, int], changes: list[Named]) -> dict[str, int]:
    found = dict(names)
    for change in changes:
        if change.inode is None:
            found.pop(change.name, None)
        else:
            found[change.name] = change.inode
        if change.instead_of is not None:
            found.pop(change.instead_of, None)
    return found


def _applied(data: bytes, changes: list[Written | Cut]) -> bytes:
    found = bytearray(data)
    for change in changes:
        if isinstance(change, Cut):
            del found[change.size :]
        else:
            found.extend(bytes(max(0, change.offset - len(found))))
            found[change.offset : change.offset + len(change.data)] = change.data
    return bytes(found)


def _torn_file(file: _File, rng: random.Random) -> bytes:
    """Each sector as it was at some moment since the last sync: all moments, a few, or none.

    A sector goes to the disk as it stands in memory, with all that was written to it before. What
    was cut was cut in its order.
    """
    pending = file.pending[: rng.randrange(len(file.pending) + 1)]
    whole = max((at for at, one in enumerate(pending, 1) if isinstance(one, Cut)), default=0)
    found = _applied(file.durable, pending[:whole])
    writes = [one for one in pending[whole:] if isinstance(one, Written)]
    if rng.random() < 0.5:
        return _applied(found, list(writes))
    sectors: dict[int, list[Written | Cut]] = {}
    for write in writes:
        for part in _sectors(write):
            sectors.setdefault(part.offset // SECTOR, []).append(part)
    kept = [parts[: rng.randrange(len(parts) + 1)] for parts in sectors.values()]
    return _applied(found, [part for parts in kept for part in parts])


def _sectors(write: Written) -> Iterator[Written]:
    """The write in pieces of one sector each."""
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        after = min(end, at - at % SECTOR + SECTOR)
        yield Written(write.inode, at, write.data[at - write.offset : after - write.offset])
        at = after
