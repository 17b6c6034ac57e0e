"""How a command ends, and what it shows on its way."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from secure_msg.store.verify import Grade, Report

CLEAN, DAMAGED, REFUSED, DISK_FAILED = 0, 1, 2, 3


def explained(error: OSError) -> str:
    """A sentence about a failed call, without a traceback."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


@contextmanager
def progress(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error; None where nobody sees it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show


def show_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))


def show_report(report: Report) -> None:
    """What was examined and found, damage first."""
    counts = report.counts
    click.echo(
        f"{counts.entries} entries in {counts.chains} chains, {counts.blobs} private files, "
        f"{counts.log_leaves} log leaves, {counts.journal_records} journal records; "
        f"{counts.files} files, {counts.bytes} bytes."
    )
    headings = {
        Grade.DAMAGE: "Damaged, the first place first:",
        Grade.EXCESS: "Too much, and harmless:",
        Grade.NOTE: "Not damage, for your information:",
    }
    for grade, heading in headings.items():
        found = report.of(grade)
        if found:
            click.echo(heading)
        for one in found:
            click.echo(f"  {one.sentence()}")
    for path, count in report.unnamed.items():
        click.echo(f"  {path}: {count} more")
    click.echo("Clean." if report.clean else "Damaged.")
