"""The contract, kept by the store in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.house import PostgresHouse
from tests.store.contract import StoreContract
from tests.support.databases import Postgres


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def house(self, tmp_path: Path, postgres: Postgres) -> Iterator[PostgresHouse]:
        house = PostgresHouse(tmp_path / "server", postgres.emptied_database())
        yield house
        house.close()
