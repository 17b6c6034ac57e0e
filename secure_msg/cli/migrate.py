"""`secure-msg migrate`"""

from __future__ import annotations

from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, locked, storage_argument
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
