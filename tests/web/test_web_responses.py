"""Whole responses of a real server: headers on each, errors included; assets; logs."""

from __future__ import annotations

import gzip
import json
import re
import socket

import pytest
from flask import Flask

from secure_msg.bootstrap import build
from secure_msg.store.files import run_here
from secure_msg.web.assets import Assets
from secure_msg.web.outer import PAGE_CSP, WORKER_CSP
from tests.support.api import JSON, Api, InProcess, OverNetwork
from tests.support.people import Person
from tests.web.conftest import settings_for

EXPECTED = {
    "content-security-policy": PAGE_CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
}


def assert_secured(headers: dict[str, str]) -> None:
    for name, value in EXPECTED.items():
        assert headers.get(name) == value, name
    assert "camera=()" in headers["permissions-policy"]
    assert not {name for name in headers if name.startswith("access-control-")}


@pytest.fixture(scope="module")
def api(process):
    return Api(OverNetwork(process.base))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/api/server", 200),
        ("GET", "/api/threads", 401),
        ("GET", "/nowhere", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/tile/../../server/keys", 404),
        ("DELETE", "/api/server", 405),
        ("GET", "/api/sign-out", 405),
        ("OPTIONS", "/api/transact", 200),
        ("GET", "/socket", 400),
        ("GET", "/socket?transport=polling", 400),
        ("POST", "/socket", 400),
    ],
)
def test_every_response_is_secured(api, method, path, status):
    answer = api.send(method, path)
    assert answer.status == status
    assert_secured(answer.headers)
    if path != "/":
        assert answer.headers["cache-control"] == "no-store"
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == status


def test_a_body_over_the_limit_is_secured_and_named(api):
    answer = api.send("POST", "/api/sign-in", b"x" * 1_000_000, JSON)
    assert (answer.status, answer.kind) == (413, "too-large")
    assert_secured(answer.headers)


def test_a_wrong_method_says_which_are_right(api):
    assert "POST" in api.get("/api/sign-out").headers["allow"]


def test_a_fault_says_nothing_of_itself(tmp_path, caplog):
    server = build(settings_for(tmp_path / "storage"), offload=run_here)
    app: Flask = server.web.flask

    def fault() -> str:
        raise LookupError("the secret of the house")

    app.add_url_rule("/fault", view_func=fault)
    answer = Api(InProcess(app)).get("/fault")
    assert (answer.status, answer.kind) == (500, "internal")
    assert_secured(answer.headers)
    assert b"secret" not in answer.body
    assert "secret" not in caplog.text
    noted = next(record for record in caplog.records if record.name == "secure_msg.web")
    assert noted.fields["error"] == "LookupError"
    assert any("fault" in place for place in noted.fields["at"])
    server.close()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nBad Header: <script>\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 100 + b"\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388609\r\n\r\n", b"413"),
        (
            b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
    ],
)
def test_what_is_no_http_gets_a_secured_answer_too(process, request_bytes, status):
    host, port = process.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as tcp:
        tcp.sendall(request_bytes)
        head, _, body = tcp.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    assert_secured({name.decode().lower(): value.decode() for name, _, value in lines})
    assert b"<script>" not in body


def test_https_behind_a_proxy_makes_cookies_secure_and_pins_https(tmp_path):
    server = build(settings_for(tmp_path / "storage", TRUSTED_PROXIES="1"), offload=run_here)
    api = Api(InProcess(server.web.flask))
    answer = api.get("/api/session", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["set-cookie"].startswith("__Host-sm_session=")
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    server.close()
    plain = build(settings_for(tmp_path / "plain"), offload=run_here)
    answer = Api(InProcess(plain.web.flask)).get(
        "/api/session", headers={"X-Forwarded-Proto": "https"}
    )
    assert "Secure" not in answer.headers["set-cookie"]
    assert "strict-transport-security" not in answer.headers
    plain.close()


def test_cookies_are_for_our_own_requests_alone(api):
    fresh = Api(OverNetwork(api.transport.origin))
    cookie = fresh.get("/api/session").headers["set-cookie"]
    assert cookie.startswith("sm_session=")
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie


def test_attack_40_on_https_a_neighbour_s_cookie_is_not_ours(tmp_path):
    server = build(settings_for(tmp_path / "storage", TRUSTED_PROXIES="1"), offload=run_here)
    api, person = Api(InProcess(server.web.flask)), Person("tossed-cookie")
    api.register(person)
    token = api.transport.cookie()
    for name, known in (("sm_session", False), ("__Host-sm_session", True)):
        headers = {"X-Forwarded-Proto": "https", "Cookie": f"{name}={token}"}
        fresh = server.web.flask.test_client(use_cookies=False)
        assert fresh.get("/api/session", headers=headers).json["signed_in"] is known
    server.close()


def test_another_application_s_cookies_do_not_sign_anybody_out(api):
    mine = Api(OverNetwork(api.transport.origin))
    mine.register(Person("shares-localhost"))
    cookies = f"sm_session={mine.transport.cookie()}; remember_token=theirs; session=theirs"
    answer = Api(OverNetwork(mine.transport.origin)).get(
        "/api/session", headers={"Cookie": cookies}
    )
    assert answer.json["signed_in"]


def test_assets_are_served_by_their_hash_and_kept(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "css").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "dist" / "worker.js").write_text("work();\n" * 400)
    (tmp_path / "css" / "main.css").write_text("p { color: red }")
    (tmp_path / "src" / "secret.ts").write_text("no")
    (tmp_path / "dist" / "notes.txt").write_text("no")
    assets = Assets(tmp_path)
    found = assets.find(f"{assets.hash}/dist/worker.js")
    assert found is not None
    asset, own, hashed = found
    assert (own, hashed) == ("dist/worker.js", True)
    assert gzip.decompress(asset.gzipped) == asset.data
    assert assets.find("dist/worker.js")[2] is False
    assert assets.styles() == ["css/main.css"]
    for path in (
        "src/secret.ts",
        "dist/notes.txt",
        f"{assets.hash}/../app.py",
        f"{assets.hash}/{assets.hash}/dist/worker.js",
        "0123456789abcdef/dist/worker.js",
        "/etc/passwd",
    ):
        assert assets.find(path) is None, path
    (tmp_path / "dist" / "worker.js").write_text("work(2);\n")
    assert Assets(tmp_path).hash != assets.hash


def test_the_worker_alone_may_compile_webassembly():
    assert "wasm-unsafe-eval" in WORKER_CSP
    assert "wasm-unsafe-eval" not in PAGE_CSP
    for policy in (WORKER_CSP, PAGE_CSP):
        assert "'unsafe-eval'" not in policy
        assert "unsafe-inline" not in policy


def test_the_page_has_no_inline_script_or_style(api):
    page = api.get("/").body.decode()
    assert re.search(r"<html lang=\"\w+\">", page)
    assert 'name="color-scheme"' in page
    assert "<noscript>" in page
    assert '<div id="app">' in page
    assert "style=" not in page
    assert not re.search(r"\son\w+=", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"https?://", page)


def test_attack_48_logs_name_the_route_and_no_secret(process):
    api, person = Api(OverNetwork(process.base)), Person("logged-person")
    api.register(person)
    token = api.transport.cookie()
    api.get("/api/directory?q=needle-in-query")
    api.get(f"/api/accounts/{person.account.hex()}")
    api.sign_in(person)
    said = process.output()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["from"] == "secure_msg.requests"]
    assert {line["route"] for line in requests} >= {"/api/directory", "/api/accounts/<account>"}
    assert all(
        {"id", "method", "route", "status", "ms", "account", "time", "level"} <= set(line)
        for line in requests
    )
    for secret in (
        token,
        token[43:],
        api.csrf,
        person.account.hex(),
        person.name,
        person.login_key.hex(),
        "needle-in-query",
    ):
        assert secret not in said


def test_the_ledger_is_public_and_its_tiles_are_for_ever(api):
    checkpoint = api.get("/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    size = int(checkpoint.body.split(b"\n")[1])
    assert size >= 1
    tile = api.get("/tile/entries/000.p/1")
    assert tile.status == 200
    assert "immutable" in tile.headers["cache-control"]
    for path in ("/tile/0/000.p/256", "/tile/0/x000", "/tile/99/000", "/tile/entries/0", "/tile/"):
        assert api.get(path).status == 404, path


def test_health_is_told_to_anybody(api):
    assert api.get("/healthz").json["status"] == "ok"
