"""Bring a folder of an older format to this program's (docs/spec/storage.md, "Formats").

One module a step; a step is done again from its beginning after a crash, and names the new format
last, durably.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from secure_msg.store.durable import Disk
from secure_msg.store.layout import FORMAT, WrongFormat
from secure_msg.store.migrations import journal_with_restored
from secure_msg.store.serverkeys import ServerKeys

__all__ = ["STEPS", "format_of", "migrate"]

Step = Callable[[Path, ServerKeys, Disk], None]

STEPS: Mapping[int, Step] = {1: journal_with_restored.migrate}
"""From each older format to the next one."""

_NAMED = re.compile(rb"secure-msg storage ([1-9][0-9]{0,5})\n")

_log = logging.getLogger(__name__)


def format_of(data: bytes) -> int | None:
    """The number that a `format` file names; None when it names none."""
    found = _NAMED.fullmatch(data)
    return None if found is None else int(found[1])


def migrate(root: Path, keys: ServerKeys, disk: Disk) -> tuple[int, ...]:
    """The formats left behind, none for a folder that is new or up to date.

    The caller holds the folder's lock. Raises WrongFormat, Damaged, OSError.
    """
    path = root / "format"
    current = format_of(FORMAT) or 0
    done: list[int] = []
    while path.exists() and (found := _checked(path, current)) < current:
        STEPS[found](root, keys, disk)
        disk.replace(path, b"secure-msg storage %d\n" % (found + 1))
        _log.warning("%s was brought from storage format %d to %d", root, found, found + 1)
        done.append(found)
    return tuple(done)


def _checked(path: Path, current: int) -> int:
    found = format_of(path.read_bytes())
    if found is None:
        raise WrongFormat(f"{path} names no format of a storage folder")
    if found > current:
        raise WrongFormat(
            f"{path} names format {found}, which a newer program made; "
            f"this one knows formats up to {current}"
        )
    return found
