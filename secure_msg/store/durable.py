"""The one place that writes files: everything else in the project asks it.

A write is durable after its `sync`, never before; a failed sync is never tried again, because the
kernel may have dropped the pages that it could not write (fsyncgate): it is SyncFailed. All other
failures are plain OSErrors, of which some pass (`is_passing`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SYNC_EACH = 16
"""So many files and folders are fsynced one by one; for more, one syncfs costs less."""

PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)
"""No room, a disk that takes no writes, too many open files: things that pass by themselves."""

_WINDOWS = os.name == "nt"
_BINARY = getattr(os, "O_BINARY", 0)


class SyncFailed(OSError):
    """Nobody knows any more what is on the disk: nothing may be built on it."""


def is_passing(error: OSError) -> bool:
    """Whether the same write may be tried again: it changed nothing that counts."""
    return error.errno in PASSING and not isinstance(error, SyncFailed)


class AppendFile:
    """An open file that only grows."""

    def __init__(self, disk: Disk, path: Path, descriptor: int, size: int) -> None:
        self._disk = disk
        self._descriptor = descriptor
        self.path = path
        self.size = size

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end, not yet durable; after a failure `size` is as before."""
        self._disk.write_all(self._descriptor, data, self.size)
        self.size += len(data)

    def cut_back(self, size: int) -> None:
        """Keep the first `size` bytes, durably. A failure is SyncFailed: the rest may be there."""
        with _unknown_when_failing():
            if os.fstat(self._descriptor).st_size > size:
                self._disk.cut_open(self._descriptor, size)
        self.size = size

    def sync(self) -> None:
        """Make all that was appended durable (data and size, not times)."""
        self._disk.sync_data(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class WriteSet:
    """Writes and removals that become durable together by one `sync`; before it none counts.

    Names of folders that exist are durable, but for those below `doubted`: a run that ended before
    its sync may have made them, so that they are synced again.
    """

    def __init__(self, disk: Disk, doubted: Path | None = None) -> None:
        self._disk = disk
        self._doubted = doubted
        self._files: set[Path] = set()
        self._folders: set[Path] = set()
        self.written = 0
        """Bytes, of all writes so far."""

    def write(self, path: Path, data: bytes) -> None:
        """The whole content of `path`, made or cut as needed."""
        self._disk.write_file(path, data)
        self._note(path, len(data))

    def write_at(self, path: Path, parts: Sequence[tuple[int, bytes]]) -> None:
        """Each part at its offset in `path`, which is made when missing."""
        self._disk.patch_file(path, parts)
        self._note(path, sum(len(data) for _, data in parts))

    def make_folder(self, path: Path) -> None:
        """`path` and its missing parents."""
        missing = []
        if self._doubted is not None and path.is_relative_to(self._doubted):
            self._folders |= {one for one in path.parents if one.is_relative_to(self._doubted)}
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            self._disk.make_folder(folder)
            self._folders |= {folder, folder.parent}

    def remove(self, path: Path) -> None:
        """Unlink `path`."""
        self._disk.remove(path)
        self._folders.add(path.parent)

    def keep_names(self, folder: Path) -> None:
        """The names in `folder` become durable with the set, as they are."""
        self._folders.add(folder)

    def sync(self) -> None:
        """Make every write of the set durable, folders included."""
        files, folders = sorted(self._files), sorted(self._folders)
        self._files, self._folders = set(), set()
        if len(files) + len(folders) > SYNC_EACH and self._disk.sync_system(folders[0]):
            return
        for path in files:
            self._disk.sync_file(path)
        for folder in folders:
            self._disk.sync_folder(folder)

    def _note(self, path: Path, written: int) -> None:
        self.written += written
        self._files.add(path)
        self._folders.add(path.parent)


class Disk:
    """The durable steps; tests put in its place one that fails or dies before or after each."""

    def write_set(self, doubted: Path | None = None) -> WriteSet:
        return WriteSet(self, doubted)

    def free(self, path: Path) -> int:
        """Bytes that we may still write where `path` is. Raises OSError, EROFS among them."""
        if not hasattr(os, "statvfs"):
            return shutil.disk_usage(path).free
        found = os.statvfs(path)
        if found.f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return found.f_bavail * found.f_frsize

    def open_append(self, path: Path) -> AppendFile:
        """Open `path` for appending; a new one is durable as an empty file."""
        known = path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        try:
            if not known:
                self.sync_folder(path.parent)
            size = os.fstat(descriptor).st_size
        except OSError:
            os.close(descriptor)
            raise
        return AppendFile(self, path, descriptor, size)

    def replace(self, path: Path, data: bytes) -> None:
        """Put `data` in the place of `path`: a crash leaves all of the old or all of the new."""
        temporary = path.with_name(path.name + ".new")
        try:
            self.write_file(temporary, data)
            self.sync_file(temporary)
            self.rename(temporary, path)
        except OSError:
            with suppress(OSError):  # it gives back the room; the next one writes over what stays
                self.remove(temporary)
            raise
        self.sync_folder(path.parent)

    def cut(self, path: Path, size: int) -> None:
        """Keep the first `size` bytes of `path`, durably."""
        os.truncate(path, size)
        self.sync_file(path)

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)

    def write_file(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
        try:
            self.write_all(descriptor, data, 0)
        finally:
            os.close(descriptor)

    def patch_file(self, path: Path, parts: Iterable[tuple[int, bytes]]) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        try:
            for offset, data in parts:
                self.write_all(descriptor, data, offset)
        finally:
            os.close(descriptor)

    def write_all(self, descriptor: int, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            if _WINDOWS:
                os.lseek(descriptor, offset, os.SEEK_SET)
                written = os.write(descriptor, view)
            else:
                written = os.pwrite(descriptor, view, offset)
            view = view[written:]
            offset += written

    def cut_open(self, descriptor: int, size: int) -> None:
        """Keep the first `size` bytes of an open file, durably."""
        os.ftruncate(descriptor, size)
        self.sync_data(descriptor)

    def sync_data(self, descriptor: int) -> None:
        with _unknown_when_failing():
            if hasattr(os, "fdatasync"):
                os.fdatasync(descriptor)
            else:
                os.fsync(descriptor)

    def sync_file(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | _BINARY)
        try:
            with _unknown_when_failing():
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        if _WINDOWS:  # a folder cannot be opened there; the file system journals its names itself
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with _unknown_when_failing():
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_system(self, path: Path) -> bool:
        """Sync the whole file system of `path`; False where the platform has no call for it."""
        if _syncfs is None:
            return False
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if _syncfs(descriptor) != 0:
                number = ctypes.get_errno()
                raise SyncFailed(number, os.strerror(number))
        finally:
            os.close(descriptor)
        return True

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Unlink `path`; one that is gone already is no error, because steps are done again."""
        path.unlink(missing_ok=True)


@contextmanager
def _unknown_when_failing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror) from error


def _find_syncfs() -> ctypes._NamedFuncPointer | None:
    # Before Linux 5.8 syncfs did not report write errors.
    if not hasattr(os, "uname") or os.uname().sysname != "Linux":
        return None
    release = os.uname().release.split(".")
    if (int(release[0]), int(release[1].split("-")[0])) < (5, 8):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


_syncfs = _find_syncfs()
