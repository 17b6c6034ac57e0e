"""One process owns a storage folder (docs/spec/storage.md, "Lock")."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from secure_msg.ledger.transaction import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class InUse(StoreError):
    """Another process has the storage folder."""


class FolderLock:
    """Held from construction to `release`; the system lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Raises InUse when somebody else holds it."""
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise InUse(
                f"the storage folder {folder} is in use by another process; "
                "stop that one first, or give this one a folder of its own"
            ) from None

    def release(self) -> None:
        os.close(self._descriptor)


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
