"""A backup reads while the server writes: what it may need is not unlinked (docs/spec/storage.md).

The file `hold` is locked by whoever reads or unlinks, and empty but while a backup reads: then one
byte is appended to it at each erasure, which waits for nobody.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

NAME = "hold"


class Hold:
    """Both sides of it: the server's `cleaning` and `disturb`, the backup's `reading`."""

    def __init__(self, root: Path) -> None:
        self._path = root / NAME

    @contextmanager
    def cleaning(self) -> Iterator[bool]:
        """Whether files may be unlinked now; while this is open no backup begins to read."""
        descriptor = self._open()
        try:
            yield _try_shared(descriptor)
        finally:
            os.close(descriptor)

    def disturb(self) -> None:
        """Something is erased: a backup that is reading begins again."""
        with self.cleaning() as free:
            if free:
                return
        descriptor = self._open(os.O_APPEND)
        try:
            os.write(descriptor, b"\n")
        finally:
            os.close(descriptor)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """From here on nothing is unlinked but what is erased. Waits for a cleaning to end."""
        descriptor = self._open()
        try:
            _lock_alone(descriptor)
            os.ftruncate(descriptor, 0)
            yield Reading(descriptor)
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def _open(self, more: int = 0) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | more, 0o600)


class Reading:
    """A backup's hold on the folder."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def disturbed(self) -> bool:
        """Whether something was erased since the last call."""
        found = os.fstat(self._descriptor).st_size > 0
        if found:
            os.ftruncate(self._descriptor, 0)
        return found


if sys.platform == "win32":  # backups there are of a stopped server (cli/backup.py)

    def _try_shared(descriptor: int) -> bool:
        return True

    def _lock_alone(descriptor: int) -> None:
        pass

else:

    def _try_shared(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock_alone(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
