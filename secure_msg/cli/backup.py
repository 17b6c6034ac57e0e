"""`secure-msg backup`"""

from __future__ import annotations

from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, passphrase
from secure_msg.cli.outcome import CLEAN, DAMAGED, show_json, show_report
from secure_msg.store.backup import Copied, back_up
from secure_msg.store.durable import Disk


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
@click.pass_context
def backup(ctx: click.Context, folders: tuple[Path, ...], as_json: bool) -> None:
    """Copy STORAGE (the server's own when not given) to DIR, while the server runs.

    \b
    Use: secure-msg backup [STORAGE] DIR

    What is unchanged since the last backup in DIR is not copied again; what is no longer in STORAGE
    goes. The copy is one of a moment, and is examined at the end like by `verify`.
    """
    if len(folders) > 2:
        raise click.UsageError("give [STORAGE] and DIR")
    folder = folder_of(folders[0] if len(folders) == 2 else None)
    copied = back_up(folder, folders[-1], keys_of(folder), Disk(), passphrase())
    if as_json:
        show_json(_as_json(copied))
    else:
        _show(copied, folders[-1])
    ctx.exit(CLEAN if copied.report.clean else DAMAGED)


def _show(copied: Copied, target: Path) -> None:
    show_report(copied.report)
    click.echo(
        f"{copied.files} files copied ({copied.copied_bytes} bytes), {copied.unchanged} unchanged; "
        f"the backup has {copied.bytes} bytes and reaches log size {copied.report.log_size}."
    )
    if (target / "server" / "seal.key").exists():
        click.echo(
            "It holds the server's private keys and the file that opens them: guard it like the "
            "server itself, or set SECURE_MSG_PASSPHRASE before the server's first start."
        )
    else:
        click.echo(
            "It holds the server's private keys, sealed by your passphrase, which is not in it: "
            "keep that elsewhere; without it the backup is of no use."
        )


def _as_json(copied: Copied) -> dict[str, object]:
    return {
        "files": copied.files,
        "unchanged": copied.unchanged,
        "copied_bytes": copied.copied_bytes,
        "bytes": copied.bytes,
        "report": copied.report.to_json(),
    }
