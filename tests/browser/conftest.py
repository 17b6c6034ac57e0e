"""A real Chromium, launched once for all browser tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.launch import launch_chromium
from tests.browser.person import close_context


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; make a context of your own with `chromium.new_context()`."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def nobody_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pages that a test leaves open go with it: they would ask its dead server again and again."""
    if "chromium" not in request.fixturenames:
        yield
        return
    browser: Browser = request.getfixturevalue("chromium")
    before = set(browser.contexts)
    yield
    for context in browser.contexts:
        if context not in before:
            close_context(context)
