"""Who is told what the store did, for figures of operation: batches and flushes.

Called after the work, in the store's own threads: an observer only counts, and never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One commit. `fdatasync`: seconds of the journal's write and fdatasync."""

    transactions: int
    entries: int
    fdatasync: float
    signature: float


@dataclass(frozen=True, slots=True)
class FlushReport:
    """One flush: seconds from its snapshot to the last unlinked file, bytes written."""

    seconds: float
    bytes: int


class Observer(Protocol):
    def committed(self, report: BatchReport) -> None:
        """A batch is durable, signed and visible; its requests are answered next."""

    def flushed(self, report: FlushReport) -> None:
        """All of one snapshot is in the files."""


class Unobserved:
    """The default."""

    def committed(self, report: BatchReport) -> None:
        del report

    def flushed(self, report: FlushReport) -> None:
        del report
