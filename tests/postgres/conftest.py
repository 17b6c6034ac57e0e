"""One PostgreSQL and one Redis for all tests of a file's run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.house import PostgresHouse
from tests.support.databases import Postgres, Redis


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def house(tmp_path: Path, postgres: Postgres) -> Iterator[PostgresHouse]:
    house = PostgresHouse(tmp_path / "server", postgres.emptied_database())
    yield house
    house.close()
