"""One chain: rows, frames, levels, and the roots that each commit left it with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from secure_msg.codec.errors import CodecError
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chainfiles import GROUP, ROW_SIZE, ChainFiles, Row
from secure_msg.store.entry import HASH_SIZE, Entry, frame_bytes
from secure_msg.store.records import HeadRecord
from secure_msg.store.state import PUT, chain_of
from secure_msg.store.verify.commits import Commits
from secure_msg.store.verify.frames import EntriesFile, Span
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.journal import Kept
from secure_msg.store.verify.mend import Cut, Mend, Patch, Whole
from secure_msg.store.verify.report import Remedy
from secure_msg.store.verify.tree import LEVEL_BITS, RunningTree


class ChainCheck:
    """Reads a chain group by group; `broken` once anything of its rows or frames is damaged."""

    def __init__(
        self, inspection: Inspection, commits: Commits, kept: Kept, head: HeadRecord
    ) -> None:
        chain = chain_of(head)
        self._inspection = inspection
        self._commits = commits
        self._kept = kept
        self._head = head
        self._files = inspection.layout.chain_files(chain)
        self._folder = inspection.layout.chain(chain)
        self._time = 0
        self._commit = -1
        self.tree = RunningTree()
        self.broken = False

    def run(self) -> Iterator[Entry]:
        """Each entry that checks, in order; `tree` has then grown by it."""
        path, size = self._folder / "leaves", self._head.size
        rows = self._inspection.read(path) or b""
        for group in range(-(-size // GROUP)):
            yield from self._check_group(group, rows)
        if size * ROW_SIZE < len(rows):
            span = (size * ROW_SIZE, len(rows))
            what = "rows of entries that no mark names"
            self._unmarked(path, what, span, Cut(size * ROW_SIZE))
        if not self.broken:
            self._touch()
            self._check_head(path)
        self._check_levels()
        self._inspection.report.counts.chains += 1

    @property
    def identifier(self) -> bytes:
        return self._head.chain

    def fault(self, entry: Entry, what: str) -> None:
        """An entry is what was stored, and yet should not have been."""
        self.broken = True
        self._damage_row(entry.sequence, what, Remedy.NONE)

    def _check_group(self, group: int, rows: bytes) -> Iterator[Entry]:
        start, path = group * GROUP, self._folder / f"entries-{group:06d}"
        count = min(self._head.size - start, GROUP)
        file = EntriesFile(path, self._inspection.read(path))
        for sequence in range(start, start + count):
            data = rows[sequence * ROW_SIZE : (sequence + 1) * ROW_SIZE]
            entry = self._check_entry(sequence, data, file)
            if entry is not None:
                yield entry
        if (unmarked := file.unmarked(count)) is not None:
            what = "slots of entries that no mark names"
            self._unmarked(path, what, unmarked, Whole(file.rebuilt(count)))
        for span in file.unnamed(count):
            self._inspection.note(path, "bytes that no slot names", span)
        if file.mended:
            self._inspection.mends[path] = [Whole(file.rebuilt(count))]
        self._inspection.advance(count)

    def _check_entry(self, sequence: int, data: bytes, file: EntriesFile) -> Entry | None:
        """The entry, when row and frame check and are of one leaf; else what is wrong is said."""
        try:
            entry = self._files.entry(sequence, file.frame(sequence % GROUP))
            row = self._files.row(sequence, data)
        except (Damaged, CodecError):
            self._diagnose(sequence, data, file)
            return None
        if entry.leaf != row.leaf:
            self._diagnose(sequence, data, file)
            return None
        self._take(entry, row)
        return entry

    def _diagnose(self, sequence: int, data: bytes, file: EntriesFile) -> None:
        self.broken = True
        entry, fault = self._read_frame(sequence, file)
        row = self._read_row(sequence, data)
        if row is None:
            self._diagnose_row(sequence, data, entry)
        if row is not None or entry is None:
            self._diagnose_frame(sequence, row, fault, file)
        known = row or entry
        self.tree.append(known.leaf if known else bytes(HASH_SIZE))

    def _read_frame(self, sequence: int, file: EntriesFile) -> tuple[Entry | None, str]:
        """The entry of a frame, or what is wrong with it."""
        try:
            return self._files.entry(sequence, file.frame(sequence % GROUP)), ""
        except Damaged as damaged:
            return None, str(damaged)
        except CodecError:
            return None, "an entry's frame is malformed"

    def _read_row(self, sequence: int, data: bytes) -> Row | None:
        try:
            return self._files.row(sequence, data) if len(data) == ROW_SIZE else None
        except Damaged:
            return None

    def _take(self, entry: Entry, row: Row) -> None:
        if row.log_index != self._commit:
            self._touch()
        fault = self._fault_of_order(entry, row)
        if fault is not None:
            self.fault(entry, fault)
        self._time, self._commit = entry.time, row.log_index
        self.tree.append(row.leaf)

    def _touch(self) -> None:
        """Tell the commit that took up the newest entries what it left."""
        if self._commit >= 0 and not self.broken:
            chain, tree = self._head.chain, self.tree
            self._commits.touch(self._commit, chain, tree.size, tree.root())

    def _fault_of_order(self, entry: Entry, row: Row) -> str | None:
        begun = self._head.begun
        if entry.time < self._time or row.log_index < self._commit:
            return "the entry is older than the one before it"
        if (begun == PUT or entry.sequence == 0) and entry.kind != begun:
            return "the entry is of a kind that does not stand there"
        if not self._commits.time_agrees(row.log_index, entry.time):
            return "the entry names a commit that is not its own"
        return None

    def _diagnose_row(self, sequence: int, data: bytes, entry: Entry | None) -> None:
        """A row that does not check: its leaf hash alone, or what only the journal has."""
        kept = None if entry is None else self._kept.entry(self._head.chain, sequence, entry.leaf)
        mend = b"" if kept is None else self._files.row_bytes(kept)
        what = "the row does not check" if len(data) == ROW_SIZE else "the row is missing"
        remedy = Remedy.NONE if kept is None else Remedy.JOURNAL
        if entry is not None and self._read_row(sequence, entry.leaf + data[HASH_SIZE:]):
            what, remedy = "the row's leaf hash is damaged", Remedy.DERIVED
            mend = entry.leaf + data[HASH_SIZE:]
        self._damage_row(sequence, what, remedy, mend)

    def _diagnose_frame(
        self, sequence: int, row: Row | None, fault: str, file: EntriesFile
    ) -> None:
        """A frame that is malformed, or not the one of the row's leaf hash."""
        slot = sequence % GROUP
        what, remedy = fault or "the entry does not match its leaf hash", Remedy.NONE
        if row is not None:
            kept = self._kept.entry(self._head.chain, sequence, row.leaf)
            moved = moved_frame(self._files, sequence, row.leaf, file)
            if moved is not None:
                what, remedy = "the table's slot is damaged", Remedy.DERIVED
                file.mended[slot] = moved
            elif kept is not None:
                remedy, file.mended[slot] = Remedy.JOURNAL, frame_bytes(kept)
        self._damage(file.path, what, remedy, file.span(slot), sequence)

    def _check_head(self, path: Path) -> None:
        if self.tree.hashes != self._head.frontier:
            self.broken = True
            what = "rows and entries agree with each other, but do not lead to the chain's head"
            self._damage(path, what, Remedy.NONE, (0, self._head.size * ROW_SIZE))

    def _check_levels(self) -> None:
        """Of a broken chain the levels are not judged: they are made again from its rows."""
        level = 1
        while self._head.size >> (LEVEL_BITS * level):
            path = self._folder / f"level-{level}"
            data = self._inspection.read(path) or b""
            for number, root in enumerate([] if self.broken else self.tree.levels[level]):
                start = number * HASH_SIZE
                if data[start : start + HASH_SIZE] != root:
                    what = f"the root over {256**level} entries is not what they give"
                    span = (start, start + HASH_SIZE)
                    self._damage(path, what, Remedy.DERIVED, span, mend=Patch(start, root))
            level += 1

    def _unmarked(self, path: Path, what: str, span: Span, mend: Mend) -> None:
        if self.broken:  # perhaps another chain's file: nothing is cut off
            self._damage(path, what, Remedy.NONE, span)
        else:
            self._inspection.unmarked(path, what, span, chain=self._head.chain, mend=mend)

    def _damage_row(self, sequence: int, what: str, remedy: Remedy, mend: bytes = b"") -> None:
        path, start = self._folder / "leaves", sequence * ROW_SIZE
        span, patch = (start, start + ROW_SIZE), Patch(start, mend) if mend else None
        self._damage(path, what, remedy, span, sequence, mend=patch)

    def _damage(
        self,
        path: Path,
        what: str,
        remedy: Remedy,
        span: Span,
        entry: int | None = None,
        *,
        mend: Mend | None = None,
    ) -> None:
        chain = self._head.chain
        self._inspection.damage(path, what, remedy, span, chain=chain, entry=entry, mend=mend)


def moved_frame(files: ChainFiles, sequence: int, leaf: bytes, file: EntriesFile) -> bytes | None:
    """The frame of this leaf hash, if it is there and only its slot is damaged."""
    for data in file.candidates(sequence % GROUP):
        try:
            entry = files.entry(sequence, data)
        except (Damaged, CodecError):
            continue
        if entry.leaf == leaf:
            return data
    return None
