"""Two people at one server, as most tests of conversations begin and end."""

from __future__ import annotations

from itertools import count

from playwright.sync_api import Browser

from tests.browser.person import Person
from tests.support.server import ServerProcess

_numbers = count(1)


def strangers(chromium: Browser, server: ServerProcess) -> tuple[Person, Person]:
    """Alice and Bob under names of their own."""
    number = next(_numbers)
    alice = Person(chromium, server.base, f"alice{number}").register(recovery=False)
    bob = Person(chromium, server.base, f"bob{number}").register(recovery=False)
    return alice, bob


def two(
    chromium: Browser, server: ServerProcess, first: str = "hello", second: str = "welcome"
) -> tuple[Person, Person]:
    """As `strangers`, in a conversation that both accepted."""
    alice, bob = strangers(chromium, server)
    alice.find(bob.name).write(first).stored(first)
    bob.open(alice.name).sees(first).accept()
    bob.write(second).stored(second)
    alice.sees(first, second)
    return alice, bob


def agree(*people: Person) -> None:
    """Everybody shows the same in the same order, each message once."""
    texts = people[0].texts()
    assert len(set(texts)) == len(texts)
    for who in people[1:]:
        who.until(lambda who=who: who.texts() == texts, f"{who.name}: {texts}")  # type: ignore[misc]
    for who in people:
        who.untroubled()
