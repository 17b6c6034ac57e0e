"""The storage folder that a command works on: where it is, its keys, its lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from dotenv import dotenv_values

from secure_msg.settings import Settings, read_settings
from secure_msg.store.lock import FolderLock
from secure_msg.store.serverkeys import ServerKeys, open_keys

PROJECT = Path(__file__).resolve().parents[2]

storage_argument = click.argument(
    "storage", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
"""STORAGE, the server's own folder when it is not given."""


def settings() -> Settings:
    """As the server reads them. Raises BadSetting."""
    return read_settings({**dotenv_values(PROJECT / ".env"), **os.environ})


def folder_of(storage: Path | None) -> Path:
    """The folder that was named, or the server's. Raises BadSetting, click.UsageError."""
    folder = storage or PROJECT / settings().storage
    if not (folder / "format").exists() and not (folder / "server").is_dir():
        raise click.UsageError(f"{folder} is not a storage folder")
    return folder


def passphrase() -> str | None:
    return settings().passphrase or None


def keys_of(folder: Path) -> ServerKeys:
    """Raises KeysRefused."""
    return open_keys(folder, passphrase())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder is ours, or a copy that was never anybody's. Raises InUse."""
    if not (folder / "lock").exists():
        yield
        return
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()
