"""`secure-msg ls`"""

from __future__ import annotations

from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, storage_argument
from secure_msg.cli.outcome import CLEAN, show_json
from secure_msg.store.listing import Listed, list_folder


@click.command()
@storage_argument
@click.option("--json", "as_json", is_flag=True, help="Print the list as one JSON object.")
@click.pass_context
def ls(ctx: click.Context, storage: Path | None, as_json: bool) -> None:
    """Say which folder is whose: names, members, entries and bytes.

    The server may be running; what it has not yet put into the files is not listed.
    """
    folder = folder_of(storage)
    listed = list_folder(folder, keys_of(folder))
    if as_json:
        show_json([one.to_json() for one in listed])
    else:
        for one in listed:
            click.echo(_line(one))
    ctx.exit(CLEAN)


def _line(one: Listed) -> str:
    return f"{one.folder:58} {one.entries:8} entries {one.bytes:12} bytes  {', '.join(one.people)}"
