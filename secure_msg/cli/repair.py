"""`secure-msg repair`"""

from __future__ import annotations

import time
from pathlib import Path

import click

from secure_msg.cli.folder import folder_of, keys_of, locked, passphrase, storage_argument
from secure_msg.cli.outcome import CLEAN, DAMAGED, progress, show_json, show_report
from secure_msg.store.durable import Disk
from secure_msg.store.repair import Plan, plan_repair, repair_whole
from secure_msg.store.serverkeys import ServerKeys


@click.command()
@storage_argument
@click.option("--yes", is_flag=True, help="Do it; without this nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="Print what is done as one JSON object.")
@click.pass_context
def repair(ctx: click.Context, storage: Path | None, yes: bool, as_json: bool) -> None:
    """Put right what can be made again from what is undamaged.

    Shows first what it would do. Of each file that it writes again the damaged one is kept in a
    folder beside the storage folder. What nothing here has stays damaged, and is named.
    """
    folder = folder_of(storage)
    keys = keys_of(folder)
    with locked(folder):
        with progress("Examining", quiet=as_json) as show:
            plan = plan_repair(folder, keys, passphrase=passphrase(), progress=show)
        if not as_json:
            _show_plan(folder, plan)
        left, aside = plan, None
        if yes and plan.steps:
            aside = folder.with_name(f"{folder.name}.repaired-{time.strftime('%Y%m%d-%H%M%S')}")
            left = _repair(folder, keys, plan, aside)
    if as_json:
        show_json(_as_json(folder, plan, left, aside))
    elif aside is not None:
        click.echo(f"Done. What was replaced is kept in {aside}; delete it when all is well.")
        show_report(left.report)
    ctx.exit(CLEAN if left.report.clean else DAMAGED)


def _repair(folder: Path, keys: ServerKeys, plan: Plan, aside: Path) -> Plan:
    return repair_whole(folder, keys, plan, aside, Disk(), passphrase=passphrase())


def _show_plan(folder: Path, plan: Plan) -> None:
    show_report(plan.report)
    if plan.steps:
        click.echo("What can be done (with --yes):")
    for step in plan.steps:
        click.echo(f"  {step.sentence(folder)}")


def _as_json(folder: Path, plan: Plan, left: Plan, aside: Path | None) -> dict[str, object]:
    return {
        "found": plan.report.to_json(),
        "steps": [step.path.as_posix() for step in plan.steps],
        "done": aside is not None,
        "kept": None if aside is None else str(aside),
        "left": left.report.to_json(),
    }
