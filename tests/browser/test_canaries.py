"""200 canary texts, passwords and key seeds go through all of it; none is found outside.

Outside is the storage folder (after SIGKILL with its journal, and after a clean stop), the server's
log at its most talkative, and every byte that the browsers sent. Key seeds are taken where they
are drawn: the page's crypto.getRandomValues is wrapped, because what becomes of them (docs/spec/
e2ee.md) cannot be read out. By that page the sizes tell secrets from what is public: 64 bytes are
signing seeds (root and working key: Ed25519 32 and ML-DSA-65 32), 96 private agreement keys (long
term, prekeys, each ratchet turn: X25519 32 and ML-KEM-1024 64), 20 a recovery code. Draws of 12,
16 and 32 bytes are nonces, message ids and salts, which travel, beside content and vault keys.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from secure_msg.e2ee.unlock import read_recovery_code
from tests.browser.person import Person
from tests.support.canaries import Search
from tests.support.relay import Relay, readable
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

WATCH_DRAWS = """(() => {
  const draw = Crypto.prototype.getRandomValues;
  Crypto.prototype.getRandomValues = function (array) {
    const filled = draw.call(this, array);
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    globalThis.noteDraw([...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
    return filled;
  };
})()"""
KEPT_IN_PAGE = """() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,
  location.href, history.state, document.title])"""
SEED_SIZES = {20: (0, 20), 64: (0, 32, 64), 96: (0, 32, 96)}
ALICE, BOB = "alice.canary", "bobby.canary"
A_MESSAGE = 8
MESSAGES = 6
MOST_KILLS = 5
JOURNAL_HEAD = 8


def planted(kind: str, number: int) -> str:
    """A text that nobody else writes, with characters outside of ASCII."""
    seed = f"{kind} {number} {kind}".encode()
    return f"{base64.b32encode(seed * 2)[:26].decode().lower()} ñ {kind} {number}"


@dataclass
class Canaries:
    """What must not be found, by name, and what must be."""

    texts: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str | bytes] = field(default_factory=dict)
    draws: list[bytes] = field(default_factory=list)
    accounts: dict[str, bytes] = field(default_factory=dict)

    def text(self, kind: str) -> str:
        """Eight more canaries, as one message."""
        fresh = [planted(kind, len(self.texts) + one) for one in range(A_MESSAGE)]
        self.texts.update({text: text for text in fresh})
        return "\n".join(fresh)

    def password(self, label: str) -> str:
        self.passwords[label] = planted(f"password {label}", len(self.passwords))
        return self.passwords[label]

    def code(self, label: str, shown: str) -> None:
        raw = read_recovery_code(shown)
        assert raw in self.draws
        bare = "".join(shown.replace("-", " ").split())
        self.codes[f"{label} as groups"] = " ".join(bare[at : at + 4] for at in range(0, 32, 4))
        self.codes[f"{label} with dashes"] = "-".join(bare[at : at + 4] for at in range(0, 32, 4))
        self.codes[f"{label} bare"] = bare
        self.codes[f"{label} in lower case"] = bare.lower()

    def seeds(self) -> list[bytes]:
        return [draw for draw in self.draws if len(draw) in SEED_SIZES]

    def public(self) -> dict[str, str | bytes]:
        """Names, account ids, and message ids, which are drawn like secrets and travel."""
        ids = {f"id {at}": draw for at, draw in enumerate(self.draws) if len(draw) == 16}
        return {"alice's name": ALICE, "bob's name": BOB, **self.accounts, **ids}

    def everything(self) -> dict[str, str | bytes]:
        """With each half of a pair for itself: half a key is a leak too."""
        halves: dict[str, str | bytes] = {}
        for number, seed in enumerate(self.seeds()):
            cuts = SEED_SIZES[len(seed)]
            for begin, end in itertools.pairwise(cuts):
                halves[f"seed {number} of {len(seed)}, from byte {begin}"] = seed[begin:end]
        return {**self.texts, **self.passwords, **self.codes, **halves}


def watched(browser: Browser, base: str, name: str, password: str, canaries: Canaries) -> Person:
    person = Person(browser, base, name, password)
    person.page.expose_function("noteDraw", lambda draw: canaries.draws.append(bytes.fromhex(draw)))
    person.page.add_init_script(WATCH_DRAWS)
    person.page.reload()
    return person


def stored(storage: Path) -> dict[str, bytes]:
    """Every file of the folder, and the names of all of them."""
    files = [path for path in sorted(storage.rglob("*")) if path.is_file()]
    found = {f"storage/{path.relative_to(storage)}": path.read_bytes() for path in files}
    return {**found, "file names": "\n".join(map(str, files)).encode()}


def places(server: ServerProcess, relay: Relay) -> dict[str, bytes]:
    sent = {f"connection {number}": data for number, data in enumerate(relay.received())}
    return {**stored(server.storage), "log": server.log.read_bytes(), **sent}


def converse(alice: Person, bob: Person, canaries: Canaries) -> None:
    first = canaries.text("from alice")
    alice.find(BOB).write(first).stored(first)
    bob.open(ALICE).sees(first).accept()
    for _ in range(MESSAGES):
        there, back = canaries.text("from alice"), canaries.text("from bob")
        alice.write(there).stored(there)
        bob.sees(there).write(back).stored(back)
        alice.sees(back)


def changes_password(person: Person, canaries: Canaries) -> None:
    """In the settings; the new recovery code is one more canary."""
    page, new = person.page, canaries.password("alice's second")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Change password").click()
    page.get_by_role("textbox", name="Current password").fill(person.password)
    page.get_by_role("textbox", name="New password").fill(new)
    page.get_by_role("button", name="Change password").click()
    shown = page.locator("sm-recovery-code .code")
    expect(shown).to_be_visible(timeout=30_000)
    canaries.code("alice's second code", shown.inner_text())
    person.password = new
    page.get_by_role("checkbox", name="I have written it down").check()
    page.get_by_role("button", name="Continue").click()


def recovers(person: Person, code: str, canaries: Canaries) -> None:
    page = person.page
    page.get_by_role("button", name="Use recovery code").click()
    page.get_by_label("Name").fill(person.name)
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Continue").click()
    person.password = canaries.password("bob's second")
    page.get_by_role("textbox", name="New password").fill(person.password)
    page.get_by_role("button", name="Save password").click()
    shown = page.locator("sm-recovery-code .code")
    expect(shown).to_be_visible(timeout=30_000)
    canaries.code("bob's second code", shown.inner_text())
    page.get_by_role("checkbox", name="I have written it down").check()
    page.get_by_role("button", name="Continue").click()
    person.arrived()


def mistypes(person: Person, canaries: Canaries) -> None:
    person.sign_in(canaries.password("one that is wrong"))
    expect(person.page.get_by_text("Name or password is wrong.")).to_be_visible(timeout=30_000)


def account_of(person: Person) -> bytes:
    said = person.page.evaluate("fetch('/api/session').then((answer) => answer.json())")
    return base64.urlsafe_b64decode(said["account"] + "=")


def killed_with_a_journal(server: ServerProcess, person: Person, canaries: Canaries) -> None:
    """SIGKILL right after an acknowledgement, before a flush empties the journal of it."""
    for _ in range(MOST_KILLS):
        text = canaries.text("before the kill")
        person.online().write(text).stored(text)
        server.kill()
        if any(path.stat().st_size > JOURNAL_HEAD for path in server.storage.glob("journal/*")):
            return
        server.start()
    raise AssertionError("no journal was left behind")


def nothing_found(canaries: Canaries, where: Mapping[str, bytes], control: set[str]) -> None:
    """No canary in any place; the same search finds what is public in each kind of place."""
    assert Search(canaries.everything()).find(where) == set()
    found = {one.place for one in Search(canaries.public()).find(where)}
    for kind in control:
        assert any(place.startswith(kind) for place in found), kind


def test_attack_48_nothing_secret_leaves_the_browser(chromium: Browser, tmp_path: Path) -> None:
    canaries = Canaries()
    storage = tmp_path / "storage"
    with (
        ServerProcess(storage, {"LOG_LEVEL": "debug"}) as server,
        Relay(server.base) as relay,
    ):
        first = (canaries.password("alice's first"), canaries.password("bob's first"))
        alice = watched(chromium, relay.base, ALICE, first[0], canaries).register()
        bob = watched(chromium, relay.base, BOB, first[1], canaries).register()
        canaries.code("alice's first code", alice.recovery_code)
        canaries.code("bob's first code", bob.recovery_code)
        converse(alice, bob, canaries)
        canaries.accounts = {"alice's id": account_of(alice), "bob's id": account_of(bob)}

        killed_with_a_journal(server, alice, canaries)
        nothing_found(canaries, places(server, relay), {"storage/journal/", "connection"})
        waiting, never = canaries.text("waits"), canaries.text("is never sent")
        alice.write(waiting)
        bob.write(never)
        kept_in_page = {"the page": bob.page.evaluate(KEPT_IN_PAGE).encode()}
        bob.leave()
        server.start()
        alice.stored(waiting)

        draft = canaries.text("a draft")
        alice.composer.fill(draft)
        alice.page.wait_for_timeout(1_500)
        alice.reload().sees(waiting)
        expect(alice.composer).to_have_value(draft)
        changes_password(alice, canaries)
        kept_in_page["alice's page"] = alice.page.evaluate(KEPT_IN_PAGE).encode()
        other = watched(chromium, relay.base, BOB, "", canaries)
        mistypes(other, canaries)
        recovers(other, bob.recovery_code, canaries)
        other.open(ALICE).sees(waiting)

        killed_with_a_journal(server, other, canaries)
        nothing_found(canaries, places(server, relay), {"storage/journal/", "connection"})
        server.start()
        other.online()
        for person in (alice, other):
            person.untroubled()
            person.leave()
        server.stop()

        kinds = {"storage/general/accounts/", "storage/general/threads/", "connection"}
        nothing_found(canaries, {**places(server, relay), **kept_in_page}, kinds)
        enough(canaries)


def enough(canaries: Canaries) -> None:
    assert len(canaries.texts) >= (2 * MESSAGES + 6) * A_MESSAGE
    assert len(canaries.passwords) == 5
    assert len(canaries.seeds()) >= 60
    assert {len(seed) for seed in canaries.seeds()} == set(SEED_SIZES)
    assert len(canaries.texts) + len(canaries.passwords) + len(canaries.seeds()) >= 200


def test_the_search_finds_every_spelling() -> None:
    """The control of the control: planted in any spelling, at any offset, a canary is found."""
    text, seed = planted("control", 1), bytes(range(200, 232))
    search = Search({"text": text, "seed": seed})
    around = "etwas davor "
    forms = [
        text.encode(),
        text.encode("utf-16-le"),
        json.dumps({"text": text}).encode(),
        quote(text).encode(),
        text.encode().hex().encode(),
        *(base64.b64encode((around[:at] + text + around).encode()) for at in range(3)),
        seed,
        *(base64.urlsafe_b64encode(bytes(at) + seed + b"after") for at in range(3)),
        base64.b64encode(hashlib.sha256(seed).digest()),
    ]
    for form in forms:
        assert search.find({"somewhere": b"x" * 5 + form + b"y" * 5}), form
    assert search.find({"somewhere": text.encode()[:-1] + seed[:-1] + text[1:].encode()}) == set()


def test_the_relay_reads_masked_frames() -> None:
    """RFC 6455 section 5.7's masked "Hello", in pieces, after an upgrade; a ping between them."""
    head = b"GET /s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
    hello = bytes.fromhex("818537fa213d7f9f4d5158")
    ping = bytes.fromhex("8985") + bytes(4) + b"12345"
    long = b"\x82\xfe" + (300).to_bytes(2, "big") + b"\1\2\3\4" + bytes([1, 2, 3, 4]) * 75
    expected = head + b"Hello" + b"12345" + bytes(300) + b"Hel"
    assert readable(head + hello + ping + long + hello[:9]) == expected
    assert readable(b"POST / HTTP/1.1\r\n\r\nbody") == b"POST / HTTP/1.1\r\n\r\nbody"
    with pytest.raises(ValueError, match="extension"):
        readable(head + b"\xc1" + hello[1:])
