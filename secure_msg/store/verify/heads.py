"""The two copies of the heads: what of one is lost, and whether the other has it."""

from __future__ import annotations

from secure_msg.ledger.transaction import Damaged
from secure_msg.store.durable import Disk
from secure_msg.store.heads import MAGIC, FoundHeads, HeadsCopy, HeadsFile
from secure_msg.store.records import MarkRecord
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.mend import Whole
from secure_msg.store.verify.report import Remedy


def check_heads(inspection: Inspection, journal_from: int | None) -> FoundHeads | None:
    """The state at the last mark, None when it is lost.

    `journal_from` is the first index in the journal: while a flush is not over, the journal still
    has what a copy may lack.
    """
    paths = inspection.layout.heads
    for path in paths:
        inspection.read(path)
    file = HeadsFile(paths, inspection.keys.derive("heads"), Disk())
    copies = file.copies()
    if not any(one.data for one in copies) and journal_from is None:
        return FoundHeads()
    before = len(inspection.report.damage)
    lost = ""
    try:
        found = file.join(copies)
    except Damaged as damaged:
        found, lost = FoundHeads(), str(damaged)
    for number in (0, 1):
        _Copy(inspection, copies, number, journal_from, found.last).check()
    if lost:
        inspection.damage(paths[0], lost, Remedy.NONE)
        return None
    if len(inspection.report.damage) > before:
        image = file.image(found.live(), found.mark)
        inspection.mends.update((path, [Whole(image)]) for path in paths)
    return found


class _Copy:
    """One of the copies beside the other."""

    def __init__(
        self,
        inspection: Inspection,
        copies: tuple[HeadsCopy, HeadsCopy],
        number: int,
        journal_from: int | None,
        counting: int,
    ) -> None:
        self._inspection = inspection
        self._path = inspection.layout.heads[number]
        self._copy, self._other = copies[number], copies[1 - number]
        self._journal_from = journal_from
        self._counting = counting

    def check(self) -> None:
        data = self._copy.data
        if not data and self._other.data and _last_mark(self._other)[1] == 0:
            self._inspection.note(self._path, "the first start ended before it; the next writes it")
            return
        if not data.startswith(MAGIC):
            self._damage("it does not begin as it should", Remedy.COPY, (0, min(len(data), 8)))
        for span in self._copy.gaps:
            self._check_gap(span)
        mine, others = _last_mark(self._copy), _last_mark(self._other)
        if not self._copy.gaps and mine[0] < others[0]:
            self._behind(mine[1], (len(data), len(data)))

    def _check_gap(self, span: tuple[int, int]) -> None:
        """A range without a record that checks, before or after the last mark."""
        ends = span[1] == len(self._copy.data)
        mark, size = _last_mark(self._copy)
        if self._after_counting(span) or (ends and mark >= _last_mark(self._other)[0]):
            self._inspection.note(self._path, "a flush did not end here; it counts for none", span)
        elif ends and self._torn(span):
            self._behind(size, span)
        else:
            remedy = Remedy.COPY if self._other_has(span) else Remedy.NONE
            self._damage("a record does not check", remedy, span)

    def _after_counting(self, span: tuple[int, int]) -> bool:
        """Whether it follows on the last mark that counts, in the order of this copy."""
        lines = self._copy.lines
        if self._counting not in lines:
            return False
        return span[0] >= lines[self._counting][1]

    def _behind(self, size: int, span: tuple[int, int]) -> None:
        """The copy ends before the other: between the writing of both, or later by another hand."""
        if self._journal_from is not None and self._journal_from <= size:
            self._inspection.note(self._path, "it ends before the other copy; a start mends it")
        else:
            self._damage("it ends before the other copy", Remedy.COPY, span)

    def _torn(self, span: tuple[int, int]) -> bool:
        """Whether the range holds the beginning of what the other copy goes on with."""
        start = max((end for _, end in self._copy.lines.values()), default=len(MAGIC))
        found = self._copy.data[start : span[1]]
        return start == span[0] and self._other.data.startswith(self._copy.data[:start] + found)

    def _other_has(self, span: tuple[int, int]) -> bool:
        """Whether the other copy has every ordinal that is missing here."""
        mine, others = self._copy.lines, self._other.lines
        if not mine or not others:
            return bool(others) and not self._other.gaps
        before = [one for one, (_, end) in mine.items() if end <= span[0]]
        after = [one for one, (_, end) in mine.items() if end > span[1]]
        first = max(before) + 1 if before else min(others)
        last = min(after) if after else max(others) + 1
        return all(one in others for one in range(first, last))

    def _damage(self, what: str, remedy: Remedy, span: tuple[int, int]) -> None:
        self._inspection.damage(self._path, what, remedy, span)


def _last_mark(copy: HeadsCopy) -> tuple[int, int]:
    """(ordinal, log size) of the newest mark; (-1, 0) without one."""
    marks = {
        one: line.log_size for one, (line, _) in copy.lines.items() if isinstance(line, MarkRecord)
    }
    return max(marks.items(), default=(-1, 0))
