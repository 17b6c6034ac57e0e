"""A person at the page, as a test drives one: by what is visible and said, never by internals."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response, expect

PASSWORD = "correct horse battery staple"
LONG = 30_000
_READ_MESSAGES = """items => items.map(item => [
  [...item.querySelector('.text').childNodes]
    .filter(node => node instanceof Text || (node instanceof Element && !node.matches('.meta')))
    .map(node => node.textContent).join(''),
  ['sending', 'failed', 'stored', 'read', 'received'].find(name => item.classList.contains(name)),
])"""


def close_context(context: BrowserContext) -> None:
    """A route's handler that is still at work would fail in whatever test comes next."""
    for page in context.pages:
        page.unroute_all(behavior="ignoreErrors")
    context.unroute_all(behavior="ignoreErrors")
    context.close()


@dataclass
class Person:
    """One browser context with one page; `base` is the server's address."""

    browser: Browser
    base: str
    name: str
    password: str = PASSWORD
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.context: BrowserContext = self.browser.new_context(**self.options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(LONG)
        self.troubles: list[str] = []
        self.recovery_code = ""
        self.watch(self.page)
        self.page.goto(self.base)

    def watch(self, page: Page) -> None:
        """Script errors and failures of the server are collected in `troubles`."""
        page.on("pageerror", lambda error: self.troubles.append(f"{error}"))
        page.on("response", self._note_failure)

    def _note_failure(self, response: Response) -> None:
        if response.status >= 500:
            self.troubles.append(f"{response.status} {response.url}")

    def register(self, recovery: bool = True) -> Person:
        page = self.page
        page.get_by_role("button", name="Create account").click()
        page.get_by_label("Name").fill(self.name)
        page.get_by_role("textbox", name="Password").fill(self.password)
        page.get_by_role("checkbox", name="Give me a recovery code").set_checked(recovery)
        page.get_by_role("button", name="Create account").click()
        if recovery:
            expect(page.get_by_role("heading", name="Your recovery code")).to_be_visible(
                timeout=LONG
            )
            shown = page.locator("main").inner_text()
            code = re.search(r"(?:[0-9A-Z]{4}[\s-]+){7}[0-9A-Z]{4}", shown)
            assert code is not None
            self.recovery_code = " ".join(code.group().split())
            page.get_by_role("checkbox", name="I have written it down").check()
            page.get_by_role("button", name="Continue").click()
        return self.arrived()

    def sign_in(self, password: str | None = None) -> Person:
        page = self.page
        page.get_by_label("Name").fill(self.name)
        page.get_by_role("textbox", name="Password").fill(password or self.password)
        page.get_by_role("button", name="Sign in").click()
        return self

    def arrived(self) -> Person:
        expect(self.page.get_by_role("searchbox")).to_be_visible(timeout=LONG)
        return self

    def elsewhere(self, **options: Any) -> Person:
        """The same person in another browser."""
        other = Person(self.browser, self.base, self.name, self.password, options)
        other.recovery_code = self.recovery_code
        return other

    def find(self, name: str) -> Person:
        """Looks somebody up in the directory and opens the conversation."""
        search = self.page.get_by_role("searchbox")
        search.fill(name)
        self.page.get_by_role("button", name=name, exact=True).click()
        expect(self.composer).to_be_visible(timeout=LONG)
        return self

    def open(self, name: str) -> Person:
        self.page.get_by_role("navigation", name="Conversations").get_by_role(
            "link", name=re.compile(f"^{re.escape(name)}\\b")
        ).click()
        expect(
            self.page.get_by_role("region", name=f"Messages with \u2068{name}\u2069")
        ).to_be_visible(timeout=LONG)
        return self

    def accept(self) -> Person:
        self.page.get_by_role("button", name="Accept").click()
        expect(self.composer).to_be_visible(timeout=LONG)
        return self

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name=re.compile("^Message to"))

    def write(self, text: str) -> Person:
        self.composer.fill(text)
        self.composer.press("Enter")
        return self

    def sees(self, *texts: str) -> Person:
        """Each of these stands in the open conversation exactly once."""
        self.until(lambda: all(self.texts().count(text) == 1 for text in texts), str(texts))
        return self

    def stored(self, *texts: str) -> Person:
        """The server has acknowledged these."""

        def acknowledged() -> bool:
            states = dict(self.states())
            return all(states.get(text) in ("stored", "read") for text in texts)

        self.until(acknowledged, str(texts))
        return self

    def until(self, condition: Callable[[], bool], what: str = "") -> None:
        for _ in range(LONG // 50):
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never came: {what}; shown: {self.states()}")

    def online(self) -> Person:
        expect(self.page.get_by_text("Reconnecting")).to_have_count(0, timeout=LONG)
        return self

    def reload(self) -> Person:
        self.page.reload()
        return self.arrived()

    def texts(self) -> list[str]:
        """The messages of the open conversation in their order."""
        return [text for text, _ in self.states()]

    def states(self) -> list[tuple[str, str]]:
        """(text, "sending" | "failed" | "stored" | "read" | "received") in order."""
        found = self.page.eval_on_selector_all("li.message", _READ_MESSAGES)
        return [(text, state) for text, state in found]

    def untroubled(self) -> None:
        if self.troubles:
            raise AssertionError(f"{self.name}: {self.troubles}")

    def leave(self) -> None:
        close_context(self.context)
