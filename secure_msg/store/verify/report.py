"""What an examination of a storage folder found (docs/spec/storage.md, "Verify")."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

NAMED_EACH = 16
"""So many findings are named one by one of each file; a replaced file has thousands."""


class Grade(StrEnum):
    """`damage`: what was stored is not what is there. The others are no damage:

    `excess`: a file that nothing names; `note`: what a crash leaves behind and a start puts right.
    """

    DAMAGE = "damage"
    EXCESS = "excess"
    NOTE = "note"


class Remedy(StrEnum):
    """What can put a damaged place right."""

    JOURNAL = "the journal has it"
    COPY = "the other copy has it"
    DERIVED = "it can be made again from what is undamaged"
    NONE = "nothing here has it"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place. `path` is relative to the folder; bytes `start` to `end` (not included) of it.

    `chain` and `entry` name the chain's id and the sequence where the place belongs to one.
    """

    grade: Grade
    path: str
    what: str
    start: int | None = None
    end: int | None = None
    chain: bytes | None = None
    entry: int | None = None
    remedy: Remedy | None = None

    def sentence(self) -> str:
        place = self.path
        if self.start is not None:
            place += f", bytes {self.start} to {self.end}"
        if self.chain is not None:
            place += f", chain {self.chain.hex()}"
        if self.entry is not None:
            place += f", entry {self.entry}"
        remedy = f" ({self.remedy.value})" if self.remedy else ""
        return f"{place}: {self.what}{remedy}"

    def to_json(self) -> dict[str, object]:
        return {
            "grade": self.grade.value,
            "path": self.path,
            "what": self.what,
            "bytes": None if self.start is None else [self.start, self.end],
            "chain": None if self.chain is None else self.chain.hex(),
            "entry": self.entry,
            "remedy": None if self.remedy is None else self.remedy.name.lower(),
        }


@dataclass(slots=True)
class Counts:
    """What was examined; `bytes` of all files read."""

    chains: int = 0
    entries: int = 0
    blobs: int = 0
    log_leaves: int = 0
    journal_records: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Report:
    """All findings, in the order in which they were met; `unnamed` counts those beyond the limit.

    `log_size` is what the folder reaches, the journal's tail included.
    """

    findings: list[Finding] = field(default_factory=list)
    unnamed: Counter[str] = field(default_factory=Counter)
    counts: Counts = field(default_factory=Counts)
    log_size: int = 0
    _named: Counter[tuple[str, Grade]] = field(default_factory=Counter)

    @property
    def damage(self) -> list[Finding]:
        return self.of(Grade.DAMAGE)

    @property
    def clean(self) -> bool:
        return not self.damage

    def of(self, grade: Grade) -> list[Finding]:
        return [one for one in self.findings if one.grade is grade]

    def add(self, finding: Finding) -> None:
        key = (finding.path, finding.grade)
        self._named[key] += 1
        if self._named[key] <= NAMED_EACH:
            self.findings.append(finding)
        else:
            self.unnamed[finding.path] += 1

    def to_json(self) -> dict[str, object]:
        counts = self.counts
        return {
            "clean": self.clean,
            "log_size": self.log_size,
            "examined": {name: getattr(counts, name) for name in Counts.__slots__},
            "findings": [one.to_json() for one in self.findings],
            "unnamed": dict(self.unnamed),
        }
