"""`secure-msg restored`"""

from __future__ import annotations

from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, settings, storage_argument
from secure_msg.crypto.random import system_random


@click.command()
@storage_argument
def restored(storage: Path | None) -> None:
    """Say that the database of SECURE_MSG_DATABASE_URL was set back to a backup.

    The next server to start on it says so, signed and in its log: browsers that saw more show it
    and ask before they go on. No server may run on the database. The keys are those of STORAGE.
    """
    url = settings().database_url
    if not url:
        raise click.UsageError("SECURE_MSG_DATABASE_URL names no database")
    from secure_msg.store.postgres.setback import announce  # noqa: PLC0415

    announce(url, keys_of(folder_of(storage)), system_random)
    click.echo("The next server to start on the database says that it was set back.")
