"""All steps of an examination, in the order in which they rely on each other."""

from __future__ import annotations

import os
from pathlib import Path

from secure_msg.store.heads import FoundHeads
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.verify.chains import ChainCheck
from secure_msg.store.verify.commits import Commits
from secure_msg.store.verify.heads import check_heads
from secure_msg.store.verify.inspection import Inspection, Progress
from secure_msg.store.verify.journal import (
    Kept,
    check_journal,
    read_batches,
    read_journal,
    unflushed_chains,
)
from secure_msg.store.verify.log import LogCheck
from secure_msg.store.verify.maps import MapHistory
from secure_msg.store.verify.private import PrivateCheck
from secure_msg.store.verify.report import Report
from secure_msg.store.verify.server import check_format, check_restored, check_server
from secure_msg.store.verify.tail import TailCheck


def verify(
    root: Path,
    keys: ServerKeys,
    *,
    passphrase: str | None = None,
    deep: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Examine a storage folder that no process is using; nothing in it is changed.

    `passphrase` opens `server/keys` where it needs one; `deep` makes every map root again.
    Raises WrongFormat, OSError.
    """
    return examine(root, keys, passphrase=passphrase, deep=deep, progress=progress).report


def examine(
    root: Path,
    keys: ServerKeys,
    *,
    passphrase: str | None = None,
    deep: bool = False,
    progress: Progress | None = None,
) -> Inspection:
    """As `verify`; the inspection also has what would put the damage right."""
    inspection = Inspection(root, keys, progress)
    check_format(inspection)
    check_server(inspection, passphrase)
    segments = read_journal(inspection)
    batches = read_batches(inspection, segments)
    found = check_heads(inspection, min(batches, default=None))
    if found is not None:
        inspection.unflushed = unflushed_chains(batches, found.mark.log_size)
        check_journal(inspection, segments, found.mark.log_size)
        maps = MapHistory(found.names, keys.identity.name_salt) if deep else None
        commits = Commits(inspection, LogCheck(inspection, found.mark).run(), maps)
        check_restored(inspection, commits.restored, batches)
        kept = Kept(inspection, batches, found.mark.log_size)
        _check_chains(inspection, found, commits, kept)
        TailCheck(inspection, found).run(batches)
        _name_excess(inspection)
    return inspection


def _check_chains(inspection: Inspection, found: FoundHeads, commits: Commits, kept: Kept) -> None:
    inspection.total = sum(head.size for head in found.heads.values())
    whole = True
    # In the order of the ids, as the leaves of a touched root.
    for identifier in sorted(found.heads):
        head = found.heads[identifier]
        chain = ChainCheck(inspection, commits, kept, head)
        if head.owner is None:
            for _ in chain.run():
                pass
        else:
            PrivateCheck(inspection, kept, head.owner, head.size).run(chain)
        whole = whole and not chain.broken
    if whole:
        commits.check()


def _name_excess(inspection: Inspection) -> None:
    for folder, _, names in os.walk(inspection.root):
        for name in sorted(names):
            path = Path(folder, name)
            if path not in inspection.known:
                temporary = "a temporary file that a crash left"
                what = temporary if name.endswith(".new") else "nothing names this file"
                inspection.excess(path, what)
