"""A real Chromium, launched once for all browser tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.launch import launch_chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; make a context of your own with `chromium.new_context()`."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()
