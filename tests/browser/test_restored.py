"""A server on an older copy: announced, people decide how to go on; silent, nothing is sent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, Request, Route, expect

from secure_msg.cli.main import main
from secure_msg.codec.http import PrivateList
from secure_msg.codec.realtime import Asked, unpack
from secure_msg.codec.schema import from_bytes
from tests.browser.pair import two
from tests.browser.person import LONG, Person
from tests.browser.test_accessibility import accessible
from tests.support import people
from tests.support.api import Api, OverNetwork
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

SET_BACK = "This server was set back to an older copy"
OLDER = "This server shows an older state than this browser has seen"


def command(*words: object) -> None:
    outcome = CliRunner().invoke(main, [str(word) for word in words])
    assert outcome.exit_code == 0, outcome.output


def shows(person: Person, title: str) -> None:
    expect(person.page.get_by_role("heading", name=title)).to_be_visible(timeout=LONG)
    expect(person.composer).to_have_count(0)


def agree(person: Person) -> None:
    """By the keyboard alone."""
    page = person.page
    page.get_by_role("button", name="Go on from here").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("only with the people whose identity you already know")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=SET_BACK)).to_have_count(0, timeout=LONG)


def go_on(person: Person) -> None:
    agree(person)
    expect(person.composer).to_be_visible(timeout=LONG)


def change_password(person: Person, password: str) -> None:
    page = person.page
    page.evaluate("location.hash = '#/settings/password'")
    page.get_by_label("Current password").fill(person.password)
    page.get_by_label("New password").fill(password)
    page.get_by_role("button", name="Change password").last.click()
    expect(page.get_by_text("Your password is changed").first).to_be_visible(timeout=LONG)
    page.evaluate("location.hash = '#/'")


def sign_out(person: Person) -> None:
    page = person.page
    page.evaluate("location.hash = '#/settings'")
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible(timeout=LONG)


def test_after_an_announced_restoration_people_go_on_from_the_copy(
    chromium: Browser, tmp_path: Path
) -> None:
    storage, backup = tmp_path / "storage", tmp_path / "backup"
    with ServerProcess(storage) as server:
        alice, bob = two(chromium, server, "before one", "before two")
        # Put back as it was, nobody has lost anything, and nobody is asked.
        server.stop()
        (storage / "restored").touch()
        server.start()
        alice.write("before three").stored("before three")
        bob.sees("before three")
        for who in (alice, bob):
            expect(who.page.get_by_role("heading", name=SET_BACK)).to_have_count(0)
        command("backup", storage, backup)
        alice.write("lost by alice").stored("lost by alice")
        bob.sees("lost by alice")
        change_password(bob, "a password that is lost")
        sign_out(bob)
        bob.sign_in("a password that is lost").arrived()
        bob.open(alice.name).write("lost by bob").stored("lost by bob")
        alice.sees("lost by bob")
        server.kill()
        shutil.rmtree(storage)
        command("restore", backup, storage)
        server.start()
        shows(alice, SET_BACK)
        # What is on the screen can still be read.
        assert "lost by bob" in alice.texts()
        accessible(alice.page, "set back")
        go_on(alice)
        alice.sees("before one", "before two", "lost by alice")
        alice.until(lambda: dict(alice.states())["lost by alice"] == "failed")
        assert "lost by bob" not in alice.texts()
        alice.write("after one").stored("after one")
        alice.page.get_by_role("button", name="Send again").click()
        alice.stored("lost by alice")
        # Bob's sign-in is one of those that were lost, and so is his new password.
        expect(bob.page.get_by_role("heading", name="Welcome back")).to_be_visible(timeout=LONG)
        shows(bob, SET_BACK)
        agree(bob)
        bob.sign_in().arrived().open(alice.name)
        bob.sees("before one", "before two", "after one", "lost by alice", "lost by bob")
        bob.page.get_by_role("button", name="Send again").click()
        bob.stored("lost by bob").write("after two").stored("after two")
        alice.sees("after two")
        alice.write("after three").stored("after three")
        bob.sees("after three")
        elsewhere = bob.elsewhere().sign_in().arrived().open(alice.name)
        elsewhere.sees("before one", "before two", "after one", "lost by alice", "after three")
        assert elsewhere.texts() == bob.texts()
        for who in (alice, bob, elsewhere):
            who.untroubled()
            who.leave()


class Writes:
    """All by which a page asks its server to change something, from now on."""

    def __init__(self, page: Page) -> None:
        self.seen: list[str] = []
        page.on("request", self._requested)
        page.on("websocket", lambda socket: socket.on("framesent", self._sent))

    def _requested(self, request: Request) -> None:
        if request.method != "GET":
            self.seen.append(request.url)

    def _sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes) and unpack(frame).kind == Asked.TRANSACT:
            self.seen.append("transact")


def test_attack_18_an_older_folder_that_nobody_announced_is_refused(
    chromium: Browser, tmp_path: Path
) -> None:
    storage, older = tmp_path / "storage", tmp_path / "older"
    with ServerProcess(storage) as server:
        alice, bob = two(chromium, server, "before one", "before two")
        server.stop()
        shutil.copytree(storage, older)
        server.start()
        alice.online().write("seen by both").stored("seen by both")
        bob.online().sees("seen by both")
        server.kill()
        put_back(older, storage)
        writes = [Writes(who.page) for who in (alice, bob)]
        server.start()
        for who in (alice, bob):
            shows(who, OLDER)
            expect(who.page.get_by_role("button", name="Go on from here")).to_have_count(0)
            assert "seen by both" in who.texts()
        # A log that grew past what was seen is still another one; what it has can be read.
        for number in range(6):
            other = people.Person(f"other{number}")
            Api(OverNetwork(server.base)).register(other)
        for who in (alice, bob):
            shows(who.reload(), OLDER)
        alice.open(bob.name).sees("before one", "before two")
        assert [one.seen for one in writes] == [[], []]
        # Put back once more, and announced: now it is for people to decide.
        server.kill()
        put_back(older, storage)
        (storage / "restored").touch()
        server.start()
        shows(alice.reload(), SET_BACK)
        go_on(alice)
        alice.open(bob.name).write("goes on").stored("goes on")
        for who in (alice, bob):
            who.untroubled()
            who.leave()


def put_back(copy: Path, storage: Path) -> None:
    shutil.rmtree(storage)
    shutil.copytree(copy, storage)
    (storage / "server" / "seal.key").chmod(0o600)


Snapshot = dict[str, bytes]
"""What each path of the private folder's API answered at one moment."""


def test_attack_11_every_older_snapshot_of_a_private_folder_is_noticed(
    chromium: Browser, tmp_path: Path
) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        alice, bob = two(chromium, server, "before one", "before two")
        snapshots = [snapshot(alice)]
        for number in range(3):
            text = f"number {number}"
            alice.write(text).stored(text)
            snapshots.append(snapshot(alice))
        address = alice.page.url
        alice.page.goto("about:blank")
        writes = Writes(alice.page)
        served: Snapshot = {}

        def serve(route: Route) -> None:
            body = served.get(route.request.url)
            headers = {"Content-Type": "application/cbor"}
            route.fulfill(body=body, headers=headers) if body is not None else route.abort()

        alice.page.route("**/api/private", serve)
        alice.page.route("**/api/private/*", serve)
        for older in snapshots[:-1]:
            served = older
            alice.page.goto(address)
            shows(alice.arrived(), OLDER)
            alice.page.goto("about:blank")
        assert writes.seen == []
        alice.page.unroute_all()
        alice.page.goto(alice.base)
        alice.arrived().open(bob.name).write("as it was").stored("as it was")
        bob.sees("as it was")
        for who in (alice, bob):
            who.untroubled()
            who.leave()


def snapshot(person: Person) -> Snapshot:
    """The person's whole private folder as it is served now."""
    folder = f"{person.base}/api/private"
    ask = person.context.request
    listed = ask.get(folder, headers={"Accept": "application/cbor"}).body()
    found = {folder: listed}
    for one in from_bytes(PrivateList, listed, limit=1 << 20).files:
        answer = ask.get(f"{folder}/{one.path.hex()}")
        found[f"{folder}/{one.path.hex()}"] = answer.body()
    return found
