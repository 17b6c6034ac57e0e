"""Limits, as they are for real: attacks 4, 33, 37, 39."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from secure_msg.bootstrap import build
from secure_msg.codec.accounts import Bundle
from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import CredentialChange, TransactRequest, WireAppend
from secure_msg.store.files import run_here
from secure_msg.web import counts
from secure_msg.web.errors import WebProblem
from secure_msg.web.limits import address_key, limits
from tests.support.api import Api, InProcess
from tests.support.people import Person, put
from tests.web.conftest import settings_for

KEY = to_base64url(b"k" * 32)


@pytest.fixture
def limited(tmp_path):
    server = build(settings_for(tmp_path / "storage", RATE_FACTOR="1"), offload=run_here)
    yield server
    server.close()


def at(server, address: str) -> Api:
    return Api(InProcess(server.web.flask, address))


def assert_slowed(answer) -> None:
    assert (answer.status, answer.kind) == (429, "slow-down")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json["retry_after"] > 0


def test_attack_39_sign_ins_are_limited_by_name_whoever_asks(limited):
    Api(InProcess(limited.web.flask)).register(Person("wanted"))
    for name in ("wanted", "unknown-too"):
        for number in range(10):
            api = at(limited, f"10.0.{number}.1")
            assert api.post_json("/api/sign-in", {"name": name, "login_key": KEY}).status == 401
        api = at(limited, "10.0.99.1")
        assert_slowed(api.post_json("/api/sign-in", {"name": name, "login_key": KEY}))
        spelled = {"name": f" {name.upper()} ", "login_key": KEY}
        assert_slowed(at(limited, "10.0.98.1").post_json("/api/sign-in", spelled))


def test_attack_37_guessing_names_is_limited_by_address(limited):
    api = at(limited, "10.1.0.1")
    for number in range(30):
        assert api.post_json("/api/sign-in/begin", {"name": f"guess-{number}"}).status == 200
    assert_slowed(api.post_json("/api/sign-in/begin", {"name": "one-more"}))
    assert at(limited, "10.1.0.2").post_json("/api/sign-in/begin", {"name": "x-y-z"}).status == 200


def test_attack_33_registrations_are_limited_by_address(limited):
    api = at(limited, "10.2.0.1")
    wrong = Person("x", b"a" * 32).registration(b"s" * 32, b"t")
    for _ in range(20):
        assert api.post_record("/api/registration", wrong).status == 400
    assert_slowed(api.post_record("/api/registration", wrong))


def test_everything_else_is_limited_too(limited):
    api = at(limited, "10.3.0.1")
    statuses = [api.get("/api/server").status for _ in range(601)]
    assert statuses[:600] == [200] * 600
    assert statuses[600] == 429
    assert at(limited, "10.3.0.2").get("/api/server").status == 200
    assert api.get("/healthz").status == 200


def test_attack_04_one_time_keys_run_out_slowly_for_one_asker(limited):
    asker, asked = at(limited, "10.4.0.1"), Person("drained")
    asker.register(Person("drainer"))
    owner = at(limited, "10.4.0.2")
    owner.register(asked)
    given = 0
    path = f"/api/accounts/{asked.account.hex()}/bundle"
    for _ in range(15):
        bundle = asker.send("POST", path).record(Bundle)
        given += bundle.one_time is not None
        assert bundle.prekey
    assert given == 4
    more = WireAppend(asked.account, "prekey-batch", asked.batch(2, 32), None)
    assert owner.transact((more,)).status == 200
    assert asker.send("POST", path).record(Bundle).one_time is None
    other = at(limited, "10.4.0.3")
    other.register(Person("another-asker"))
    given = sum(other.send("POST", path).record(Bundle).one_time is not None for _ in range(15))
    assert given == 10


def test_attack_33_a_folder_keeps_to_its_quota_whoever_fills_it(tmp_path):
    values = settings_for(tmp_path / "storage", FOLDER_QUOTA_MIB="1")
    server = build(values, offload=run_here)
    api, person = Api(InProcess(server.web.flask)), Person("collector")
    api.register(person)
    full = (put("one", size=600_000), put("two", size=600_000))
    change = CredentialChange(person.login_key, bytes(32), person.login_key, None, full)
    for answer in (api.transact((), full), api.post_record("/api/credential", change)):
        assert (answer.status, answer.kind, answer.json["detail"]) == (413, "too-large", "quota")
    assert api.transact((), full[:1]).status == 200
    again = replace(change, puts=(put("one", 1, size=600_000),))
    assert api.post_record("/api/credential", again).status == 200
    server.close()


def test_transactions_are_limited_by_account(limited, monkeypatch):
    # However slow the machine is, all of them are asked within one second.
    monkeypatch.setattr(counts, "time", SimpleNamespace(monotonic=lambda: 0.0, time=lambda: 0.0))
    api = at(limited, "10.5.0.1")
    api.register(Person("busy-body"))
    statuses = [
        api.post_record("/api/transact", TransactRequest((), (put("x", 9),))).status
        for _ in range(60)
    ]
    assert statuses == [409] * 50 + [429] * 10


def test_attack_33_signed_statements_are_limited_by_account(limited):
    api, person = at(limited, "10.6.0.1"), Person("signs-much")
    api.register(person)
    wrong = tuple(WireAppend(person.account, "prekey", b"x", None) for _ in range(8))
    kinds = [api.transact(wrong).kind for _ in range(16)]
    assert kinds == ["statement-refused"] * 15 + ["slow-down"]
    assert api.transact((), (put("still"),)).status == 200
    other = at(limited, "10.6.0.1")
    other.register(Person("signs-little"))
    assert other.transact(wrong).kind == "not-found"


def test_attack_33_what_is_kept_for_ever_is_limited_by_account(limited):
    api, person = at(limited, "10.7.0.1"), Person("keeps-much")
    api.register(person)
    body = TransactRequest(
        tuple(WireAppend(b"t" * 32, "message", bytes(65_000), None) for _ in range(8)), ()
    )
    with limited.web.flask.app_context():
        for _ in range(257):
            limits().require_transaction(person.account, body)
        with pytest.raises(WebProblem) as refused:
            limits().require_transaction(person.account, body)
        limits().require_transaction(b"o" * 32, body)
    assert refused.value.problem.kind == "slow-down"


def test_ipv6_addresses_of_one_network_count_as_one():
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:2")
    assert address_key("2001:db8:0:1::1") != address_key("2001:db8::1")
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1")


def test_a_closed_server_takes_nobody(tmp_path):
    server = build(settings_for(tmp_path / "storage", REGISTRATION="closed"), offload=run_here)
    api = Api(InProcess(server.web.flask))
    assert api.get("/api/server").json["registration"] == "closed"
    answer = api.post_json("/api/registration/begin", {"name": "too-late"})
    assert (answer.status, answer.kind, answer.json["detail"]) == (
        403,
        "refused",
        "registration-closed",
    )
    server.close()
