"""Two people talk, through reloads, a killed server and a second browser; nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser


def test_two_people_talk_through_everything(chromium: Browser, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice = Person(chromium, server.base, "alice").register()
        bob = Person(chromium, server.base, "bob").register()

        alice.find("bob").write("hello bob").stored("hello bob")
        bob.open("alice").sees("hello bob").accept()
        bob.write("hello alice").stored("hello alice")
        alice.sees("hello bob", "hello alice")

        alice.reload().sees("hello bob", "hello alice")
        alice.write("after the reload").stored("after the reload")
        bob.sees("after the reload")

        server.kill()
        alice.write("written while the server was dead")
        server.start()
        alice.stored("written while the server was dead")
        bob.online().sees("written while the server was dead")
        bob.write("and answered").stored("and answered")
        alice.sees("and answered")

        everything = [
            "hello bob",
            "hello alice",
            "after the reload",
            "written while the server was dead",
            "and answered",
        ]
        elsewhere = alice.elsewhere().sign_in().arrived().open("bob").sees(*everything)
        assert elsewhere.texts() == everything

        alice.write("from the first browser")
        elsewhere.write("from the second browser")
        alice.stored("from the first browser")
        elsewhere.stored("from the second browser")
        both = ["from the first browser", "from the second browser"]
        for who in (alice, elsewhere, bob):
            who.sees(*everything, *both)
        assert sorted(bob.texts()) == sorted(everything + both)
        assert alice.texts() == bob.texts() == elsewhere.texts()
        fresh = bob.elsewhere().sign_in().arrived().open("alice").sees(*everything, *both)
        assert fresh.texts() == bob.texts()
        for who in (alice, bob, elsewhere, fresh):
            assert who.troubles == []
            who.leave()


def test_both_browsers_of_one_account_send_many_at_once(chromium: Browser, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice = Person(chromium, server.base, "alice").register()
        bob = Person(chromium, server.base, "bob").register()
        alice.find("bob").write("one").stored("one")
        bob.open("alice").accept()
        second = alice.elsewhere().sign_in().arrived().open("bob").sees("one")
        texts = ["one"]
        for number in range(8):
            for who, label in ((alice, "first"), (second, "second"), (bob, "bob")):
                text = f"{label} {number}"
                who.write(text)
                texts.append(text)
        for who in (alice, second, bob):
            who.sees(*texts)
            assert len(who.texts()) == len(texts)
        assert alice.texts() == second.texts() == bob.texts()
        late = bob.elsewhere().sign_in().arrived().open("alice").sees(*texts)
        assert late.texts() == bob.texts()


def test_messages_wait_for_whoever_is_away(chromium: Browser, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice = Person(chromium, server.base, "alice").register()
        bob = Person(chromium, server.base, "bob").register()
        alice.find("bob").write("are you there").stored("are you there")
        bob.open("alice").accept()
        bob.leave()
        waiting = [f"message {number}" for number in range(12)]
        for text in waiting:
            alice.write(text)
        alice.stored(*waiting)
        back = bob.elsewhere().sign_in().arrived().open("alice")
        back.sees("are you there", *waiting)
        assert back.texts() == ["are you there", *waiting]


def test_a_draft_outlives_a_reload(chromium: Browser, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice = Person(chromium, server.base, "alice").register(recovery=False)
        Person(chromium, server.base, "bob").register(recovery=False).leave()
        alice.find("bob").composer.fill("not finished y")
        alice.composer.press_sequentially("et")
        alice.page.wait_for_timeout(250)
        alice.reload().open("bob")
        expect(alice.composer).to_have_value("not finished yet")


def test_a_first_message_that_could_not_go_out_outlives_a_reload(
    chromium: Browser, tmp_path: Path
) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice = Person(chromium, server.base, "alice").register(recovery=False)
        bob = Person(chromium, server.base, "bob").register(recovery=False)
        alice.find("bob")
        server.kill()
        alice.write("can you read this")
        alice.until(lambda: alice.texts() == ["can you read this"])
        server.start()
        alice.reload().open("bob").stored("can you read this")
        bob.open("alice").sees("can you read this")
