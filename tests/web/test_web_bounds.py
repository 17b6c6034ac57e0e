"""Bounds and headers that docs/spec/http.md states, one test each."""

from __future__ import annotations

import io

import gevent
import pytest

from secure_msg.codec.realtime import Asked
from secure_msg.web import bodies
from secure_msg.web.outer import HSTS
from secure_msg.web.realtime import MAX_SOCKETS
from tests.support.people import put
from tests.support.sockets import Live, Refused


class Trickle(io.BytesIO):
    """A body of which each read takes longer than it may."""

    def readinto(self, _buffer: object) -> int:
        gevent.sleep(60)
        return 0

    def read(self, _size: int | None = -1) -> bytes:
        gevent.sleep(60)
        return b""


def test_a_body_that_does_not_come_in_time_is_given_up(server, monkeypatch):
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.05)
    monkeypatch.setattr(bodies, "READ_BYTES_A_SECOND", 1 << 30)
    client = server.web.flask.test_client()
    csrf = client.get("/api/session").json["csrf"]
    answer = client.post(
        "/api/sign-in",
        headers={"Origin": "http://localhost", "X-CSRF-Token": csrf},
        content_type="application/json",
        input_stream=Trickle(b"{}"),
        content_length=2,
    )
    assert (answer.status_code, answer.json["type"]) == (408, "/problems/too-slow")


@pytest.mark.parametrize("path", ["/", "/api/server", "/nowhere", "/socket"])
def test_https_is_kept_to_where_it_is_spoken(server, path):
    client = server.web.flask.test_client()
    safe = client.get(path, base_url="https://localhost")
    assert safe.headers.getlist("Strict-Transport-Security") == [HSTS]
    assert "Strict-Transport-Security" not in client.get(path).headers


def test_of_too_many_sockets_the_oldest_goes(join_process):
    api, _ = join_process("many-sockets")
    sockets = [Live(api) for _ in range(MAX_SOCKETS + 1)]
    try:
        sockets[0].closed.get(timeout=60)
        for live in (sockets[1], sockets[-1]):
            assert live.connected
            assert live.call(Asked.SYNC)
    finally:
        for live in sockets:
            live.__exit__(None, None, None)


def test_a_recovering_session_may_only_set_a_new_password(join_process):
    api, person = join_process("recovers-only")
    api.transact((), (put("kept"),))
    api.sign_out()
    assert api.recover(person).status == 200
    assert api.session()["recovering"]
    assert api.get(f"/api/private/{put('kept').path.hex()}").status == 200
    for path in ("/api/threads", "/api/sessions", "/api/directory?q=re"):
        answer = api.get(path)
        assert (answer.status, answer.kind, answer.json["detail"]) == (403, "refused", "recovering")
    assert api.transact((), (put("more"),)).kind == "refused"
    with pytest.raises(Refused):
        Live(api)
    assert api.sign_out().status == 204
