"""Attacks 36 and 37: what one may not see, and who is here, cannot be told from the answers."""

from __future__ import annotations

import os
import random
from statistics import median
from time import thread_time

import pytest

from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import (
    SERVER_PATHS,
    CredentialChange,
    PrivateList,
    PutFile,
    TransactRequest,
)
from tests.support.people import path_of, put

VOLATILE = ("x-request-id", "date", "set-cookie")


def shape(answer) -> tuple:
    """All that could tell two answers apart, but for what is random in every answer."""
    headers = sorted((k, v) for k, v in answer.headers.items() if k not in VOLATILE)
    return answer.status, answer.body, headers


@pytest.fixture(scope="module")
def talk(join):
    alice_api, alice = join("enum-alice")
    _, bob = join("enum-robert")
    thread, session = alice_api.begin_conversation(alice, bob)
    alice_api.transact((), (put("secret"),))
    eve_api, eve = join("enum-eve")
    return alice_api, alice, thread, session, eve_api, eve


def test_attack_36_what_is_not_mine_answers_as_what_is_not_there(talk):
    alice_api, _, thread, session, eve_api, eve = talk
    nothing = os.urandom(32)
    own_session = alice_api.session()["session"]
    page = "entries?start=0&count=1"
    pairs = [
        (f"/api/threads/{thread.hex()}/{page}", f"/api/threads/{nothing.hex()}/{page}"),
        (f"/api/threads/{thread.hex()}/marks", f"/api/threads/{nothing.hex()}/marks"),
        (f"/api/receipts/{thread.hex()}/0", f"/api/receipts/{nothing.hex()}/0"),
        (f"/api/private/{path_of('secret').hex()}", f"/api/private/{nothing.hex()}"),
    ]  # fmt: skip
    for real, invented in pairs:
        assert shape(eve_api.get(real)) == shape(eve_api.get(invented))
        assert eve_api.get(real).kind == "not-found"
    ended = [eve_api.send("DELETE", f"/api/sessions/{one}") for one in (own_session, "ab" * 16)]
    assert shape(ended[0]) == shape(ended[1])
    written = [
        eve_api.post_record("/api/transact", TransactRequest((make(eve, where),), ()))
        for where in (thread, nothing)
        for make in (
            lambda who, at: who.message(at, session),
            lambda who, at: who.handshake(at, eve.account)[0],
            lambda who, at: who.opened(at, talk[1].account),
            lambda who, at: who.reset(at, session),
        )
    ]
    assert all(shape(answer) == shape(written[0]) for answer in written)
    assert written[0].kind == "not-found"


def test_attack_36_somebody_else_s_chain_cannot_be_written(talk, server):
    _, alice, _, _, eve_api, _ = talk
    before = server.store.head(alice.account).size
    for kind in ("keys", "prekey", "prekey-batch"):
        assert eve_api.transact((alice.own(kind, 2),)).kind == "not-found"
    assert server.store.head(alice.account).size == before


def test_the_server_s_own_files_are_nobody_s(talk):
    alice_api = talk[0]
    for path in SERVER_PATHS:
        assert alice_api.get(f"/api/private/{path.hex()}").kind == "not-found"
        for expected in (0, 1):
            stolen = PutFile(path, expected, b"mine now", False)
            assert alice_api.transact((), (stolen,)).kind == "malformed"
    listed = alice_api.get("/api/private").record(PrivateList).files
    assert not {item.path for item in listed} & SERVER_PATHS


def test_attack_37_known_and_unknown_names_answer_alike(join, browser):
    join("known-name")
    names = ("known-name", "unknown-nm")
    for path, more in (
        ("/api/sign-in", {"login_key": to_base64url(b"x" * 32)}),
        ("/api/recovery", {"recovery_login_key": to_base64url(b"x" * 32)}),
    ):
        answers = [browser().post_json(path, {"name": name, **more}) for name in names]
        assert shape(answers[0]) == shape(answers[1])
        assert answers[0].kind == "sign-in-failed"
    for path, field in (
        ("/api/sign-in/begin", "stored_random"),
        ("/api/recovery/begin", "account"),
    ):
        first = [browser().post_json(path, {"name": name}) for name in names]
        again = [browser().post_json(path, {"name": name}) for name in names]
        assert [one.json[field] for one in first] == [one.json[field] for one in again]
        assert {len(one.json[field]) for one in first} == {43}
        assert {tuple(one.json) for one in first} == {tuple(first[0].json)}
        assert first[0].json[field] != first[1].json[field]


def test_attack_37_an_account_without_a_recovery_code_answers_alike(join, browser):
    api, person = join("no-recovery")
    change = CredentialChange(person.login_key, bytes(32), person.login_key, None, ())
    assert api.post_record("/api/credential", change).status == 200
    key = to_base64url(b"x" * 32)
    answers = [
        browser().post_json("/api/recovery", {"name": name, "recovery_login_key": key})
        for name in ("no-recovery", "nobody-here")
    ]
    assert shape(answers[0]) == shape(answers[1])


def test_attack_37_unknown_names_with_other_spellings_keep_their_answer(browser):
    answers = {
        browser().post_json("/api/sign-in/begin", {"name": name}).json["stored_random"]
        for name in ("ghosted", "GHOSTED", " ghosted ", "gh0sted")
    }
    assert len(answers) == 1


@pytest.mark.parametrize("path", ["/api/sign-in/begin", "/api/sign-in", "/api/recovery"])
def test_attack_37_known_and_unknown_names_take_the_same_time(server, join, browser, path):
    """Of one drawn from each, the known name's takes longer half of the time.

    Processor time of this thread, which does all the work: other load on the machine is not in it.
    With 600 of each, chance alone keeps the share within 0.5 ± 0.017 (one standard deviation of the
    Mann-Whitney statistic): ± 0.1 is six of them. A difference of 3 % in the middle is let pass.
    """
    suffix = f"{path.count('e')}{len(path)}"
    for number in range(20):
        join(f"timed-{number}-{suffix}")
    # What was registered a moment ago is read from memory, which is another matter.
    server.store.flush()
    api = browser()
    rolls = random.Random(37)
    key = to_base64url(b"x" * 32)
    field = {"/api/sign-in": "login_key", "/api/recovery": "recovery_login_key"}.get(path)
    more = {} if field is None else {field: key}
    times: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(1_240):
        known = rolls.random() < 0.5 if turn >= 40 else turn % 2 == 0
        number = rolls.randrange(20) if turn >= 40 else turn // 2
        name = f"timed-{number}-{suffix}" if known else f"times-{number}-{suffix}"
        began = thread_time()
        api.post_json(path, {"name": name, **more})
        # The first of each name fills caches, known and unknown alike.
        if turn >= 40:
            times[known].append(thread_time() - began)
    longer = sum(k > u for k in times[True] for u in times[False])
    share = longer / (len(times[True]) * len(times[False]))
    ratio = median(times[True]) / median(times[False])
    assert 0.4 < share < 0.6 or 0.97 < ratio < 1.03, (share, ratio)
