"""Every view by axe-core's rules in both themes, by keyboard alone, and at every size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import ROOT
from tests.browser.person import LONG, PASSWORD, Person
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
RUN_AXE = """() => axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`)))"""
# What a finger must hit, 44 pixels each way; a link within a sentence is exempt (WCAG 2.5.8).
SMALL_TARGETS = """() => [...document.querySelectorAll('button, a[href], input, textarea, summary')]
  .filter(item => item.checkVisibility() && !item.closest('.text, [inert]') && item.offsetParent)
  .filter(item => !document.querySelector('dialog[open]') || item.closest('dialog[open]'))
  .map(item => item.closest('label') ?? item)
  .map(item => [item, item.getBoundingClientRect(), getComputedStyle(item, '::after')])
  .map(([item, { width, height }, after]) => [item, ...[height, width].map(size =>
    size - (after.position === 'absolute' ? 2 * parseFloat(after.top) : 0))])
  .filter(([, height, width]) => height < 43.5 || width < 43.5)
  .map(([item, height, width]) => `${item.outerHTML.slice(0, 90)} ${width} x ${height}`)"""
SECTIONS = ("Security", "Signed-in browsers", "Change password", "Recovery code", "Preferences")
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("accessibility") / "storage") as running:
        yield running


def accessible(page: Page, view: str) -> None:
    """axe finds nothing in the light and the dark theme, and nothing is wider than the window."""
    page.evaluate(AXE)
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        # Colours that are still on their way would be judged halfway.
        page.wait_for_timeout(250)
        found += [f"{view}, {scheme}: {line}" for line in page.evaluate(RUN_AXE)]
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


def send(who: Person, text: str) -> None:
    """By the button: a finger's keyboard has Enter for new lines."""
    who.composer.fill(text)
    who.page.get_by_role("button", name="Send").click()
    who.stored(text)


def settings(page: Page, section: str) -> None:
    dialog = page.get_by_role("dialog", name="Settings")
    dialog.get_by_role("link", name=section, exact=True).click()
    expect(dialog.get_by_role("heading", name=section, level=3)).to_be_visible()
    expect(dialog.get_by_text("Loading")).to_have_count(0)


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_every_view_is_accessible(chromium: Browser, server: ServerProcess, device: str) -> None:
    options = PHONE if device == "phone" else {}
    mara = Person(chromium, server.base, f"mara-{device}", options=options)
    page = mara.page
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    accessible(page, "sign in")
    page.get_by_role("button", name="Use recovery code").click()
    accessible(page, "recover")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Create account").click()
    accessible(page, "create account")
    page.get_by_label("Name").fill(mara.name)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Your recovery code")).to_be_visible(timeout=LONG)
    accessible(page, "recovery code")
    page.get_by_role("checkbox", name="I have written it down").check()
    page.get_by_role("button", name="Continue").click()
    mara.arrived()
    accessible(page, "no conversations")

    omar = Person(chromium, server.base, f"omar-{device}").register()
    omar.find(mara.name).write("a first word").stored("a first word")
    expect(page.get_by_role("link", name=re.compile(omar.name))).to_be_visible(timeout=LONG)
    accessible(page, "list")
    mara.open(omar.name).sees("a first word")
    accessible(page, "request")
    page.get_by_role("button", name="Block", exact=True).click()
    accessible(page, "question")
    page.get_by_role("button", name="Cancel").click()
    send(mara.accept(), "see https://example.org\nthere")
    accessible(page, "conversation")
    page.locator("li.message").last.get_by_role("button", name="What protects this message").click(
        force=True
    )
    dialog = page.get_by_role("dialog", name="What protects this message")
    expect(dialog.get_by_text("ML-DSA-65")).to_be_visible()
    accessible(page, "protection")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Security and details").last.click()
    page.get_by_text("Technical details").click()
    accessible(page, "details")
    page.get_by_role("button", name="Close").click()

    page.evaluate("location.hash = '#/settings'")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    accessible(page, "settings")
    for section in SECTIONS:
        settings(page, section)
        accessible(page, section)
        if device == "phone":
            page.get_by_role("dialog").get_by_role("link", name="Back").click()
    mara.untroubled()
    for who in (mara, omar):
        who.leave()


def test_a_conversation_by_keyboard_alone(chromium: Browser, server: ServerProcess) -> None:
    iris = Person(chromium, server.base, "iris").register()
    hugo = Person(chromium, server.base, "hugo").register()
    page = iris.page
    page.get_by_role("searchbox").focus()
    page.keyboard.type("hugo")
    expect(page.get_by_role("button", name="hugo", exact=True)).to_be_visible(timeout=LONG)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(iris.composer).to_be_focused(timeout=LONG)
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    iris.stored("one\ntwo")
    expect(iris.composer).to_have_value("")

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="What protects this message")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="What protects this message")).to_be_focused()

    hugo.open("iris").accept().write("heard").stored("heard")
    iris.sees("heard")
    expect(page.get_by_role("log")).to_contain_text("heard")
    page.get_by_role("button", name=re.compile("^hugo")).press("Enter")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name=re.compile("^hugo"))).to_be_focused()

    page.evaluate("location.hash = '#/'")
    expect(page.get_by_role("heading", name="Choose a conversation")).to_be_visible()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.get_by_role("link", name=re.compile("^hugo"))).to_have_attribute(
        "aria-current", "page"
    )
    for who in (iris, hugo):
        who.untroubled()
        who.leave()


def test_targets_on_a_phone_suit_a_finger(chromium: Browser, server: ServerProcess) -> None:
    kim = Person(chromium, server.base, "kim-touch", options=PHONE)
    page = kim.page
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    assert page.evaluate(SMALL_TARGETS) == []
    kim.register()
    ben = Person(chromium, server.base, "ben-touch").register()
    assert page.evaluate(SMALL_TARGETS) == []
    send(kim.find("ben-touch"), "hello")
    assert page.evaluate(SMALL_TARGETS) == []
    page.get_by_role("button", name="Security and details").last.click()
    assert page.evaluate(SMALL_TARGETS) == []
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("link", name="Settings").click()
    for section in SECTIONS:
        settings(page, section)
        assert page.evaluate(SMALL_TARGETS) == [], section
        page.get_by_role("dialog").get_by_role("link", name="Back").click()
    for who in (kim, ben):
        who.leave()


@pytest.mark.parametrize(("width", "height"), [(320, 568), (640, 400), (800, 600), (1920, 1080)])
def test_nothing_is_cut_off(
    chromium: Browser, server: ServerProcess, width: int, height: int
) -> None:
    """320: the narrowest phone and 400 % of 1280; 640 x 400: 200 % of 1280 x 800."""
    viewport = {"width": width, "height": height}
    person = Person(chromium, server.base, f"size-{width}", options={"viewport": viewport})
    other = Person(chromium, server.base, f"peer-{width}").register()
    person.register().find(other.name)
    person.write("x" * 400).write("word " * 200).stored("x" * 400)
    page = person.page
    for address in ("", "/details"):
        page.evaluate(f"location.hash = location.hash.replace('/details', '') + '{address}'")
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.evaluate("location.hash = location.hash.replace('/details', '')")
    box = person.composer.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= height
    for who in (person, other):
        who.leave()


def test_language_and_theme_follow_the_choice(chromium: Browser, server: ServerProcess) -> None:
    options = {"locale": "es-MX", "color_scheme": "dark"}
    page = Person(chromium, server.base, "nobody", options=options).page
    expect(page.get_by_role("button", name="Iniciar sesión")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "es"
    page.context.close()
    ana = Person(chromium, server.base, "ana-settings").register()
    page = ana.page
    page.get_by_role("link", name="Settings").click()
    settings(page, "Preferences")
    page.get_by_role("radio", name="Dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("radio", name="Español").check()
    expect(page.get_by_role("dialog", name="Ajustes")).to_be_visible()
    page.wait_for_timeout(500)
    elsewhere = ana.elsewhere()
    elsewhere.sign_in()
    expect(elsewhere.page.get_by_role("searchbox", name="Buscar")).to_be_visible(timeout=LONG)
    expect(elsewhere.page.locator("html")).to_have_attribute("data-theme", "dark")
    for who in (ana, elsewhere):
        who.leave()
