"""The HTTP API as tests speak it, against a Flask application or a real server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.cookiejar import Cookie
from typing import Any, Protocol, TypeVar

import requests
from flask import Flask

from secure_msg.codec.fields import from_base64url, to_base64url
from secure_msg.codec.http import (
    PutFile,
    RegistrationResult,
    TransactRequest,
    TransactResult,
    WireAppend,
)
from secure_msg.codec.schema import from_bytes, to_bytes
from tests.support.people import Person

T = TypeVar("T")

CBOR, JSON = "application/cbor", "application/json"
COOKIE = "sm_session"
LIMIT = 32 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The problem's kind, "" when it is none."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return ""
        return str(self.json["type"]).removeprefix("/problems/")

    def record(self, cls: type[T]) -> T:
        assert self.status < 300, (self.status, self.body[:300])
        return from_bytes(cls, self.body, limit=LIMIT)


class Transport(Protocol):
    origin: str

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer: ...
    def cookie(self) -> str: ...
    def set_cookie(self, value: str) -> None: ...


class InProcess:
    """Through Flask's test client: no server, no sockets."""

    origin = "http://localhost"

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        self._client = app.test_client()
        self._address = address

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        response = self._client.open(
            path,
            method=method,
            headers=headers,
            data=body,
            environ_base={"REMOTE_ADDR": self._address},
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, response.get_data())

    def cookie(self) -> str:
        found = self._client.get_cookie(COOKIE)
        return "" if found is None else found.value

    def set_cookie(self, value: str) -> None:
        self._client.set_cookie(COOKIE, value)


class OverNetwork:
    def __init__(self, base: str) -> None:
        self.origin = base
        self._session = requests.Session()

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            response = self._request(method, path, headers, body)
        except requests.ConnectionError:
            if method != "GET":
                raise
            # The server closed an idle connection at the moment of its next use.
            response = self._request(method, path, headers, body)
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, found, response.content)

    def _request(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> requests.Response:
        return self._session.request(
            method,
            self.origin + path,
            headers=headers,
            data=body,
            timeout=30,
            allow_redirects=False,
        )

    def cookie(self) -> str:
        cookies: list[Cookie] = [one for one in self._session.cookies if one.name == COOKIE]
        return str(cookies[-1].value) if cookies else ""

    def set_cookie(self, value: str) -> None:
        self._session.cookies.clear()
        host = self.origin.removeprefix("http://").partition(":")[0]
        self._session.cookies.set(COOKIE, value, domain=host, path="/")


class Api:
    """One browser: a cookie, a CSRF token, and requests as the application's page makes them."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.csrf = ""

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent: dict[str, str] = {}
        if method not in ("GET", "HEAD", "OPTIONS"):
            if not self.csrf:
                self.csrf = self.session()["csrf"]
            sent = {"Origin": self.transport.origin, "X-CSRF-Token": self.csrf}
        if content_type:
            sent["Content-Type"] = content_type
        sent.update(headers or {})
        return self.transport.send(
            method, path, {name: value for name, value in sent.items() if value}, body
        )

    def get(self, path: str, **more: Any) -> Answer:
        return self.send("GET", path, **more)

    def post_json(self, path: str, value: Any, **more: Any) -> Answer:
        return self.send("POST", path, json.dumps(value).encode(), JSON, **more)

    def post_record(self, path: str, value: Any, **more: Any) -> Answer:
        return self.send("POST", path, to_bytes(value), CBOR, **more)

    def session(self) -> Any:
        found = self.send("GET", "/api/session").json
        self.csrf = found["csrf"]
        return found

    def server_id(self) -> bytes:
        return from_base64url(self.get("/api/server").json["id"])

    # What people do.

    def register(self, person: Person, puts: tuple[PutFile, ...] = ()) -> RegistrationResult:
        begun = self.post_json("/api/registration/begin", {"name": person.name})
        assert begun.status == 200, begun.body
        person.account = from_base64url(begun.json["account"])
        ticket = from_base64url(begun.json["ticket"])
        answer = self.post_record(
            "/api/registration", person.registration(self.server_id(), ticket, puts)
        )
        result = answer.record(RegistrationResult)
        self.csrf = result.csrf
        return result

    def sign_in(self, person: Person) -> Answer:
        answer = self.post_json(
            "/api/sign-in", {"name": person.name, "login_key": to_base64url(person.login_key)}
        )
        self._take(answer)
        return answer

    def recover(self, person: Person) -> Answer:
        key = to_base64url(person.recovery_login_key)
        answer = self.post_json("/api/recovery", {"name": person.name, "recovery_login_key": key})
        self._take(answer)
        return answer

    def sign_out(self) -> Answer:
        answer = self.send("POST", "/api/sign-out")
        self.csrf = ""
        return answer

    def open(self, peer: Person) -> bytes:
        """The thread's id."""
        answer = self.post_json("/api/threads", {"peer": to_base64url(peer.account)})
        assert answer.status == 200, answer.body
        return from_base64url(answer.json["thread"])

    def transact(
        self, appends: tuple[WireAppend, ...] = (), puts: tuple[PutFile, ...] = ()
    ) -> Answer:
        return self.post_record("/api/transact", TransactRequest(appends, puts))

    def begin_conversation(self, me: Person, peer: Person) -> tuple[bytes, bytes]:
        """A first message; the thread's id and its session's."""
        thread = self.open(peer)
        handshake, session = me.handshake(thread, peer.account)
        first = (
            me.opened(thread, peer.account),
            handshake,
            me.opening(thread, session),
            me.message(thread, session),
        )
        self.transact(first).record(TransactResult)
        return thread, session

    def _take(self, answer: Answer) -> None:
        if answer.status == 200:
            self.csrf = answer.json["csrf"]
