"""The worlds that are tampered with, and a folder for one changed copy after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory import memory_folder
from tests.tamper.world import World, large_world, small_world


@pytest.fixture(scope="session")
def worlds() -> dict[str, World]:
    with memory_folder("tamper-worlds-") as folder:
        return {"small": small_world(folder), "large": large_world(folder)}


@pytest.fixture
def root() -> Iterator[Path]:
    with memory_folder("tamper-") as folder:
        yield folder / "storage"
