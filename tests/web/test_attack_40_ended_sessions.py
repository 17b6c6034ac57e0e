"""Attack 40: what an ended session had begun comes to nothing, and it hears nothing more."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from secure_msg.accounts.records import MAX_SESSIONS
from secure_msg.codec.http import CredentialChange, TransactRequest
from secure_msg.codec.realtime import Told
from secure_msg.codec.schema import to_bytes
from tests.support.api import CBOR, COOKIE, Api, OverNetwork
from tests.support.people import put
from tests.support.sockets import Live
from tests.web.test_web_slow_peers import PING, ends, frame, upgraded


def half_sent(api: Api, method: str, path: str, body: bytes) -> tuple[socket.socket, bytes]:
    """A request that the server waits for, and what it waits for."""
    address = urlsplit(api.transport.origin)
    head = {
        "Host": address.netloc,
        "Origin": api.transport.origin,
        "X-CSRF-Token": api.csrf,
        "Cookie": f"{COOKIE}={api.transport.cookie()}",
        "Content-Type": CBOR,
        "Content-Length": str(len(body)),
        "Expect": "100-continue",
        "Connection": "close",
    }
    tcp = socket.create_connection((address.hostname, address.port), timeout=10)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    tcp.sendall("\r\n".join([*lines, "", ""]).encode())
    assert b"100 Continue" in tcp.recv(4_096)
    # The answer to this other request comes after the route has begun to wait.
    assert api.get("/api/session").json["signed_in"]
    return tcp, body


def finished(request: tuple[socket.socket, bytes]) -> bytes:
    """The status line."""
    tcp, body = request
    with tcp:
        tcp.sendall(body)
        return tcp.makefile("rb").readline()


@pytest.mark.parametrize("how", ["signed out", "ended by another", "a new password"])
def test_attack_40_a_request_that_outlives_its_session_does_nothing(join_process, process, how):
    mine, person = join_process("outlived-" + how.replace(" ", "-")[:20])
    other = Api(OverNetwork(process.base))
    other.sign_in(person)
    begun = [
        half_sent(other, "POST", "/api/transact", to_bytes(TransactRequest((), (put("late"),)))),
        half_sent(
            other,
            "POST",
            "/api/credential",
            to_bytes(CredentialChange(person.login_key, bytes(32), b"e" * 32, None, ())),
        ),
    ]
    if how == "signed out":
        assert other.sign_out().status == 204
    elif how == "ended by another":
        assert mine.send("DELETE", "/api/sessions/all").status == 204
    else:
        change = CredentialChange(person.login_key, bytes(32), person.login_key, None, ())
        assert mine.post_record("/api/credential", change).status == 200
    assert [finished(one).split()[1] for one in begun] == [b"401", b"401"]
    assert mine.transact((), (put("late"),)).status == 200
    assert Api(OverNetwork(process.base)).sign_in(person).status == 200


def test_attack_40_a_socket_of_a_session_that_was_pushed_out_hears_nothing(join_process, process):
    mine, person = join_process("pushed-out")
    with Live(mine) as pushed:
        for _ in range(MAX_SESSIONS):
            newest = Api(OverNetwork(process.base))
            assert newest.sign_in(person).status == 200
        assert not mine.session()["signed_in"]
        assert newest.transact((), (put("unheard"),)).status == 200
        pushed.next(Told.SIGNED_OUT)
        pushed.closed.get(timeout=10)
        assert pushed.told[Told.PRIVATE].empty()


def test_attack_40_a_socket_that_asks_nothing_ends_with_its_session(join_process, process):
    api, person = join_process("never-asked")
    other = Api(OverNetwork(process.base))
    other.sign_in(person)
    with upgraded(process, api) as left, upgraded(process, api) as kept:
        left.sendall(frame(PING, b"there?"))
        with upgraded(process, other) as theirs:
            assert api.sign_out().status == 204
            assert ends(left)
            assert ends(kept)
            assert not ends(theirs, 3)


def test_an_account_has_at_most_20_sockets_whatever_they_ask(join_process, process):
    api, _ = join_process("many-sockets")
    open_ones = []
    for _ in range(24):
        tcp = upgraded(process, api)
        tcp.sendall(frame(PING, b"there?"))
        open_ones.append(tcp)
    assert [ends(tcp, 1) for tcp in open_ones[:5]] == [True] * 4 + [False]
    assert not ends(open_ones[-1], 1)
    for tcp in open_ones:
        tcp.close()
