"""The socket, against a real server process."""

from __future__ import annotations

import pytest

from secure_msg.codec.http import (
    EntriesPage,
    MarkAnnounced,
    PrivateItem,
    PutFile,
    Refusal,
    ThreadList,
    TransactRequest,
    TransactResult,
    TypingAnnounced,
    TypingSent,
)
from secure_msg.codec.realtime import Asked, Told
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.ledger.chain import read_header
from secure_msg.messages.marks import mark_path
from tests.support.api import LIMIT, Api, OverNetwork
from tests.support.people import Person, put
from tests.support.server import ServerProcess
from tests.support.sockets import Live, Refused


def test_a_message_is_acknowledged_and_announced_to_both(join_process):
    alice_api, alice = join_process("live-alice")
    bob_api, bob = join_process("live-bob")
    thread, session = alice_api.begin_conversation(alice, bob)
    with Live(alice_api) as mine, Live(bob_api) as theirs:
        sent = alice.message(thread, session, seen=4)
        result = mine.transact(TransactRequest((sent,), (put("session"),)))
        assert isinstance(result, TransactResult)
        assert result.receipt is not None
        for socket in (mine, theirs):
            page = from_bytes(EntriesPage, socket.next(Told.ENTRIES), limit=LIMIT)
            assert (page.thread, page.start) == (thread, 4)
            assert page.entries[0].body == sent.body
            assert read_header(page.entries[0].header).sequence == 4
        assert mine.silent(Told.PRIVATE)


def test_a_private_file_is_announced_to_the_owner_s_other_sockets(join_process, process):
    api, person = join_process("two-tabs")
    other = Api(OverNetwork(process.base))
    other.sign_in(person)
    with Live(api) as one, Live(other) as two:
        one.transact(TransactRequest((), (put("settings"),)))
        item = from_bytes(PrivateItem, two.next(Told.PRIVATE))
        assert (item.version, item.size) == (1, 1024)
        assert one.silent(Told.PRIVATE)


def test_marks_and_typing_reach_the_other_member_alone(join_process):
    alice_api, alice = join_process("mark-alice")
    bob_api, bob = join_process("mark-bob")
    eve_api, _ = join_process("mark-eve")
    thread, _ = alice_api.begin_conversation(alice, bob)
    with Live(alice_api) as mine, Live(bob_api) as theirs, Live(eve_api) as strange:
        mark = PutFile(mark_path(thread), 0, b"seen", False)
        mine.transact(TransactRequest((), (mark,)))
        told = from_bytes(MarkAnnounced, theirs.next(Told.MARK))
        assert told == MarkAnnounced(thread, alice.account, b"seen")
        mine.say(Asked.TYPING, to_bytes(TypingSent(thread)))
        assert from_bytes(TypingAnnounced, theirs.next(Told.TYPING)) == TypingAnnounced(
            thread, alice.account
        )
        strange.say(Asked.TYPING, to_bytes(TypingSent(thread)))
        assert theirs.silent(Told.TYPING)
        assert strange.silent(Told.TYPING, 0.1)
        assert strange.silent(Told.MARK, 0.1)
        assert mine.silent(Told.MARK, 0.1)


def test_sync_lists_the_threads(join_process):
    alice_api, alice = join_process("sync-alice")
    _, bob = join_process("sync-bob")
    thread, _ = alice_api.begin_conversation(alice, bob)
    with Live(alice_api) as mine:
        listed = from_bytes(ThreadList, mine.call(Asked.SYNC))
        assert [(item.thread, item.size) for item in listed.threads] == [(thread, 4)]


def test_a_refusal_says_what_is_wrong(join_process):
    api, person = join_process("refused-live")
    with Live(api) as mine:
        assert mine.transact(TransactRequest((), ())) == Refusal(400, "malformed", "empty", None)
        nonsense = mine.refused(Asked.TRANSACT, b"\xff" * 100)
        assert nonsense == Refusal(400, "malformed", "", None)
        assert mine.refused(77) == Refusal(400, "malformed", "kind", None)
        stranger = TransactRequest((person.message(b"x" * 32, b"s" * 32),), ())
        assert mine.transact(stranger) == Refusal(404, "not-found", "", None)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": ""},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": ""},
        {"Cookie": "sm_session=" + "A" * 86},
    ],
)
def test_attack_35_a_socket_from_elsewhere_or_nobody_is_refused(join_process, headers):
    api, _ = join_process("socket-" + "".join(c for c in str(headers) if c.isalpha())[-12:])
    with Live(api):
        pass
    with pytest.raises(Refused):
        Live(api, headers)


def test_attack_40_an_ended_session_s_sockets_close(join_process, process):
    api, person = join_process("ended-socket")
    other = Api(OverNetwork(process.base))
    other.sign_in(person)
    with Live(api) as mine, Live(other) as theirs:
        assert api.send("DELETE", "/api/sessions/all").status == 204
        theirs.next(Told.SIGNED_OUT)
        theirs.closed.get(timeout=10)
        assert isinstance(mine.transact(TransactRequest((), (put("alive"),))), TransactResult)
        assert api.sign_out().status == 204
        mine.next(Told.SIGNED_OUT)
        mine.closed.get(timeout=10)
    with pytest.raises(Refused):
        Live(api)


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path):
    with ServerProcess(tmp_path / "storage") as server:
        api, alice = Api(OverNetwork(server.base)), Person("kill-alice")
        api.register(alice)
        peer, bob = Api(OverNetwork(server.base)), Person("kill-bob")
        peer.register(bob)
        thread, session = api.begin_conversation(alice, bob)
        with Live(api) as mine:
            for _ in range(20):
                request = TransactRequest((alice.message(thread, session, seen=4),), ())
                assert isinstance(mine.transact(request), TransactResult)
        server.kill()
        server.start()
        listed = peer.get("/api/threads").record(ThreadList).threads
        assert [(item.thread, item.size) for item in listed] == [(thread, 24)]
        assert api.session()["signed_in"]
