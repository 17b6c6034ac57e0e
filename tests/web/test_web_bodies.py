"""What is sent where something is read: wrong types, too much, too little, altered."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secure_msg.codec.cbor import encode
from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import CredentialChange, Registration, TransactRequest
from secure_msg.codec.schema import to_bytes
from tests.support.api import CBOR, JSON
from tests.support.people import put

KEY = to_base64url(b"k" * 32)
JSON_ROUTES = {
    "/api/registration/begin": {"name": "somebody"},
    "/api/sign-in/begin": {"name": "somebody"},
    "/api/sign-in": {"name": "somebody", "login_key": KEY},
    "/api/recovery/begin": {"name": "somebody"},
    "/api/recovery": {"name": "somebody", "recovery_login_key": KEY},
    "/api/threads": {"peer": KEY},
}
CBOR_ROUTES = {
    "/api/registration": Registration(b"t", b"a", b"k", b"p", b"b", bytes(32), None, (put("k"),)),
    "/api/credential": CredentialChange(bytes(32), bytes(32), bytes(32), None, (put("k"),)),
    # No single other byte makes this version 0, which would be a good request.
    "/api/transact": TransactRequest((), (put("k", 1_000),)),
}
LIMITS = {
    "/api/registration": 256 * 1024,
    "/api/credential": 8 * 1024 * 1024,
    "/api/transact": 4 * 1024 * 1024,
}
REFUSED = {400, 401, 404, 409, 413, 415, 422}
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def api(join):
    found, _ = join("body-sender")
    return found


@pytest.fixture
def unchanged(server):
    """Nothing may be committed by what is refused."""
    before = server.store.stats().transactions
    yield
    assert server.store.stats().transactions == before


def variants(good: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "truncated": good[:-1],
        "half": good[: len(good) // 2],
        "trailing": good + b"\x00",
        "twice": good + good,
        "gzip": gzip.compress(good),
        "bom": b"\xef\xbb\xbf" + good,
        "zeros": bytes(len(good)),
    }


@pytest.mark.parametrize("path", CBOR_ROUTES)
@pytest.mark.parametrize("how", [*variants(b"xx"), "encoded-twice", "json"])
def test_altered_cbor_is_refused(api, unchanged, path, how):
    good = to_bytes(CBOR_ROUTES[path])
    if how == "encoded-twice":
        body = encode(good)
    elif how == "json":
        body = json.dumps({"appends": [], "puts": []}).encode()
    else:
        body = variants(good)[how]
    answer = api.send("POST", path, body, CBOR)
    assert (answer.status, answer.kind) == (400, "malformed")


@pytest.mark.parametrize("path", JSON_ROUTES)
@pytest.mark.parametrize("how", ["empty", "truncated", "half", "twice", "gzip", "bom", "zeros"])
def test_altered_json_is_refused(api, unchanged, path, how):
    good = json.dumps(JSON_ROUTES[path]).encode()
    answer = api.send("POST", path, variants(good)[how], JSON)
    assert (answer.status, answer.kind) == (400, "malformed")


@pytest.mark.parametrize("path", JSON_ROUTES)
def test_json_that_is_not_the_record_is_refused(api, unchanged, path):
    good = JSON_ROUTES[path]
    first = next(iter(good))
    bodies: list[bytes] = [
        json.dumps(json.dumps(good)).encode(),
        json.dumps([good]).encode(),
        json.dumps({**good, "more": 1}).encode(),
        json.dumps({k: v for k, v in good.items() if k != first}).encode(),
        json.dumps({**good, first: None}).encode(),
        json.dumps({**good, first: 7}).encode(),
        json.dumps({**good, first: [good[first]]}).encode(),
        json.dumps(good).replace("}", f', "{first}": "x"}}').encode(),
        json.dumps({**good, first: "\ud800"}).encode(),
        json.dumps(good).encode("utf-16"),
        b"[" * 2_000,
        b"NaN",
        b"1" * 4_000,
        b'{"name": ' + b"9" * 3_000 + b"}",
    ]
    for body in bodies:
        answer = api.send("POST", path, body, JSON)
        assert (answer.status, answer.kind) == (400, "malformed"), body[:60]


@pytest.mark.parametrize("path", [*JSON_ROUTES, *CBOR_ROUTES])
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_another_content_type_is_415(api, unchanged, path, content_type):
    answer = api.send("POST", path, b"a=b", content_type)
    assert (answer.status, answer.kind) == (415, "wrong-type")


@pytest.mark.parametrize("path", [*JSON_ROUTES, *CBOR_ROUTES])
def test_a_compressed_body_is_415(api, unchanged, path):
    content_type = CBOR if path in CBOR_ROUTES else JSON
    answer = api.send("POST", path, b"x", content_type, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.kind) == (415, "wrong-type")


@pytest.mark.parametrize("path", [*JSON_ROUTES, *CBOR_ROUTES])
def test_attack_39_a_body_over_its_limit_is_413(api, unchanged, path):
    limit = LIMITS.get(path, 4_096)
    content_type = CBOR if path in CBOR_ROUTES else JSON
    answer = api.send("POST", path, b"a" * (limit + 1), content_type)
    assert (answer.status, answer.kind) == (413, "too-large")


@pytest.mark.parametrize("path", ["/api/sign-in", "/api/recovery"])
@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 2_000, 1_000_000])
def test_attack_39_login_keys_have_32_bytes(api, unchanged, path, size):
    field = "login_key" if path == "/api/sign-in" else "recovery_login_key"
    answer = api.post_json(path, {"name": "somebody", field: to_base64url(bytes(size))})
    assert answer.status == (413 if size == 1_000_000 else 400)


@pytest.mark.parametrize("path", CBOR_ROUTES)
def test_any_bytes_are_answered_without_a_fault(api, unchanged, path):
    good = to_bytes(CBOR_ROUTES[path])

    @FEW
    @given(
        at=st.integers(0, min(len(good) - 1, 200)),
        byte=st.integers(0, 255),
        cut=st.one_of(st.none(), st.integers(0, len(good))),
    )
    def altered(at: int, byte: int, cut: int | None) -> None:
        body = (good[:at] + bytes([byte]) + good[at + 1 :])[:cut]
        assert api.send("POST", path, body, CBOR).status in REFUSED

    @FEW
    @given(st.binary(max_size=300))
    def anything(body: bytes) -> None:
        assert api.send("POST", path, body, CBOR).status in REFUSED

    altered()
    anything()


@pytest.mark.parametrize("path", JSON_ROUTES)
def test_any_json_is_answered_without_a_fault(api, path):
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    )
    names = st.dictionaries(st.sampled_from([*JSON_ROUTES[path], "other"]), values, max_size=3)

    @FEW
    @given(values | names)
    def anything(value: object) -> None:
        body = json.dumps(value).encode()
        assert api.send("POST", path, body, JSON).status in REFUSED | {200}

    anything()


@pytest.mark.parametrize(
    "query",
    [
        "", "?start=0", "?count=1", "?start=-1&count=1", "?start=0&count=0", "?start=0&count=101",
        "?start=00&count=1", "?start=0x0&count=1", "?start=1e3&count=1", "?start=٣&count=1",
        "?start=0&start=0&count=1", "?start=99999999999999999999&count=1", "?start=9&count=1",
    ],
)  # fmt: skip
def test_pages_that_cannot_be_are_malformed(join, query):
    alice_api, alice = join(f"pager-{abs(hash(query)) % 10**8}")
    _, bob = join(f"paged-{abs(hash(query)) % 10**8}")
    thread, _ = alice_api.begin_conversation(alice, bob)
    answer = alice_api.get(f"/api/threads/{thread.hex()}/entries{query}")
    assert (answer.status, answer.kind) == (400, "malformed")


def test_a_body_where_none_is_read_is_malformed(api, unchanged):
    for method, path in (("POST", "/api/sign-out"), ("DELETE", "/api/sessions/all")):
        answer = api.send(method, path, b"x", "text/plain")
        assert (answer.status, answer.kind) == (400, "malformed")
    assert api.send("POST", "/api/sign-out", b"long" * 1000, "text/plain").status == 413


def test_puts_that_contradict_themselves_are_malformed(api, unchanged):
    one = put("one")
    for puts in (
        (one, one),
        (replace(one, delete=True),),
        (replace(one, blob=b""),),
        (replace(one, blob=b"", delete=True),),
    ):
        assert api.transact((), puts).kind == "malformed"
    assert api.transact((), ()).kind == "malformed"
