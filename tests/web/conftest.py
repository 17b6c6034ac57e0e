"""A server in this process for routes, and a real one for sockets and whole responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_msg.bootstrap import Server, build
from secure_msg.settings import Settings, read_settings
from secure_msg.store.files import run_here
from tests.support.api import Api, InProcess, OverNetwork
from tests.support.people import Person
from tests.support.server import ServerProcess

MakeApi = Callable[[], Api]
MakePerson = Callable[[str], tuple[Api, Person]]


def settings_for(storage: Path, **more: str) -> Settings:
    values = {"STORAGE": str(storage), "RATE_FACTOR": "1000", **more}
    return read_settings({f"SECURE_MSG_{name}": value for name, value in values.items()})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = build(settings_for(tmp_path_factory.mktemp("web") / "storage"), offload=run_here)
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser(server: Server) -> MakeApi:
    """A new browser each time it is called."""
    return lambda: Api(InProcess(server.web.flask))


@pytest.fixture(scope="module")
def join(browser: MakeApi) -> MakePerson:
    """A browser in which somebody of that name has just registered."""

    def make(name: str) -> tuple[Api, Person]:
        api, person = browser(), Person(name)
        api.register(person)
        return api, person

    return make


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("process") / "storage") as running:
        yield running


@pytest.fixture(scope="module")
def join_process(process: ServerProcess) -> MakePerson:
    def make(name: str) -> tuple[Api, Person]:
        api, person = Api(OverNetwork(process.base)), Person(name)
        api.register(person)
        return api, person

    return make
