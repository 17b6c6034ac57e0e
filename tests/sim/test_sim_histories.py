"""Eight clients, a store that is killed again and again: every history has a sequential order.

`make sim` runs 200 schedules, `make test` a few; SEED repeats the schedules of a run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_msg.store.serverkeys import open_keys
from secure_msg.store.verify import verify
from tests.sim.run import Schedule, simulate
from tests.sim.storeprocess import Nursery
from tests.support.effort import amount, fresh_seed
from tests.support.memory import memory_folder

RUNS = amount(3, 200)
SEED = fresh_seed("histories")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder("sim-") as folder:
        yield folder


@pytest.mark.parametrize("number", range(RUNS))
def test_a_history_with_kills_is_linearizable(nursery: Nursery, folder: Path, number: int) -> None:
    seed = SEED + number
    run = simulate(nursery, folder / "storage", seed, Schedule.of(seed))
    said = f"SEED={seed}, {run.schedule}, {run.kills} kills\n{run.verdict.explain()}"
    assert run.verdict.linearizable, said
    assert run.placed_twice() == [], said
    # The clients got somewhere, and the kills met them.
    assert run.recorder.answers > 100, said
    assert run.kills > len(run.schedule.faults), said
    report = verify(run.folder, open_keys(run.folder, None))
    assert report.clean, [one.sentence() for one in report.damage]
    shutil.rmtree(run.folder)
