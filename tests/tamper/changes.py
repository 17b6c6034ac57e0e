"""One change of a folder, what a start and all reads make of it, and what must not come of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from secure_msg.crypto.random import SeededRandom
from secure_msg.ledger.transaction import Append, Damaged, StoreError, Transaction
from secure_msg.store.files import FileStore
from secure_msg.store.layout import WrongFormat
from secure_msg.store.serverkeys import open_or_create
from secure_msg.store.verify import verify
from secure_msg.store.verify.report import Grade
from tests.store.contract import Clock, ident
from tests.store.house import UnsyncedDisk
from tests.tamper.world import World, read_all, write_image

Change: TypeAlias = Mapping[str, bytes | None]
"""Paths and their new content; None: the file is gone."""

UNTOUCHED = ident("a conversation that begins later")
LOGGER = logging.getLogger("secure_msg.store")


@dataclass(slots=True)
class Outcome:
    """`refused`: what the start said that did not happen. `wrong`: reads that gave something else.

    `damaged` are reads that were refused, `warnings` what the operator was told, `named` the places
    that `verify` calls damaged, `noted` those that a crash may have left so.
    """

    refused: str | None = None
    wrong: dict[str, Any] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    @property
    def noticed_on_read(self) -> bool:
        return self.refused is not None or bool(self.damaged) or bool(self.warnings)


class Listener(logging.Handler):
    """Collects what the store tells its operator."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())


def outcome_of(world: World, change: Change, root: Path) -> Outcome:
    """Make the change in a fresh copy of the folder, examine it, start on it, read everything."""
    kept = {name: data for name, data in world.image.items() if name not in change}
    changed = {name: data for name, data in change.items() if data is not None}
    write_image({**kept, **changed}, root)
    outcome = Outcome()
    outcome.named, outcome.noted = examined(world, root)
    listener = Listener(outcome.warnings)
    LOGGER.addHandler(listener)
    try:
        _start_and_read(world, root, outcome)
    finally:
        LOGGER.removeHandler(listener)
    return outcome


def examined(world: World, root: Path) -> tuple[list[str], list[str]]:
    """The places that `verify` calls damaged, and those that it notes."""
    try:
        report = verify(root, world.keys)
    except WrongFormat:
        return ["format"], []
    return [one.path for one in report.damage], [one.path for one in report.of(Grade.NOTE)]


def _start_and_read(world: World, root: Path, outcome: Outcome) -> None:
    random = SeededRandom(b"tampered")
    try:
        keys = open_or_create(root, None, random, disk=UnsyncedDisk())
        store = FileStore.open(root, keys, Clock(), random, disk=UnsyncedDisk())
    except StoreError as refused:
        outcome.refused = str(refused)
        return
    try:
        found = read_all(store, world)
        # Whatever is damaged, everybody else goes on.
        store.commit(Transaction((Append(UNTOUCHED, "opened", b"life goes on"),)))
    finally:
        store.close()
    for name, expected in world.reads.items():
        value = found.get(name)
        if value is Damaged:
            outcome.damaged.append(name)
        elif value != expected:
            outcome.wrong[name] = value
    outcome.wrong.update((name, found[name]) for name in found if name not in world.reads)
