"""Whether the disk takes more (docs/spec/storage.md, "Failure").

A disk that is full or read-only is no failure: nothing was written, reads go on, and so do commits
as soon as one finds room again.
"""

from __future__ import annotations

import errno
import logging
import math
import os
from pathlib import Path

from secure_msg.ledger.transaction import StorageFull
from secure_msg.store.durable import Disk, is_passing

DEFAULT_FLOOR = 64 << 20
"""Bytes that stay free: what is accepted has to be written once more by the flush."""

_log = logging.getLogger(__name__)


class Room:
    """What the last attempt to write has found. One thread at a time changes it."""

    def __init__(self, disk: Disk, folder: Path, floor: int) -> None:
        self._disk = disk
        self._folder = folder
        self._floor = floor
        self._stalled: OSError | None = None
        self.full = False

    def need(self, size: int) -> None:
        """Raise a passing OSError unless the disk takes `size` bytes and keeps its floor."""
        if self._stalled is not None:
            raise OSError(self._stalled.errno, self._stalled.strerror)
        if self._floor and self._known_free() < self._floor + size:
            raise OSError(errno.ENOSPC, "less is free than what has to stay free")

    def _known_free(self) -> float:
        try:
            return self._disk.free(self._folder)
        except OSError as error:
            if is_passing(error):
                raise
            return math.inf  # a file system that does not tell: the write will

    def found(self) -> None:
        """A commit was written."""
        if self.full:
            self.full = False
            _log.warning("the disk takes writes again")

    def refused(self, error: OSError) -> StorageFull | None:
        """What to answer after `error`; None when it does not pass."""
        if not is_passing(error):
            return None
        if not self.full:
            self.full = True
            reason = error.strerror or os.strerror(error.errno or 0)
            _log.error("the disk takes no more (%s); reads go on, and commits with room", reason)
        return StorageFull("the disk takes no writes at the moment; nothing was written")

    def stall(self, error: OSError) -> None:
        """A flush found no room: nothing is accepted until it has."""
        self._stalled = error

    def flow(self) -> None:
        """The flush found its room."""
        self._stalled = None
