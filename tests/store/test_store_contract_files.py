"""The contract, kept by the store in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.contract import StoreContract
from tests.store.house import FileHouse


class TestFileStore(StoreContract):
    @pytest.fixture
    def house(self, tmp_path: Path) -> Iterator[FileHouse]:
        house = FileHouse(tmp_path / "storage")
        yield house
        house.close()
