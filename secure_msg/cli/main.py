"""The command line: `secure-msg`, or `python -m secure_msg` (docs/operations.md)."""

from __future__ import annotations

from typing import Any

import click

from secure_msg.cli import backup, ls, migrate, repair, restore, restored, verify
from secure_msg.cli.outcome import DISK_FAILED, REFUSED, explained
from secure_msg.ledger.transaction import StoreError
from secure_msg.settings import BadSetting


class Commands(click.Group):
    """Ends a command that is refused with a sentence and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (StoreError, BadSetting) as refused:
            click.echo(f"secure-msg: {refused}", err=True)
            ctx.exit(REFUSED)
        except OSError as failed:
            click.echo(f"secure-msg: {explained(failed)}", err=True)
            ctx.exit(DISK_FAILED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look after a SECURE-MSG server's storage folder.

    Settings (where the folder is, the passphrase of its keys) are read as the server reads them:
    from the environment and from .env.

    \b
    Exit codes:
      0  done, and nothing is damaged
      1  damage was found, or is left
      2  refused: wrong use, wrong settings, a folder in use, of another format or with closed keys
      3  the disk failed
    """


COMMANDS = (
    verify.verify,
    repair.repair,
    backup.backup,
    restore.restore,
    restored.restored,
    ls.ls,
    migrate.migrate,
)
for command in COMMANDS:
    main.add_command(command)
