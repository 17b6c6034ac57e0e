"""Tabs of one browser: they send each message once, show the same, and sign out together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pair import agree, two
from tests.browser.person import LONG, Person
from tests.browser.wire import Wire, tab
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests that leave it alone."""
    with ServerProcess(tmp_path_factory.mktemp("tabs") / "storage") as running:
        yield running


def reopen(person: Person, name: str) -> Person:
    """A new page in the same browser, as after closing the window."""
    person.page.close()
    person.page = person.context.new_page()
    person.page.set_default_timeout(LONG)
    person.watch(person.page)
    person.page.goto(person.base)
    return person.arrived().open(name)


def test_what_was_written_offline_survives_the_window_and_keeps_its_order(
    chromium: Browser, tmp_path: Path
) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice, bob = two(chromium, server)
        second = tab(alice).arrived().open(bob.name).sees("hello", "welcome")
        server.kill()
        waiting = [f"waiting {number}" for number in range(4)]
        for text in waiting[:3]:
            alice.write(text)
        alice.sees(*waiting[:3])
        second.sees(*waiting[:3]).write(waiting[3])
        second.sees(*waiting)
        alice.sees(*waiting)
        alice.composer.fill("only begun")
        alice.page.wait_for_timeout(700)
        alice.page.close()
        second.page.close()
        server.start()
        reopen(alice, bob.name).stored(*waiting)
        assert alice.composer.input_value() == "only begun"
        bob.online().sees(*waiting)
        assert bob.texts() == ["hello", "welcome", *waiting]
        agree(bob, alice)


def test_two_tabs_send_each_message_once(chromium: Browser, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice, bob = two(chromium, server)
        second = tab(alice).arrived().open(bob.name).sees("hello", "welcome")
        texts = []
        for number in range(4):
            for who, label in ((alice, "first"), (second, "second")):
                texts.append(f"{label} tab {number}")
                who.write(texts[-1])
        for who in (alice, second, bob):
            who.sees(*texts)
        server.kill()
        alice.write("queued in the first")
        second.write("queued in the second")
        texts += ["queued in the first", "queued in the second"]
        alice.sees(*texts)
        second.sees(*texts)
        server.start()
        alice.stored(*texts)
        second.stored(*texts)
        bob.online().sees(*texts)
        bob.write("read in both").stored("read in both")
        alice.sees("read in both")
        second.sees("read in both")
        agree(bob, alice, second)


def test_what_another_tab_sent_stays_shown_until_its_entry_comes(
    chromium: Browser, server: ServerProcess
) -> None:
    alice, bob = two(chromium, server)
    second = tab(alice).arrived()
    wire = Wire(second.page)
    second.reload().open(bob.name).sees("hello", "welcome")
    alice.until(lambda: wire.connected, "connected")
    # From now on the second tab learns from the first alone.
    wire.drop_entries = 1_000
    second.page.route("**/api/**", lambda route: route.abort())
    alice.write("acknowledged to the first").stored("acknowledged to the first")
    second.stored("acknowledged to the first")
    alice.until(lambda: wire.dropped > 0, "the announcement, which is dropped")
    second.page.wait_for_timeout(1_000)
    assert second.texts() == ["hello", "welcome", "acknowledged to the first"]
    wire.drop_entries = 0
    second.page.unroute("**/api/**")
    bob.sees("acknowledged to the first").write("and here").stored("and here")
    second.sees("and here")
    alice.sees("and here")
    agree(bob, alice, second)
    alice.leave()
    bob.leave()


def test_tabs_sign_out_and_change_the_password_together(
    chromium: Browser, server: ServerProcess
) -> None:
    alice, bob = two(chromium, server)
    second = tab(alice).arrived().open(bob.name).sees("hello", "welcome")
    alice.page.evaluate("location.hash = '#/settings/password'")
    page = alice.page
    page.get_by_label("Current password").fill(alice.password)
    page.get_by_label("New password").fill("another battery staple")
    page.get_by_role("button", name="Change password").last.click()
    expect(page.get_by_text("Your password is changed").first).to_be_visible(timeout=LONG)
    second.write("under the new password").stored("under the new password")
    bob.sees("under the new password")
    page.evaluate("location.hash = '#/'")
    alice.open(bob.name).sees("under the new password")
    alice.write("from the first tab").stored("from the first tab")
    second.sees("from the first tab")
    agree(bob, alice, second)
    page.evaluate("location.hash = '#/settings'")
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    for who in (alice, second):
        expect(who.page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LONG)
        who.untroubled()
    alice.leave()
    bob.leave()
