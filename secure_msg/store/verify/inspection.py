"""One examination of a folder: what its steps share. Nothing in the folder is changed by it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.layout import Layout
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.verify.mend import Mend
from secure_msg.store.verify.report import Finding, Grade, Remedy, Report

Progress = Callable[[int, int], None]
"""(entries done, entries in all)"""


class Inspection:
    """The folder, its keys, the report.

    `known` are the files that something names; `mends` what would put damaged ones right.
    `unflushed` are the chains with which the journal goes on beyond the files, so that a flush may
    have left the beginnings of what it was to write.
    """

    def __init__(self, root: Path, keys: ServerKeys, progress: Progress | None) -> None:
        self.root = root
        self.keys = keys
        self.layout = Layout(root, ChainKeys(keys.derive("rows"), keys.derive("salt")))
        self.report = Report()
        self.known: set[Path] = set()
        self.mends: dict[Path, list[Mend]] = {}
        self.unflushed: frozenset[bytes] = frozenset()
        self.total = 0
        self._progress = progress

    def read(self, path: Path) -> bytes | None:
        """The file's bytes; None when it is not there. Raises OSError for a disk that fails."""
        self.known.add(path)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        self.report.counts.files += 1
        self.report.counts.bytes += len(data)
        return data

    def damage(
        self,
        path: Path,
        what: str,
        remedy: Remedy,
        span: tuple[int, int] | None = None,
        *,
        chain: bytes | None = None,
        entry: int | None = None,
        mend: Mend | None = None,
    ) -> None:
        start, end = span or (None, None)
        name = self.name(path)
        if mend is not None:
            self.mends.setdefault(path, []).append(mend)
        self.report.add(Finding(Grade.DAMAGE, name, what, start, end, chain, entry, remedy))

    def excess(self, path: Path, what: str) -> None:
        self.report.add(Finding(Grade.EXCESS, self.name(path), what))

    def note(self, path: Path, what: str, span: tuple[int, int] | None = None) -> None:
        start, end = span or (None, None)
        self.report.add(Finding(Grade.NOTE, self.name(path), what, start, end))

    def unmarked(
        self, path: Path, what: str, span: tuple[int, int], *, chain: bytes, mend: Mend
    ) -> None:
        """What only a flush that did not end leaves there; else somebody wrote it."""
        if chain in self.unflushed:
            self.note(path, what, span)
        else:
            self.damage(path, what, Remedy.DERIVED, span, chain=chain, mend=mend)

    def name(self, path: Path) -> str:
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def advance(self, entries: int) -> None:
        self.report.counts.entries += entries
        if self._progress is not None:
            self._progress(self.report.counts.entries, self.total)
