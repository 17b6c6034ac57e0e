"""Bring a folder of an older format to this program's (docs/spec/storage.md, "Formats").

One module a step; a step is done again from its beginning after a crash, and names the new format
last, durably.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from secure_msg.store.durable import Disk
from secure_msg.store.layout import CURRENT, format_bytes, named_format
from secure_msg.store.migrations import journal_with_restored
from secure_msg.store.serverkeys import ServerKeys

__all__ = ["STEPS", "migrate"]

Step = Callable[[Path, ServerKeys, Disk], None]

STEPS: Mapping[int, Step] = {1: journal_with_restored.migrate}
"""From each older format to the next one."""

_log = logging.getLogger(__name__)


def migrate(root: Path, keys: ServerKeys, disk: Disk) -> tuple[int, ...]:
    """The formats left behind, none for a folder that is new or up to date.

    The caller holds the folder's lock. Raises WrongFormat, Damaged, OSError.
    """
    path = root / "format"
    done: list[int] = []
    while path.exists() and (found := named_format(path)) < CURRENT:
        STEPS[found](root, keys, disk)
        disk.replace(path, format_bytes(found + 1))
        _log.warning("%s was brought from storage format %d to %d", root, found, found + 1)
        done.append(found)
    return tuple(done)
