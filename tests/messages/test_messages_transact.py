"""What may be written to a thread, over the whole server in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from secure_msg.bootstrap import Server, build
from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import EntriesPage, PrivateList, TransactResult, WireAppend
from secure_msg.codec.messages import Envelope
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.ledger.chain import read_header
from secure_msg.settings import read_settings
from secure_msg.store.files import run_here
from tests.support.api import Answer, Api, InProcess
from tests.support.people import Person, put


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    storage = tmp_path_factory.mktemp("transact") / "storage"
    settings = {"SECURE_MSG_STORAGE": str(storage), "SECURE_MSG_RATE_FACTOR": "1000"}
    running = build(read_settings(settings), offload=run_here)
    yield running
    running.close()


class Talk:
    """Two people who have begun a conversation, and a third."""

    def __init__(self, server: Server) -> None:
        suffix = os.urandom(4).hex()
        self.apis, self.people = [], []
        for name in ("alice", "robert", "eve"):
            api, person = Api(InProcess(server.web.flask)), Person(f"{name}-{suffix}")
            api.register(person)
            self.apis.append(api)
            self.people.append(person)
        self.thread = self.apis[0].open(self.people[1])
        self.session = b""

    def begin(self) -> Talk:
        _, self.session = self.apis[0].begin_conversation(self.people[0], self.people[1])
        return self

    def size(self) -> int:
        page = self.apis[0].get(f"/api/threads/{self.thread.hex()}/entries?start=0&count=1")
        return page.record(EntriesPage).head.size


@pytest.fixture
def fresh(server: Server) -> Talk:
    return Talk(server)


@pytest.fixture
def talk(server: Server) -> Talk:
    return Talk(server).begin()


def kinds(answer: Answer) -> list[str]:
    return [read_header(one.header).kind for one in answer.record(TransactResult).entries]


def test_a_repeat_gets_the_original_receipt_and_writes_nothing(talk):
    api, alice = talk.apis[0], talk.people[0]
    message = alice.message(talk.thread, talk.session, seen=4)
    first = api.transact((message,), (put("session"),)).record(TransactResult)
    size = talk.size()
    again = api.transact((message,), (put("session", 1),)).record(TransactResult)
    assert again.repeat
    assert not first.repeat
    assert again.versions == ()
    assert again.entries == first.entries
    assert read_header(again.receipt.header) == read_header(first.receipt.header)
    assert talk.size() == size


def test_a_first_send_may_be_repeated_whole(fresh):
    api, alice = fresh.apis[0], fresh.people[0]
    handshake, session = alice.handshake(fresh.thread, fresh.people[1].account)
    request = (
        alice.opened(fresh.thread, fresh.people[1].account),
        handshake,
        alice.opening(fresh.thread, session),
        alice.message(fresh.thread, session),
    )
    assert not api.transact(request).record(TransactResult).repeat
    assert api.transact(request).record(TransactResult).repeat
    assert fresh.size() == 4


def test_the_first_handshake_wins_and_the_other_commits_nothing(fresh):
    (alice_api, bob_api, _), (alice, bob, _) = fresh.apis, fresh.people
    fresh.begin()
    late, session = bob.handshake(fresh.thread, alice.account)
    answer = bob_api.transact((late, bob.opening(fresh.thread, session)))
    assert (answer.status, answer.kind) == (409, "stale-session")
    assert fresh.size() == 4
    replacing, session = bob.handshake(fresh.thread, alice.account, replaces=fresh.session)
    request = (replacing, bob.opening(fresh.thread, session), bob.message(fresh.thread, session))
    assert kinds(bob_api.transact(request)) == ["handshake", "opening", "message"]
    stale = alice_api.transact((alice.message(fresh.thread, fresh.session, seen=4),), (put("s"),))
    assert stale.kind == "stale-session"
    assert alice_api.get(f"/api/private/{put('s').path.hex()}").kind == "not-found"


def test_opened_twice_is_a_conflict(talk):
    bob_api, bob, alice = talk.apis[1], talk.people[1], talk.people[0]
    answer = bob_api.transact((bob.opened(talk.thread, alice.account),))
    assert (answer.status, answer.kind, answer.json["detail"]) == (409, "conflict", "size")


def test_attack_12_nobody_third_gets_in(fresh):
    (alice_api, bob_api, eve_api), (alice, bob, eve) = fresh.apis, fresh.people
    for api, author, peer in (
        (eve_api, eve, bob),
        (eve_api, eve, alice),
        (alice_api, alice, eve),
        (bob_api, bob, eve),
        (bob_api, alice, bob),
    ):
        answer = api.transact((author.opened(fresh.thread, peer.account),))
        assert answer.kind in ("not-found", "statement-refused")
    fresh.begin()
    assert eve_api.transact((eve.message(fresh.thread, fresh.session),)).kind == "not-found"
    assert fresh.size() == 4


def test_attack_19_the_author_is_the_caller(talk):
    api, alice, bob = talk.apis[0], talk.people[0], talk.people[1]
    thread, session = talk.thread, talk.session
    for forged in (
        bob.message(thread, session),
        bob.opening(thread, session),
        bob.handshake(thread, alice.account, replaces=session)[0],
        alice.handshake(thread, talk.people[2].account, replaces=session)[0],
        bob.reset(thread, session),
        alice.reset(os.urandom(32), session),
    ):
        wire = WireAppend(thread, forged.kind, forged.body, None)
        answer = api.transact((wire,))
        assert (answer.status, answer.kind) == (422, "statement-refused"), forged.kind
    assert talk.size() == 4


def test_a_statement_under_another_key_is_refused(fresh, talk):
    alice, bob = fresh.people[0], fresh.people[1]
    real, alice.working = alice.working, Person("nobody").working
    refused = fresh.apis[0].transact((alice.opened(fresh.thread, bob.account),))
    assert refused.kind == "statement-refused"
    unknown = alice.opened(fresh.thread, bob.account, generation=2)
    alice.working = real
    assert fresh.apis[0].transact((unknown,)).kind == "statement-refused"
    author = talk.people[0]
    author.working = Person("nobody").working
    reset = author.reset(talk.thread, talk.session)
    assert talk.apis[0].transact((reset,)).kind == "statement-refused"


def test_a_session_reset_is_kept(talk):
    answer = talk.apis[1].transact((talk.people[1].reset(talk.thread, talk.session),))
    assert kinds(answer) == ["session-reset"]


def test_entries_of_one_request_are_of_one_session(talk):
    api, alice, bob = talk.apis[0], talk.people[0], talk.people[1]
    thread, session = talk.thread, talk.session
    handshake, new = alice.handshake(thread, bob.account, replaces=session)
    mixed = [
        ((alice.message(thread, session), alice.message(thread, new)), "stale-session"),
        ((handshake, alice.message(thread, session)), "stale-session"),
        ((alice.message(thread, session), handshake), "malformed"),
        ((handshake, alice.handshake(thread, bob.account, replaces=new)[0]), "malformed"),
    ]
    for request, kind in mixed:
        assert api.transact(request).kind == kind
    assert talk.size() == 4


def test_sizes_that_were_named_must_be_so(talk):
    api, alice = talk.apis[0], talk.people[0]

    def message(expected: int | None) -> WireAppend:
        made = alice.message(talk.thread, talk.session, seen=4)
        return WireAppend(made.chain, made.kind, made.body, expected)

    assert api.transact((message(3),)).kind == "conflict"
    assert api.transact((message(5),)).kind == "conflict"
    assert api.transact((message(4), message(6))).kind == "malformed"
    assert api.transact((message(None), message(5))).kind == "malformed"
    assert kinds(api.transact((message(4), message(5)))) == ["message", "message"]
    assert talk.size() == 6


def test_all_of_a_request_or_nothing(talk):
    api, alice = talk.apis[0], talk.people[0]
    good = alice.message(talk.thread, talk.session, seen=4)
    foreign = alice.message(os.urandom(32), talk.session)
    assert api.transact((good, foreign), (put("half"),)).kind == "not-found"
    assert api.transact((good,), (put("half", 7),)).kind == "conflict"
    wrong = alice.own("keys", 5)
    assert api.transact((good, wrong), (put("half"),)).kind == "statement-refused"
    assert talk.size() == 4
    assert api.get("/api/private").body == to_bytes(PrivateList(()))
    together = (good, alice.own("prekey", 2))
    assert kinds(api.transact(together, (put("half"),))) == ["message", "prekey"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("message", b""),
        ("message", b"\x80"),
        ("handshake", b"\xff" * 100),
        ("opening", bytes(range(64))),
        ("opened", b"\xd2\x84"),
        ("session-reset", b"\xd2\x84"),
    ],
)
def test_bodies_that_are_not_what_their_kind_says_are_malformed(talk, kind, body):
    answer = talk.apis[0].transact((WireAppend(talk.thread, kind, body, 0),))
    assert (answer.status, answer.kind) == (400, "malformed")


@pytest.mark.parametrize(
    "kind", ["account", "credential", "prekey-handed", "put", "keys", "", "Message", "x" * 32]
)
def test_kinds_that_threads_do_not_have_are_malformed(talk, kind):
    body = talk.people[0].message(talk.thread, talk.session).body
    assert talk.apis[0].transact((WireAppend(talk.thread, kind, body, None),)).kind == "malformed"


@pytest.mark.parametrize("kind", ["account", "credential", "prekey-handed", "message", "put"])
def test_kinds_that_owners_do_not_write_are_refused(talk, kind):
    wire = WireAppend(talk.people[0].account, kind, b"\x80", None)
    assert talk.apis[0].transact((wire,)).kind == "statement-refused"


def test_a_message_of_another_size_than_the_classes_is_malformed(talk):

    made = talk.people[0].message(talk.thread, talk.session)
    envelope = from_bytes(Envelope, made.body)
    for body in (envelope.body + b"x", envelope.body + bytes(300)):
        changed = to_bytes(replace(envelope, body=body))
        wire = WireAppend(talk.thread, "message", changed, None)
        assert talk.apis[0].transact((wire,)).kind == "malformed"
    zero = to_bytes(replace(envelope, id=bytes(16)))
    wire = WireAppend(talk.thread, "message", zero, None)
    assert talk.apis[0].transact((wire,)).kind == "malformed"


def test_a_thread_with_oneself_does_not_exist(talk):
    api, alice = talk.apis[0], talk.people[0]
    assert api.post_json("/api/threads", {"peer": to_base64url(alice.account)}).kind == "not-found"


def test_a_folder_has_a_quota(tmp_path):
    settings = {
        "SECURE_MSG_STORAGE": str(tmp_path / "storage"),
        "SECURE_MSG_FOLDER_QUOTA_MIB": "1",
        "SECURE_MSG_RATE_FACTOR": "1000",
    }
    server = build(read_settings(settings), offload=run_here)
    api, person = Api(InProcess(server.web.flask)), Person("hoarder")
    api.register(person)
    assert api.transact((), (put("one", size=700_000),)).status == 200
    full = api.transact((), (put("two", size=700_000),))
    assert (full.status, full.kind, full.json["detail"]) == (413, "too-large", "quota")
    assert api.transact((), (put("one", 1, size=600_000),)).status == 200
    assert api.transact((), (put("two", size=400_000),)).status == 200
    server.close()
