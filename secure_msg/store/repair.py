"""Put right what can be made again: `secure-msg repair` (docs/spec/storage.md, "Repair").

What a mend replaces is first copied into a folder beside the storage folder, durably.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from secure_msg.store.durable import Disk
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.verify.examine import examine
from secure_msg.store.verify.inspection import Progress
from secure_msg.store.verify.mend import Mend, mended
from secure_msg.store.verify.report import Report

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One file to write again. `path` is relative to the folder."""

    path: Path
    mends: tuple[Mend, ...]

    def sentence(self, root: Path) -> str:
        before = _read(root / self.path)
        after = mended(before or b"", self.mends)
        name = self.path.as_posix()
        if after is None:
            return f"{name}: set aside; it is not needed"
        if before is None:
            return f"{name}: made again, {len(after)} bytes"
        changed = sum(a != b for a, b in zip(before, after, strict=False))
        changed += abs(len(after) - len(before))
        return f"{name}: {changed} of {len(before)} bytes changed, {len(after)} bytes then"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was found, and what can be done about it."""

    report: Report
    steps: tuple[Step, ...]


def plan_repair(
    root: Path,
    keys: ServerKeys,
    *,
    passphrase: str | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Examine the folder; nothing is changed. Raises WrongFormat, OSError."""
    inspection = examine(root, keys, passphrase=passphrase, progress=progress)
    steps = [Step(path.relative_to(root), tuple(mends)) for path, mends in inspection.mends.items()]
    return Plan(inspection.report, tuple(sorted(steps, key=lambda step: step.path)))


def repair_whole(
    root: Path,
    keys: ServerKeys,
    plan: Plan,
    aside: Path,
    disk: Disk,
    *,
    passphrase: str | None = None,
) -> Plan:
    """Carry out the plan, and what it makes possible (levels follow from mended rows).

    What is left afterwards is given back. Raises OSError.
    """
    for _ in range(ROUNDS):
        if not plan.steps:
            break
        carry_out(root, plan.steps, aside, disk)
        plan = plan_repair(root, keys, passphrase=passphrase)
    return plan


def carry_out(root: Path, steps: Iterable[Step], aside: Path, disk: Disk) -> None:
    """Copy each file to `aside` unless it is there, then mend it. Raises OSError."""
    steps = tuple(steps)
    writes = disk.write_set()
    writes.make_folder(aside)
    for step in steps:
        before = _read(root / step.path)
        if before is not None and not (aside / step.path).exists():
            writes.make_folder((aside / step.path).parent)
            writes.write(aside / step.path, before)
    writes.sync()
    for step in steps:
        _mend(root / step.path, step.mends, disk)


def _mend(path: Path, mends: Iterable[Mend], disk: Disk) -> None:
    after = mended(_read(path) or b"", mends)
    if after is None:
        disk.remove(path)
        disk.sync_folder(path.parent)
        return
    writes = disk.write_set()
    writes.make_folder(path.parent)
    writes.sync()
    disk.replace(path, after)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
