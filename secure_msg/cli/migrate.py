"""`secure-msg migrate`"""

from __future__ import annotations

import time
from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, locked, settings, storage_argument
from secure_msg.crypto.random import system_random
from secure_msg.store.durable import Disk
from secure_msg.store.layout import CURRENT
from secure_msg.store.migrations import migrate as migrate_folder


@click.group()
def migrate() -> None:
    """Bring what is stored into another form."""


@migrate.command("format")
@storage_argument
def to_current_format(storage: Path | None) -> None:
    """Bring a folder of an older format to this program's, as a start of the server does."""
    folder = folder_of(storage)
    keys = keys_of(folder)
    with locked(folder):
        done = migrate_folder(folder, keys, Disk())
    steps = ", ".join(f"{one} to {one + 1}" for one in done)
    click.echo(f"{folder}: {steps}." if done else f"{folder} is of format {CURRENT} already.")


@migrate.command("files-to-postgres")
@storage_argument
def files_to_postgres(storage: Path | None) -> None:
    """Move a folder's store into the empty database of SECURE_MSG_DATABASE_URL.

    The server must not run. The folder keeps the keys, and files that no server starts on any more.
    """
    folder, url = folder_of(storage), _database_url()
    from secure_msg.store.postgres.movein import files_to_postgres as move  # noqa: PLC0415

    size = move(folder, url, keys_of(folder), _now, system_random)
    click.echo(f"{folder}: all of it is in the database, {size} log leaves. The keys stay here.")


@migrate.command("postgres-to-files")
@click.argument("target", type=click.Path(path_type=Path, exists=False))
@storage_argument
def postgres_to_files(target: Path, storage: Path | None) -> None:
    """Move the store of SECURE_MSG_DATABASE_URL into a new folder TARGET.

    No server may run on the database, and none starts on it afterwards. The keys are copied from
    STORAGE.
    """
    folder, url = folder_of(storage), _database_url()
    from secure_msg.store.postgres.moveout import postgres_to_files as move  # noqa: PLC0415

    size = move(url, keys_of(folder), folder / "server", target)
    click.echo(f"{target}: all of it is here, {size} log leaves.")


def _now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _database_url() -> str:
    url = settings().database_url
    if not url:
        raise click.UsageError("SECURE_MSG_DATABASE_URL names no database")
    return url
