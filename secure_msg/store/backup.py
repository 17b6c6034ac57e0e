"""Copy a storage folder, of a running server too, and put a copy back (docs/spec/storage.md).

A backup is a storage folder as a crash would leave it: it is examined, started and read like one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from secure_msg.ledger.transaction import StoreError
from secure_msg.store import hold
from secure_msg.store.durable import Disk
from secure_msg.store.heads import HeadsCopy, HeadsFile
from secure_msg.store.layout import named_format
from secure_msg.store.records import MarkRecord
from secure_msg.store.restorations import MARKER
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.verify import Grade, Report, verify

INCOMPLETE = "incomplete"
"""This file is in a backup while it is being made, and after one that did not end."""
PASSES = 8
YOUNG_NS = 2_000_000_000
"""A file changed so lately may change again within the same tick of its clock."""
ID_SIZE = 16

_LEFT_OUT = {"lock", hold.NAME, INCOMPLETE}


class BackupRefused(StoreError):
    """A backup or restoration cannot be made here; the text is for the operator."""


@dataclass(slots=True)
class Copied:
    """What a backup did: files copied now, files that were already there, bytes of both.

    `trusted`: a file of the same size and time in the target is the same one.
    """

    trusted: bool
    files: int = 0
    unchanged: int = 0
    copied_bytes: int = 0
    bytes: int = 0
    passes: int = 0
    report: Report = field(default_factory=Report)


def back_up(
    root: Path, target: Path, keys: ServerKeys, disk: Disk, passphrase: str | None = None
) -> Copied:
    """Bring `target` to the state of `root`, whose server may be running, and examine it.

    Raises BackupRefused, WrongFormat, OSError.
    """
    named_format(root / "format")
    _check_target(target, root)
    writes = disk.write_set()
    writes.make_folder(target)
    writes.sync()
    # What a backup that did not end has written may not all have reached the disk.
    copied = Copied(trusted=not (target / INCOMPLETE).exists())
    disk.replace(target / INCOMPLETE, b"")
    with hold.Hold(root).reading() as reading:
        while True:
            copied.passes += 1
            whole = _Pass(root, target, keys, disk, copied).run()
            if whole and not reading.disturbed():
                break
            if copied.passes == PASSES:
                raise BackupRefused("entries are being erased all the time; try again later")
    report = copied.report = verify(target, keys, passphrase=passphrase)
    for finding in report.of(Grade.EXCESS):
        # What a flush had begun: the journal in the backup has it.
        disk.remove(target / finding.path)
    report.findings = [one for one in report.findings if one.grade is not Grade.EXCESS]
    disk.remove(target / INCOMPLETE)
    disk.sync_folder(target)
    return copied


def restore(backup: Path, root: Path, disk: Disk, identifier: bytes) -> None:
    """A new storage folder from a backup, with the marker that announces it to the next start.

    `identifier` is 16 random bytes. Raises BackupRefused, WrongFormat, OSError.
    """
    if (backup / INCOMPLETE).exists():
        raise BackupRefused(f"{backup} is a backup that was not finished")
    named_format(backup / "format")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise BackupRefused(f"{root} is not empty: restore into a new folder, then exchange them")
    made = root.with_name(root.name + ".restoring")
    if made.exists():
        raise BackupRefused(f"{made} is left from a restoration that was broken off; remove it")
    writes = disk.write_set()
    writes.make_folder(made)
    for name in _files(backup):
        writes.make_folder((made / name).parent)
        writes.write(made / name, (backup / name).read_bytes())
    writes.write(made / MARKER, identifier.hex().encode() + b"\n")
    writes.sync()
    disk.rename(made, root)
    disk.sync_folder(root.parent)


class _Pass:
    """One pass over the folder, in the order that makes the copy one of a moment."""

    def __init__(
        self, root: Path, target: Path, keys: ServerKeys, disk: Disk, copied: Copied
    ) -> None:
        self._root = root
        self._target = target
        self._disk = disk
        self._writes = disk.write_set()
        self._copied = copied
        self._heads = HeadsFile(_heads(root), keys.derive("heads"), disk)

    def run(self) -> bool:
        """False when something was erased under way. The target is durable on return.

        Heads first: what they name is in the files, and what they do not name yet is in the
        journal, which comes last and while the hold lasts loses nothing.
        """
        copied = self._copied
        copied.files = copied.unchanged = copied.copied_bytes = copied.bytes = 0
        kept: set[Path] = set()
        try:
            for path, data in zip(_heads(Path()), self._heads_to_mark(), strict=True):
                self._write(path, data)
                kept.add(path)
            for name in self._order():
                self._copy(name)
                kept.add(name)
        except FileNotFoundError:
            return False
        for name in list(_files(self._target)):
            if name not in kept:
                self._writes.remove(self._target / name)
        self._writes.sync()
        return True

    def _order(self) -> Iterator[Path]:
        checkpoint = Path("ledger", "checkpoint")
        if (self._root / checkpoint).exists():
            yield checkpoint
        left_out = {checkpoint, *_heads(Path())}
        yield from (one for one in _files(self._root, "journal") if one not in left_out)
        yield from sorted(_files(self._root / "journal", base=self._root))

    def _heads_to_mark(self) -> tuple[bytes, bytes]:
        """Both copies up to their last marks; of an append that goes on, nothing."""
        first, second = self._heads.copies()
        return _to_mark(first), _to_mark(second)

    def _copy(self, name: Path) -> None:
        source, target = self._root / name, self._target / name
        before = source.stat()
        self._copied.bytes += before.st_size
        if self._copied.trusted and target.exists() and _same(before, target.stat()):
            self._copied.unchanged += 1
            return
        self._write(name, source.read_bytes(), counted=False)
        young = time.time_ns() - before.st_mtime_ns < YOUNG_NS
        stamp = 0 if young else before.st_mtime_ns
        os.utime(target, ns=(stamp, stamp))

    def _write(self, name: Path, data: bytes, *, counted: bool = True) -> None:
        target = self._target / name
        self._writes.make_folder(target.parent)
        self._writes.write(target, data)
        self._copied.files += 1
        self._copied.copied_bytes += len(data)
        self._copied.bytes += len(data) if counted else 0


def _check_target(target: Path, root: Path) -> None:
    if target.resolve().is_relative_to(root.resolve()):
        raise BackupRefused("a backup inside of the storage folder would be part of itself")
    if target.exists() and not target.is_dir():
        raise BackupRefused(f"{target} is not a folder")
    if not target.exists() or not any(target.iterdir()):
        return
    here, mine = target / "server" / "identity", (root / "server" / "identity").read_bytes()
    if any(one.name.startswith(INCOMPLETE) for one in target.iterdir()):
        ours = not here.exists() or mine.startswith(here.read_bytes())
    elif here.exists():
        ours = here.read_bytes() == mine
    else:
        raise BackupRefused(f"{target} is not empty and not a backup")
    if not ours:
        raise BackupRefused(f"{target} holds the backup of another server")


def _same(source: os.stat_result, target: os.stat_result) -> bool:
    return (source.st_size, source.st_mtime_ns) == (target.st_size, target.st_mtime_ns)


def _heads(root: Path) -> tuple[Path, Path]:
    return root / "ledger" / "heads", root / "ledger" / "heads.copy"


def _to_mark(copy: HeadsCopy) -> bytes:
    ends = [end for line, end in copy.lines.values() if isinstance(line, MarkRecord)]
    return copy.data[: max(ends, default=0)]


def _files(root: Path, *left_out: str, base: Path | None = None) -> Iterator[Path]:
    """Every file below `root`, relative to `base`; no temporary ones, and none of the locks."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        if here == root:
            folders[:] = [one for one in folders if one not in left_out]
        for name in names:
            lock = here == (base or root) and name in _LEFT_OUT
            if not lock and not name.endswith(".new"):
                yield (here / name).relative_to(base or root)
