"""Names and ids that people send, against the whole server."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from secure_msg.codec.fields import from_base64url
from secure_msg.codec.http import RegistrationResult
from tests.support.people import Person

HOSTILE = (
    "../x", "..\\x", "/etc/passwd", "C:\\con", "CON", "NUL", "aux.txt", "\0", "a\0b", "%2e%2e%2f",
    "..%c0%af", "\u202e", "....//", "~root", "$(id)", "`id`", "|", "a" * 128, "\uff0e\uff0e\uff0f",
    "\n", "\r\nSet-Cookie: a=b", ".git", "-rf", "*", "?", "file://x", "\u2024\u2024/", "\ufeff",
)  # fmt: skip
SERVER_MADE = re.compile(
    r"format|lock|hold|server/(identity|keys|seal\.key)|journal/[0-9]{8}"
    r"|ledger/(checkpoint|heads(\.[0-9a-z]+)?|tile/[0-9x/.p]+|tile/entries/[0-9x/.p]+)"
    r"|general/(accounts|threads)/[0-9a-f]{32}/[a-z0-9-]+"
    r"|local/[0-9a-f]{32}/(index|chain/[a-z0-9-]+|[0-9a-f]{64}\.[0-9]+)"
)


def hostile_texts(count: int) -> list[str]:
    rolls = random.Random(30)
    texts = []
    while len(texts) < count:
        parts = rolls.choices(HOSTILE, k=rolls.randint(1, 3))
        if rolls.random() < 0.5:
            parts.insert(rolls.randrange(len(parts) + 1), "".join(rolls.choices("ab/.\\%", k=5)))
        texts.append("".join(parts)[:128])
    return texts


def files_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_attack_30_hostile_names_and_ids_reach_no_path(server, browser, join, tmp_path_factory):
    storage = Path(server.store._layout.journal).parent
    outside = files_under(tmp_path_factory.getbasetemp()) - {
        f"{storage.relative_to(tmp_path_factory.getbasetemp()).as_posix()}/{name}"
        for name in files_under(storage)
    }
    api, _ = join("path-walker")
    statuses = set()
    for number, text in enumerate(hostile_texts(10_000)):
        match number % 4:
            case 0:
                answer = api.post_json("/api/registration/begin", {"name": text})
            case 1:
                answer = api.post_json("/api/sign-in/begin", {"name": text})
            case 2:
                answer = api.post_json("/api/threads", {"peer": text})
            case _:
                answer = api.get(
                    random.Random(number)
                    .choice(
                        (
                            "/api/private/{}",
                            "/api/threads/{}/entries?start=0&count=1",
                            "/api/accounts/{}",
                            "/api/receipts/{}/0",
                            "/tile/{}",
                            "/static/{}",
                        )
                    )
                    .format(escaped(text))
                )
        statuses.add(answer.status)
        assert answer.status < 500, (text, answer.body)
    assert statuses <= {200, 308, 400, 404, 405, 422}
    server.store.flush()
    assert all(SERVER_MADE.fullmatch(name) for name in files_under(storage)), files_under(storage)
    now_outside = files_under(tmp_path_factory.getbasetemp())
    assert {
        name
        for name in now_outside - outside
        if not (tmp_path_factory.getbasetemp() / name).is_relative_to(storage)
    } == set()


def escaped(text: str) -> str:
    """As a browser would put it into a path, with the dots and slashes left as they are."""
    safe = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./~$*")
    return "".join(chr(b) if b in safe else f"%{b:02X}" for b in text.encode())


def test_attack_31_a_twin_finds_the_name_taken(join, browser):
    join("Twin-One")
    for twin in ("twin-one", "TWIN-ONE", "tw1n-one".replace("1", "i"), "Twin-0ne", "twin-οne"):
        answer = browser().post_json("/api/registration/begin", {"name": twin})
        assert answer.kind in ("name-taken", "name-refused"), twin
    assert browser().post_json("/api/registration/begin", {"name": "twin-two"}).status == 200


def test_attack_31_of_two_at_once_one_gets_the_name(browser):
    first, second = browser(), browser()
    begun = []
    for api, name in ((first, "racer"), (second, "RACER")):
        answer = api.post_json("/api/registration/begin", {"name": name}).json
        person = Person(name, from_base64url(answer["account"]))
        begun.append((api, person, from_base64url(answer["ticket"])))
    results = [
        api.post_record("/api/registration", person.registration(api.server_id(), ticket))
        for api, person, ticket in begun
    ]
    assert results[0].record(RegistrationResult)
    assert results[1].kind == "name-taken"


@pytest.mark.parametrize(
    "name",
    ["<img src=x onerror=alert(1)>", "<script>1</script>", "a'onclick='b", '"><svg/onload=1>'],
)
def test_attack_34_markup_is_no_name_and_is_never_repeated(browser, name):
    for path in ("/api/registration/begin", "/api/sign-in/begin", "/api/recovery/begin"):
        answer = browser().post_json(path, {"name": name})
        assert b"<" not in answer.body
        assert answer.headers["content-type"].startswith("application/")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser().post_json("/api/registration/begin", {"name": name}).kind == "name-refused"
    search = browser().get(f"/api/directory?q={escaped(name)}")
    assert b"<" not in search.body


def test_a_ticket_is_good_for_one_account_and_one_name(browser):
    api = browser()
    answer = api.post_json("/api/registration/begin", {"name": "ticketed"}).json
    ticket = from_base64url(answer["ticket"])
    account = from_base64url(answer["account"])
    server = api.server_id()
    cases = [
        (Person("ticketed", os.urandom(32)), ticket, "statement-refused"),
        (Person("another", account), ticket, "statement-refused"),
        (Person("ticketed", account), ticket[:-1] + b"A", "malformed"),
        (Person("ticketed", account), b"", "malformed"),
    ]
    for person, shown, kind in cases:
        answer = api.post_record("/api/registration", person.registration(server, shown))
        assert answer.kind == kind
    good = Person("ticketed", account)
    request = good.registration(server, ticket)
    assert api.post_record("/api/registration", request).status == 201
    api.session()
    assert api.post_record("/api/registration", request).kind in ("malformed", "name-taken")
