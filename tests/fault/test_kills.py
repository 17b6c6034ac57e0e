"""SIGKILL under load: nothing acknowledged is lost, nothing doubled, the folder verifies."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from secure_msg.crypto.random import system_random
from secure_msg.store.serverkeys import ServerKeys, open_or_create
from secure_msg.store.verify import verify
from tests.fault.load import LoadClient, run_all, wait_all
from tests.sim.storeprocess import DieAt, Line, Lost, Nursery, StoreProcess
from tests.store.house import FileHouse, WatchedDisk
from tests.support.effort import amount, fresh_seed

KILLS = (100, 2000)
KILLS_EACH = 25
"""Of one folder, one after the other; then a new one, whose first steps count too."""
CLIENTS = 4
LAST_STEP = 160
LONGEST_LIFE = 0.25
"""Seconds under load."""


@dataclass
class Tally:
    """Of a run: kills by kind, acknowledgements held, seconds of each start that succeeded."""

    at_random: int = 0
    at_steps: int = 0
    acknowledged: int = 0
    starts: list[float] = field(default_factory=list)

    def line(self) -> str:
        return (
            f"killed {self.at_random} times at random and {self.at_steps} times at a step, "
            f"{self.acknowledged} acknowledgements kept; {len(self.starts)} starts, "
            f"the longest took {max(self.starts):.2f} s"
        )


class Victim:
    """One folder, killed again and again."""

    def __init__(self, nursery: Nursery, root: Path, rng: random.Random, tally: Tally) -> None:
        root.mkdir(parents=True)
        self._nursery = nursery
        self._folder = root / "storage"
        self._folder.mkdir()
        self._address = str(root / "socket")
        self._rng = rng
        self._tally = tally
        self._keys: ServerKeys = open_or_create(self._folder, None, system_random)
        self._clients = [LoadClient(f"client {n}", rng) for n in range(CLIENTS)]

    def kill(self) -> None:
        """One life: what is there is checked, then comes the load, and the end amid of it."""
        die = None
        if self._rng.random() < 0.5:
            die = DieAt(self._rng.randrange(1, LAST_STEP), self._rng.random() < 0.5)
        process = self._start(die)
        if process is not None:
            threads = run_all(self._clients, self._address)
            if die is None:
                time.sleep(self._rng.uniform(0, LONGEST_LIFE))
                process.kill()
            process.wait()
            wait_all(self._clients, threads)
        if die is None:
            self._tally.at_random += 1
        else:
            self._tally.at_steps += 1
        self._verify()

    def end(self) -> None:
        process = self._start(None)
        assert process is not None
        process.kill()
        self._tally.acknowledged += sum(len(one.acknowledged) for one in self._clients)

    def _start(self, die: DieAt | None) -> StoreProcess | None:
        """A store that serves all that was acknowledged; None when it died on the way."""
        began = time.monotonic()
        process = self._nursery.start(self._folder, self._address, die)
        if not process.ready():
            assert die is not None
            return None
        self._tally.starts.append(time.monotonic() - began)
        try:
            line = Line(self._address)
            for client in self._clients:
                client.check(line)
            line.close()
        except Lost:
            assert die is not None
            process.wait()
            return None
        return process

    def _verify(self) -> None:
        if (self._folder / "format").exists():
            report = verify(self._folder, self._keys)
            assert report.clean, [one.sentence() for one in report.damage]


def test_killed_at_any_moment_under_load(tmp_path: Path) -> None:
    rng = random.Random(fresh_seed("kills"))
    tally = Tally()
    with Nursery() as nursery:
        for number in range(amount(*KILLS) // KILLS_EACH):
            victim = Victim(nursery, tmp_path / str(number), rng, tally)
            for _ in range(KILLS_EACH):
                victim.kill()
            victim.end()
    print(tally.line())
    assert tally.acknowledged > amount(*KILLS)


def test_a_first_start_killed_between_the_copies_of_the_heads_verifies(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "storage")

    def die(number: int, name: str) -> None:
        if (house.root / "ledger" / "heads").exists():
            raise SystemExit

    with pytest.raises(SystemExit):
        house.open(WatchedDisk(before=die))
    assert not (house.root / "ledger" / "heads.copy").exists()
    report = verify(house.root, house.keys)
    assert report.clean, [one.sentence() for one in report.damage]
    house.open()
    house.close()
    assert verify(house.root, house.keys).clean
