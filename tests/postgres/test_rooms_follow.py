"""What one process committed, every other one knows: rooms, sessions, sockets, announcements."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from secure_msg.codec.http import (
    EntriesPage,
    MarkAnnounced,
    PrivateItem,
    PutFile,
    ThreadList,
    TransactRequest,
    TransactResult,
    TypingAnnounced,
    TypingSent,
)
from secure_msg.codec.realtime import Asked, Told
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.messages.marks import mark_path
from tests.postgres.cluster import Cluster
from tests.support.api import Api, OverNetwork
from tests.support.databases import Postgres, Redis
from tests.support.people import Person, put
from tests.support.sockets import Live


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("rooms"), postgres.emptied_database(), redis_server)
    yield cluster
    cluster.stop()


def at(cluster: Cluster, number: int, cookie: str = "") -> Api:
    api = Api(OverNetwork(cluster.processes[number].base))
    if cookie:
        api.transport.set_cookie(cookie)
    return api


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def two(cluster: Cluster, one: str, other: str) -> tuple[Person, Api, Person, Api]:
    """Two people, each registered at a process of their own."""
    people = Person(one), Person(other)
    apis = at(cluster, 0), at(cluster, 1)
    for person, api in zip(people, apis, strict=True):
        api.register(person)
    return people[0], apis[0], people[1], apis[1]


def test_an_account_made_at_one_process_is_found_at_the_other(cluster: Cluster) -> None:
    anna, here, _, there = two(cluster, "anna", "bruno")
    until(lambda: len(there.get("/api/directory?q=anna").json["people"]) == 1)
    elsewhere = at(cluster, 1)
    assert elsewhere.sign_in(anna).status == 200
    assert here.get("/api/private").status == 200


def test_a_conversation_begun_at_one_process_is_listed_at_the_other(cluster: Cluster) -> None:
    carla, here, david, there = two(cluster, "carla", "david")
    until(lambda: len(here.get("/api/directory?q=david").json["people"]) == 1)
    assert not there.get("/api/threads").record(ThreadList).threads
    thread, _ = here.begin_conversation(carla, david)
    until(lambda: len(there.get("/api/threads").record(ThreadList).threads) == 1)
    [listed] = there.get("/api/threads").record(ThreadList).threads
    assert (listed.thread, listed.peer, listed.size) == (thread, carla.account, 4)


def test_announcements_and_typing_reach_the_other_process(cluster: Cluster) -> None:
    erika, here, frida, there = two(cluster, "erika", "frida")
    until(lambda: len(here.get("/api/directory?q=frida").json["people"]) == 1)
    thread, session = here.begin_conversation(erika, frida)
    until(lambda: len(there.get("/api/threads").record(ThreadList).threads) == 1)
    with Live(here) as speaks, Live(there) as listens, Live(at_other(cluster, here)) as second:
        mark = PutFile(mark_path(thread), 0, b"a mark", False)
        asked = TransactRequest((erika.message(thread, session, seen=1),), (mark,))
        assert isinstance(speaks.transact(asked), TransactResult)
        page = from_bytes(EntriesPage, listens.next(Told.ENTRIES), limit=1 << 20)
        assert (page.thread, page.start) == (thread, 4)
        moved = from_bytes(MarkAnnounced, listens.next(Told.MARK))
        assert moved == MarkAnnounced(thread, erika.account, b"a mark")
        changed = from_bytes(PrivateItem, second.next(Told.PRIVATE))
        assert (changed.path, changed.version) == (mark_path(thread), 1)
        speaks.say(Asked.TYPING, to_bytes(TypingSent(thread)))
        typing = from_bytes(TypingAnnounced, listens.next(Told.TYPING))
        assert typing == TypingAnnounced(thread, erika.account)


def at_other(cluster: Cluster, api: Api) -> Api:
    """The same browser's cookie at the other process."""
    number = 1 if api.transport.origin == cluster.processes[0].base else 0
    return at(cluster, number, api.transport.cookie())


def test_attack_40_a_session_ended_at_one_process_is_dead_at_the_other(cluster: Cluster) -> None:
    gustav, here, _, _ = two(cluster, "gustav", "hanna")
    there = at_other(cluster, here)
    until(lambda: there.get("/api/private").status == 200)
    with Live(there) as live:
        assert here.sign_out().status == 204
        live.next(Told.SIGNED_OUT)
        live.closed.get(timeout=10)
        assert there.get("/api/private").status == 401
    assert at(cluster, 1).sign_in(gustav).status == 200


def test_a_file_put_at_one_process_is_replaced_at_the_other(cluster: Cluster) -> None:
    ida, here, _, _ = two(cluster, "ida-m", "jonas")
    there = at_other(cluster, here)
    here.transact(puts=(put("settings"),)).record(TransactResult)
    until(lambda: there.get(f"/api/private/{put('settings').path.hex()}").status == 200)
    assert there.transact(puts=(put("settings", 0),)).status == 409
    there.transact(puts=(put("settings", 1),)).record(TransactResult)
    assert here.transact(puts=(put("settings", 1),)).status == 409
    here.transact(puts=(put("settings", 2),)).record(TransactResult)
    assert ida.account


def test_no_log_and_no_session_in_the_database_holds_the_secret_of_its_url(
    cluster: Cluster,
) -> None:
    said = "".join(process.output() for process in cluster.processes)
    assert "a-secret" in cluster.url
    assert "a-secret" not in said
    with psycopg.connect(cluster.url) as connection:
        activity = connection.execute("SELECT application_name, query FROM pg_stat_activity")
        assert "a-secret" not in str(activity.fetchall())
