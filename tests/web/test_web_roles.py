"""Who may do what: a row for every route, and a failing test where a route has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import CredentialChange, Registration, TransactRequest
from secure_msg.codec.schema import to_bytes
from tests.support.api import CBOR, JSON, Answer, Api
from tests.support.people import Person, path_of, put

ROLES = ("nobody", "other", "member", "owner")


@dataclass
class Scene:
    """`owner` and `member` talk; `other` is signed in and has nothing to do with them."""

    people: dict[str, Person]
    thread: bytes
    session: bytes
    owner_session: str
    asset: str

    @property
    def owner(self) -> Person:
        return self.people["owner"]


Body = tuple[bytes, str]
NO_BODY: Body = (b"", "")


@dataclass(frozen=True)
class Row:
    """`expected`: the status for each of ROLES."""

    expected: tuple[int, int, int, int]
    path: Callable[[Scene], str]
    body: Callable[[Scene, str], Body] = lambda _scene, _role: NO_BODY


def at(path: str) -> Callable[[Scene], str]:
    return lambda _scene: path


def in_json(value: object) -> Callable[[Scene, str], Body]:
    return lambda _scene, _role: (json.dumps(value).encode(), JSON)


def empty_registration(_scene: Scene, _role: str) -> Body:
    wrong = Registration(b"ticket", b"", b"", b"", b"", bytes(32), None, ())
    return to_bytes(wrong), CBOR


def wrong_credential(_scene: Scene, _role: str) -> Body:
    return to_bytes(CredentialChange(b"w" * 32, bytes(32), bytes(32), None, ())), CBOR


def peer_request(scene: Scene, _role: str) -> Body:
    return json.dumps({"peer": to_base64url(scene.owner.account)}).encode(), JSON


def message(scene: Scene, role: str) -> Body:
    author = scene.people.get(role, scene.owner)
    wire = author.message(scene.thread, scene.session)
    return to_bytes(TransactRequest((wire,), ())), CBOR


NAME = {"name": "somebody"}
KEY = to_base64url(b"k" * 32)
ALL = (200, 200, 200, 200)
SIGNED_IN = (401, 200, 200, 200)
MEMBERS = (401, 404, 200, 200)
OWNER = (401, 404, 404, 200)

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/"): Row(ALL, at("/")),
    ("GET", "/static/<path:path>"): Row(ALL, lambda scene: f"/static/{scene.asset}"),
    ("GET", "/healthz"): Row(ALL, at("/healthz")),
    # All of them ask from this machine; who else may is in test_web_metrics.py.
    ("GET", "/metrics"): Row(ALL, at("/metrics")),
    ("GET", "/api/log"): Row(ALL, at("/api/log?seen=0")),
    ("GET", "/checkpoint"): Row(ALL, at("/checkpoint")),
    ("GET", "/tile/<path:path>"): Row(ALL, at("/tile/entries/000.p/1")),
    ("GET", "/api/server"): Row(ALL, at("/api/server")),
    ("GET", "/api/session"): Row(ALL, at("/api/session")),
    ("POST", "/api/registration/begin"): Row(
        ALL, at("/api/registration/begin"), in_json({"name": "not-taken"})
    ),
    ("POST", "/api/registration"): Row(
        (400, 400, 400, 400), at("/api/registration"), empty_registration
    ),
    ("POST", "/api/sign-in/begin"): Row(ALL, at("/api/sign-in/begin"), in_json(NAME)),
    ("POST", "/api/sign-in"): Row(
        (401, 401, 401, 401), at("/api/sign-in"), in_json({**NAME, "login_key": KEY})
    ),
    ("POST", "/api/recovery/begin"): Row(ALL, at("/api/recovery/begin"), in_json(NAME)),
    ("POST", "/api/recovery"): Row(
        (401, 401, 401, 401), at("/api/recovery"), in_json({**NAME, "recovery_login_key": KEY})
    ),
    ("POST", "/api/credential"): Row((401, 401, 401, 401), at("/api/credential"), wrong_credential),
    ("POST", "/api/sign-out"): Row((401, 204, 204, 204), at("/api/sign-out")),
    ("GET", "/api/sessions"): Row(SIGNED_IN, at("/api/sessions")),
    ("DELETE", "/api/sessions/<session>"): Row(
        (401, 404, 404, 204), lambda scene: f"/api/sessions/{scene.owner_session}"
    ),
    ("GET", "/api/directory"): Row(SIGNED_IN, at("/api/directory?q=ro")),
    ("GET", "/api/accounts/<account>"): Row(
        SIGNED_IN, lambda scene: f"/api/accounts/{scene.owner.account.hex()}"
    ),
    ("POST", "/api/accounts/<account>/bundle"): Row(
        SIGNED_IN, lambda scene: f"/api/accounts/{scene.owner.account.hex()}/bundle"
    ),
    ("GET", "/api/threads"): Row(SIGNED_IN, at("/api/threads")),
    ("POST", "/api/threads"): Row((401, 200, 200, 404), at("/api/threads"), peer_request),
    ("GET", "/api/threads/<thread>/entries"): Row(
        MEMBERS, lambda scene: f"/api/threads/{scene.thread.hex()}/entries?start=0&count=10"
    ),
    ("GET", "/api/threads/<thread>/marks"): Row(
        MEMBERS, lambda scene: f"/api/threads/{scene.thread.hex()}/marks"
    ),
    ("POST", "/api/transact"): Row(MEMBERS, at("/api/transact"), message),
    ("GET", "/api/private"): Row(SIGNED_IN, at("/api/private")),
    ("GET", "/api/private/<path>"): Row(OWNER, at(f"/api/private/{path_of('mine').hex()}")),
    ("GET", "/api/receipts/<chain>/<sequence>"): Row(
        MEMBERS, lambda scene: f"/api/receipts/{scene.thread.hex()}/0"
    ),
}


@pytest.fixture(scope="module")
def scene(server, join) -> Scene:
    people = {}
    for role in ROLES[1:]:
        api, people[role] = join(f"role-{role}")
        if role == "owner":
            owner_api = api
    thread, session = owner_api.begin_conversation(people["owner"], people["member"])
    owner_api.transact((), (put("mine"),))
    own = owner_api.session()["session"]
    return Scene(people, thread, session, own, "favicon.svg")


def as_role(browser: Callable[[], Api], scene: Scene, role: str) -> Api:
    api = browser()
    if role != "nobody":
        assert api.sign_in(scene.people[role]).status == 200
    return api


def ask(api: Api, method: str, row: Row, scene: Scene, role: str) -> Answer:
    body, content_type = row.body(scene, role)
    return api.send(method, row.path(scene), body, content_type)


def routes_of(server) -> set[tuple[str, str]]:
    return {
        (method, rule.rule)
        for rule in server.web.flask.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_row_and_every_row_a_route(server):
    assert routes_of(server) == set(ROWS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "rule"), ROWS, ids=lambda part: part)
def test_each_role_gets_what_its_row_says(browser, scene, method, rule, role):
    row = ROWS[method, rule]
    answer = ask(as_role(browser, scene, role), method, row, scene, role)
    assert answer.status == row.expected[ROLES.index(role)], answer.body[:200]


@pytest.mark.parametrize(("method", "rule"), ROWS, ids=lambda part: part)
def test_attack_35_no_changing_route_serves_another_site(server, browser, scene, method, rule):
    row = ROWS[method, rule]
    if method == "GET":
        answer = as_role(browser, scene, "owner").send(
            "GET", row.path(scene), headers={"Sec-Fetch-Site": "cross-site"}
        )
        api = rule.startswith("/api/")
        assert answer.status == (403 if api else {"/metrics": 404}.get(rule, 200))
        return
    before = server.store.stats().transactions
    for change in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": "https://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "ImFhIg.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"},
    ):
        api = as_role(browser, scene, "owner")
        after_sign_in = server.store.stats().transactions
        api.session()
        body, content_type = row.body(scene, "owner")
        answer = api.send(method, row.path(scene), body, content_type, change)
        assert (answer.status, answer.kind) == (403, "cross-site"), change
        assert server.store.stats().transactions == after_sign_in
    assert server.store.stats().transactions - before <= 2 * 11


def test_attack_35_another_browser_s_token_does_not_help(browser, scene):
    victim, attacker = as_role(browser, scene, "owner"), as_role(browser, scene, "other")
    victim.csrf = attacker.session()["csrf"]
    assert victim.send("POST", "/api/sign-out").kind == "cross-site"


GUARDED = [key for key, row in ROWS.items() if row.expected[0] == 401 and row.expected[3] != 401]


@pytest.mark.parametrize(("method", "rule"), GUARDED, ids=lambda part: part)
def test_attack_40_an_ended_token_is_dead_on_every_route(browser, scene, method, rule):
    row = ROWS[method, rule]
    api = as_role(browser, scene, "owner")
    token = api.transport.cookie()
    assert api.sign_out().status == 204
    api.transport.set_cookie(token)
    api.csrf = ""
    answer = ask(api, method, row, scene, "owner")
    assert (answer.status, answer.kind) == (401, "not-signed-in")
