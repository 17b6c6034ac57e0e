"""Two browsers, each at a process of its own, go on whichever part of the server fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.person import Person
from tests.postgres.cluster import Cluster, stopped
from tests.support.databases import Postgres, Redis
from tests.support.switch import Switch

pytestmark = pytest.mark.browser


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def cluster(tmp_path: Path, redis_server: Redis) -> Iterator[Cluster]:
    postgres = Postgres()
    cluster = Cluster(tmp_path, postgres.new_database(), redis_server)
    yield cluster
    cluster.stop()
    postgres.remove()


def test_two_people_at_two_processes_talk_through_everything(
    chromium: Browser, cluster: Cluster, redis_server: Redis
) -> None:
    one, two = cluster.processes
    with ExitStack() as stack:
        of_alice, of_bob = (stack.enter_context(Switch(each.base)) for each in (one, two))
        alice = Person(chromium, of_alice.base, "alice").register()
        bob = Person(chromium, of_bob.base, "bob").register()
        alice.find("bob").write("from one to two").stored("from one to two")
        bob.open("alice").sees("from one to two").accept()
        bob.write("from two to one").stored("from two to one")
        alice.sees("from two to one")

        gone = cluster.other()
        gone.kill()
        alive = cluster.sequencer()
        for switch in (of_alice, of_bob):
            switch.turn(alive.base)
        alice.write("a process is dead").stored("a process is dead")
        bob.online().sees("a process is dead")
        gone.start()
        of_bob.turn(two.base)
        of_alice.turn(one.base)

        redis_server.stop()
        bob.online().write("redis is away").stored("redis is away")
        alice.online().sees("redis is away")
        redis_server.start()
        alice.write("and back").stored("and back")
        bob.sees("and back")

        with stopped(cluster) as paused:
            other = two if paused is one else one
            for switch in (of_alice, of_bob):
                switch.turn(other.base)
            alice.online().write("the sequencer sleeps").stored("the sequencer sleeps")
            bob.online().sees("the sequencer sleeps")
        for switch in (of_alice, of_bob):
            switch.turn(paused.base)
        bob.online().write("at the one that slept").stored("at the one that slept")
        alice.online().sees("at the one that slept")
        assert alice.texts() == bob.texts()
        assert len(alice.texts()) == 7
        fresh = alice.elsewhere().sign_in().arrived().open("bob").sees("from one to two")
        assert fresh.texts() == bob.texts()
