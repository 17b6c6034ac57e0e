"""`secure-msg verify`"""

from __future__ import annotations

from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, locked, passphrase, storage_argument
from secure_msg.cli.outcome import CLEAN, DAMAGED, progress, show_json, show_report
from secure_msg.store import verify as examination


@click.command()
@storage_argument
@click.option("--deep", is_flag=True, help="Also make the map root of every log leaf again.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.pass_context
def verify(ctx: click.Context, storage: Path | None, deep: bool, as_json: bool) -> None:
    """Examine a storage folder, or a backup of one; nothing is changed.

    Makes every hash, chain head, log leaf and signature again and names each place that is not
    what was stored, and what could put it right. The server must not be running on the folder.
    """
    folder = folder_of(storage)
    keys = keys_of(folder)
    with locked(folder), progress("Examining", quiet=as_json) as show:
        report = examination.verify(folder, keys, passphrase=passphrase(), deep=deep, progress=show)
    if as_json:
        show_json(report.to_json())
    else:
        show_report(report)
    ctx.exit(CLEAN if report.clean else DAMAGED)
