"""No message is lost, none comes twice: lost answers, old files, missing entries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from secure_msg.codec.http import PrivateList
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.hash import sha256
from tests.browser.pair import agree, strangers, two
from tests.browser.person import LONG, Person
from tests.browser.wire import Wire, altered_message, without_entry
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

ENTRIES = re.compile(r"/api/threads/[0-9a-f]{64}/entries")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests that leave it alone."""
    with ServerProcess(tmp_path_factory.mktemp("resilience") / "storage") as running:
        yield running


def test_a_lost_acknowledgement_makes_no_second_message(
    chromium: Browser, server: ServerProcess
) -> None:
    alice, bob = two(chromium, server)
    wire = Wire(alice.page)
    alice.reload().open(bob.name).sees("welcome")
    for number in range(3):
        alice.until(lambda: wire.connected, "connected")
        wire.drop_next_ack = True
        text = f"lost answer {number}"
        alice.write(text).stored(text)
        bob.sees(text)
    assert wire.dropped == 3
    alice.write("one more").stored("one more")
    bob.sees("one more")
    assert len(bob.texts()) == 6
    agree(alice, bob)
    agree(alice.reload().open(bob.name).sees("hello", "one more"), bob)
    alice.leave()
    bob.leave()


def private_files(person: Person) -> dict[str, int]:
    """The versions of the person's files by path."""
    answer = person.page.request.get(f"{person.base}/api/private")
    assert answer.ok
    listed = from_bytes(PrivateList, answer.body(), limit=8 * 1024 * 1024)
    return {item.path.hex(): item.version for item in listed.files if item.size > 0}


def send_many(person: Person, to: Person, texts: list[str]) -> str:
    """As the composer does, with no page that draws each of them; the thread in hex."""
    thread = person.page.evaluate("location.hash.split('/')[2]")
    for who in (person, to):
        who.page.evaluate("location.hash = '#/'")
    person.page.evaluate(
        """async ([thread, texts]) => {
          const { app } = document.querySelector('secure-msg');
          for (const text of texts) await app.send(thread, text);
        }""",
        [thread, texts],
    )
    last = to.page.get_by_role("navigation", name="Conversations").get_by_text(texts[-1])
    expect(last).to_be_visible(timeout=5 * LONG)
    assert isinstance(thread, str)
    return thread


def scroll_to_the_beginning(person: Person, oldest: str) -> None:
    """Up and up; what was on the screen stays where it was while older messages come above it."""
    timeline = person.page.locator(".timeline")
    for _ in range(40):
        if oldest in person.texts():
            return
        before = len(person.texts())
        timeline.evaluate("box => { box.scrollTop = 0 }")
        person.until(lambda before=before: len(person.texts()) > before, "older messages")  # type: ignore[misc]
    raise AssertionError(f"{oldest} never came")


def test_a_long_history_is_read_page_by_page(chromium: Browser, server: ServerProcess) -> None:
    alice, bob = two(chromium, server)
    files = private_files(alice)
    texts = [f"number {number}" for number in range(262)]
    thread = send_many(alice, bob, texts)
    alice.open(bob.name).stored(texts[-1])
    bob.open(alice.name).sees(texts[-1])
    # The archive's first segment has come: 192 keys have left the session file.
    mark = sha256(b"securemsg/file/mark/1" + bytes.fromhex(thread)).hex()
    assert len({*private_files(alice)} - {*files, mark}) == 1
    alice.reload().open(bob.name).sees(texts[-1])
    shown = len(alice.texts())
    assert shown < 130
    timeline = alice.page.locator(".timeline")
    before = alice.page.locator("li.message").first
    key = before.get_attribute("data-key")
    kept = alice.page.locator(f'li.message[data-key="{key}"]')
    timeline.evaluate("box => { box.scrollTop = 100 }")
    top = kept.bounding_box()
    alice.until(lambda: len(alice.texts()) > shown, "older messages")
    after = kept.bounding_box()
    assert top is not None
    assert after is not None
    assert abs(top["y"] - after["y"]) < 40
    scroll_to_the_beginning(alice, "hello")
    assert alice.texts() == ["hello", "welcome", *texts]
    fresh = bob.elsewhere().sign_in().arrived().open(alice.name).sees(texts[-1])
    scroll_to_the_beginning(fresh, "hello")
    assert fresh.texts() == ["hello", "welcome", *texts]
    for who in (alice, bob, fresh):
        who.untroubled()
        who.leave()


def test_attack_41_a_request_tells_the_sender_nothing(
    chromium: Browser, server: ServerProcess
) -> None:
    """No read mark and no typing before acceptance, and no mark when they are switched off."""
    alice, bob = strangers(chromium, server)
    wire = Wire(bob.page)
    bob.reload()
    alice.find(bob.name).write("do you read me").stored("do you read me")
    bob.open(alice.name).sees("do you read me")
    alice.composer.press_sequentially("typing away", delay=30)
    bob.page.wait_for_timeout(6_000)
    assert bob.page.get_by_text("typing").count() == 0
    assert "typing" not in wire.events
    assert dict(alice.states())["do you read me"] == "stored"
    bob.accept()
    alice.until(lambda: dict(alice.states())["do you read me"] == "read", "read")
    bob.page.evaluate("location.hash = '#/settings/preferences'")
    bob.page.get_by_role("switch").click()
    bob.page.evaluate("location.hash = '#/'")
    bob.open(alice.name)
    alice.write("and this one").stored("and this one")
    bob.sees("and this one")
    bob.page.wait_for_timeout(6_000)
    assert dict(alice.states())["and this one"] == "stored"
    alice.leave()
    bob.leave()


def test_block_unblock_delete_and_a_new_request(chromium: Browser, server: ServerProcess) -> None:
    alice, bob = two(chromium, server)

    def decide(first: str, second: str | None = None) -> None:
        bob.page.get_by_role("button", name=re.compile(f"^{first}")).first.click()
        if second is not None:
            bob.page.locator("dialog[open]").get_by_role("button", name=second, exact=True).click()

    bob.page.get_by_role("button", name="Details").last.click()
    decide("Block", "Block")
    expect(bob.page.get_by_role("button", name="Unblock").first).to_be_visible()
    alice.write("not to be seen").stored("not to be seen")
    bob.page.wait_for_timeout(1_500)
    assert bob.texts() == []
    assert bob.page.get_by_text("not to be seen").count() == 0
    bob.reload()
    assert bob.page.get_by_text("not to be seen").count() == 0
    bob.page.get_by_role("button", name="Unblock").first.click()
    bob.sees("hello", "welcome", "not to be seen")
    decide("Delete", "Delete")
    expect(bob.page.get_by_role("link", name=re.compile(f"^{alice.name}"))).to_have_count(0)
    bob.reload()
    expect(bob.page.get_by_role("link", name=re.compile(f"^{alice.name}"))).to_have_count(0)
    alice.write("hello again").stored("hello again")
    bob.open(alice.name).sees("hello again")
    assert bob.texts() == ["hello again"]
    bob.accept().write("here I am").stored("here I am")
    alice.sees("here I am")
    fresh = bob.elsewhere().sign_in().arrived().open(alice.name).sees("hello again", "here I am")
    assert fresh.texts() == ["hello again", "here I am"]
    for who in (alice, bob, fresh):
        who.untroubled()
        who.leave()


def refusing(status: int, kind: str, **headers: str) -> Callable[[Route], None]:
    """A handler that answers with a problem instead of the server."""

    def handle(route: Route) -> None:
        body = json.dumps({"type": f"/problems/{kind}", "title": kind, "status": status})
        route.fulfill(
            status=status,
            body=body,
            headers={"Content-Type": "application/problem+json", **headers},
        )

    return handle


def test_what_fails_stays_and_can_be_tried_again(chromium: Browser, server: ServerProcess) -> None:
    alice, bob = two(chromium, server)
    wire = Wire(alice.page)
    wire.down = True
    alice.reload().open(bob.name)
    alice.page.route("**/api/transact", refusing(503, "read-only"))
    for text in ("to keep", "to delete"):
        alice.write(text)
    alice.until(lambda: [s for _, s in alice.states()].count("failed") == 2, "failed")
    alice.page.unroute("**/api/transact")
    alice.page.route("**/api/transact", refusing(429, "slow-down", **{"Retry-After": "1"}))
    alice.reload().open(bob.name)
    alice.until(lambda: [s for _, s in alice.states()].count("failed") == 2, "failed")
    alice.page.locator("li", has_text="to keep").get_by_role("button", name="Try again").click()
    alice.page.wait_for_timeout(1_500)
    assert dict(alice.states())["to keep"] == "sending"
    alice.page.unroute("**/api/transact")
    alice.stored("to keep")
    alice.page.locator("li", has_text="to delete").get_by_role("button", name="Delete").click()
    alice.page.locator("dialog[open]").get_by_role("button", name="Delete", exact=True).click()
    alice.until(lambda: "to delete" not in alice.texts(), "deleted")
    bob.sees("to keep")
    assert {trouble[:3] for trouble in alice.troubles} == {"503"}
    alice.troubles.clear()
    agree(bob, alice)
    alice.leave()
    bob.leave()


def test_a_conversation_that_could_not_be_loaded_is_loaded_later(
    chromium: Browser, server: ServerProcess
) -> None:
    alice, bob = two(chromium, server)
    alice.page.wait_for_timeout(5_500)
    alice.page.route(ENTRIES, refusing(503, "busy"))
    alice.reload().open(bob.name)
    bob.write("while she waits").stored("while she waits")
    alice.page.wait_for_timeout(1_000)
    assert alice.texts() == []
    alice.page.unroute(ENTRIES)
    alice.sees("hello", "welcome", "while she waits")
    alice.write("now I see").stored("now I see")
    bob.sees("now I see")
    assert {trouble[:3] for trouble in alice.troubles} == {"503"}
    alice.troubles.clear()
    agree(alice, bob)
    alice.leave()
    bob.leave()


def test_attack_11_an_older_session_file_is_noticed(
    chromium: Browser, server: ServerProcess
) -> None:
    alice, bob = two(chromium, server)
    old: dict[str, bytes] = {}

    def record(route: Route) -> None:
        answer = route.fetch()
        if answer.ok:
            old[route.request.url] = answer.body()
        route.fulfill(response=answer)

    pattern = re.compile(r"/api/private/[0-9a-f]{64}")
    alice.page.wait_for_timeout(5_500)
    alice.page.route(pattern, record)
    alice.reload().open(bob.name).sees("welcome")
    before = private_files(alice)
    alice.page.unroute(pattern)
    alice.write("after the copy").stored("after the copy")
    after = private_files(alice)
    changed = [path for path, version in after.items() if before.get(path) != version]
    session = next(url for url in old if url.rpartition("/")[2] in changed)

    def serve_old(route: Route) -> None:
        route.fulfill(body=old[session], headers={"Content-Type": "application/cbor"})

    for who in (alice, alice.elsewhere()):
        who.context.route(re.compile(re.escape(session.rpartition("/")[2])), serve_old)
        if who is alice:
            who.reload().open(bob.name)
        else:
            who.sign_in().arrived().open(bob.name)
        banner = who.page.get_by_text("This server shows an older state than this browser has seen")
        expect(banner).to_be_visible(timeout=LONG)
        expect(who.composer).to_have_count(0)
        who.untroubled()
        who.leave()
    assert bob.texts() == ["hello", "welcome", "after the copy"]
    bob.leave()


def test_attack_10_a_missing_entry_is_noticed(chromium: Browser, server: ServerProcess) -> None:
    alice, bob = two(chromium, server)
    wire = Wire(bob.page)
    bob.reload().open(alice.name).sees("welcome")
    wire.drop_entries = 2
    for text in ("dropped", "dropped too", "comes"):
        alice.write(text).stored(text)
    bob.sees("dropped", "dropped too", "comes")
    assert wire.dropped == 2
    agree(alice, bob)
    # The page of the history lacks one entry: nothing of it is believed.
    other = bob.elsewhere()
    sequence = 8
    other.page.route(ENTRIES, without_entry(sequence))
    other.sign_in().arrived().open(alice.name)
    banner = other.page.get_by_text("gave answers that contradict each other")
    expect(banner).to_be_visible(timeout=LONG)
    expect(other.composer).to_have_count(0)
    for who in (alice, bob, other):
        who.untroubled()
        who.leave()


def test_the_server_dies_between_send_and_save(chromium: Browser, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice, bob = two(chromium, server)
        wire = Wire(alice.page)
        alice.reload().open(bob.name).sees("welcome")
        wire.on_transact = server.kill
        alice.write("in the last moment")
        alice.until(lambda: not server.running, "killed")
        server.start()
        alice.stored("in the last moment")
        # Bob has read it and not yet saved that when the server goes again.
        bob.online().sees("in the last moment")
        server.kill()
        alice.write("and again")
        server.start()
        alice.stored("and again")
        bob.online().sees("and again")
        bob.write("all here").stored("all here")
        alice.sees("all here")
        agree(alice, bob)
        agree(bob.elsewhere().sign_in().arrived().open(alice.name).sees("all here"), alice)


def test_what_cannot_be_read_is_asked_for_and_comes_once(
    chromium: Browser, server: ServerProcess
) -> None:
    alice, bob = two(chromium, server)
    wire = Wire(alice.page)
    alice.reload().open(bob.name).sees("welcome")
    wire.alter = altered_message
    alice.write("damaged on the way")
    notice = bob.page.get_by_text("A message here cannot be read")
    expect(notice).to_be_visible(timeout=LONG)
    wire.alter = None
    alice.write("this one is whole")
    bob.sees("this one is whole")
    expect(bob.page.get_by_text("1 message is missing here")).to_be_visible()
    bob.page.get_by_role("button", name="Ask for it again").click()
    bob.sees("damaged on the way")
    expect(notice).to_have_count(0)
    alice.sees("damaged on the way")
    bob.write("thank you").stored("thank you")
    alice.sees("thank you")
    assert bob.reload().open(alice.name).sees("damaged on the way", "thank you")
    bob.page.wait_for_timeout(1_000)
    assert bob.texts().count("damaged on the way") == 1
    alice.untroubled()
    bob.untroubled()
    alice.leave()
    bob.leave()
