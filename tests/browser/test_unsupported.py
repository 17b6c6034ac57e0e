"""A browser that lacks what is needed gets a sentence that names it, and never a blank page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

GONE = "Object.defineProperty({of}, '{name}', {{ value: undefined, configurable: true }});"
LACKING = {
    "an https address": GONE.format(of="globalThis", name="isSecureContext"),
    "encryption (WebCrypto)": GONE.format(of="Crypto.prototype", name="subtle"),
    "storage (IndexedDB)": GONE.format(of="globalThis", name="indexedDB"),
    "background work (Web Workers)": GONE.format(of="globalThis", name="Worker"),
    "WebAssembly": GONE.format(of="globalThis", name="WebAssembly"),
    "Web Locks": GONE.format(of="Navigator.prototype", name="locks"),
    "WebSocket": GONE.format(of="globalThis", name="WebSocket"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServerProcess(tmp_path_factory.mktemp("unsupported") / "storage") as server:
        yield server.base


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def says_what_is_missing(page: Page, *names: str) -> None:
    expect(
        page.get_by_role("heading", name="This browser lacks what is needed to encrypt safely.")
    ).to_be_visible()
    for name in names:
        expect(page.get_by_text("Missing:")).to_contain_text(name)
    assert page.get_by_role("textbox").count() == 0
    assert page.get_by_role("button").count() == 0


@pytest.mark.parametrize("name", LACKING)
def test_one_missing_feature_is_named(page: Page, base: str, name: str) -> None:
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"{error}"))
    page.add_init_script(LACKING[name])
    page.goto(base)
    says_what_is_missing(page, name)
    missing = page.get_by_text("Missing:").inner_text()
    assert [other for other in LACKING if other in missing] == [name]
    assert troubles == []


def test_all_that_is_missing_is_named(page: Page, base: str) -> None:
    for script in LACKING.values():
        page.add_init_script(script)
    page.goto(base)
    says_what_is_missing(page, *LACKING)


def test_an_address_without_https_is_told(page: Page, base: str) -> None:
    """No pretence: on a plain http name that is not this machine Chromium itself takes it away."""
    page.route(
        "http://chat.example/**",
        lambda route: route.fulfill(
            response=route.fetch(url=route.request.url.replace("http://chat.example", base))
        ),
    )
    page.goto("http://chat.example/")
    assert page.evaluate("isSecureContext") is False
    says_what_is_missing(page, "an https address", "encryption (WebCrypto)")


def test_with_everything_there_is_a_form(page: Page, base: str) -> None:
    """The counterpart: the sentence is not always there."""
    page.goto(base)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Missing:")).to_have_count(0)


def test_storage_that_is_there_and_refuses_is_told(page: Page, base: str) -> None:
    """As private windows of some browsers do: IndexedDB exists and cannot be opened."""
    page.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };"
    )
    page.goto(base)
    expect(page.locator("body")).to_contain_text("Something went wrong")


def test_without_javascript_there_is_a_sentence(chromium: Browser, base: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base)
    sentence = page.locator("noscript p")
    expect(sentence).to_be_visible()
    assert "encrypts in your browser and needs JavaScript" in (sentence.text_content() or "")
    context.close()


def test_a_script_that_does_not_run_leaves_a_sentence(page: Page, base: str) -> None:
    page.route("**/main.js", lambda route: route.fulfill(status=404))
    page.goto(base)
    late = page.get_by_text("SECURE-MSG could not start")
    expect(late).to_be_hidden()
    expect(late).to_be_visible(timeout=20_000)


def test_a_script_that_runs_takes_the_sentence_away(page: Page, base: str) -> None:
    page.goto(base)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_text("SECURE-MSG could not start")).to_have_count(0)
