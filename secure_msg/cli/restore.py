"""`secure-msg restore`"""

from __future__ import annotations

from pathlib import Path

import click

from secure_msg.cli.folder import keys_of, locked, passphrase
from secure_msg.cli.outcome import CLEAN, DAMAGED, progress, show_report
from secure_msg.crypto.random import system_random
from secure_msg.store import verify as examination
from secure_msg.store.backup import ID_SIZE
from secure_msg.store.backup import restore as restore_copy
from secure_msg.store.durable import Disk


@click.command()
@click.argument("backup", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("storage", type=click.Path(path_type=Path))
@click.option("--damaged", is_flag=True, help="Restore a backup that is damaged, too.")
@click.pass_context
def restore(ctx: click.Context, backup: Path, storage: Path, damaged: bool) -> None:
    """Make the new folder STORAGE from the backup in the folder BACKUP.

    At its next start the server tells everybody, signed and in its log, that it was set back to a
    copy: browsers that saw more show it and ask before they go on. STORAGE must be new or empty.
    """
    with locked(backup), progress("Examining") as show:
        report = examination.verify(backup, keys_of(backup), passphrase=passphrase(), progress=show)
        if not report.clean and not damaged:
            show_report(report)
            click.echo("Nothing was restored; repair the backup first, or use --damaged.")
            ctx.exit(DAMAGED)
        restore_copy(backup, storage, Disk(), system_random(ID_SIZE))
    click.echo(
        f"{storage} holds {report.counts.entries} entries, up to log size {report.log_size}. "
        "The server's next start on it says in the log that it was set back to this copy."
    )
    ctx.exit(CLEAN)
