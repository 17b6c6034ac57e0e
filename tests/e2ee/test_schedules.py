"""Seeded random schedules: loss, reordering, repeats, forgeries, restarts, races, running out.

Safety is checked at each tick; at the end everything heals and progress is demanded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.messages import KIND_MESSAGE, KIND_OPENING, read_envelope
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.e2ee import envelope, ratchet
from secure_msg.e2ee.envelope import Sealed
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    PeerViolation,
    ProtocolError,
    RolledBack,
)
from secure_msg.e2ee.events import FolderRolledBack, Received, Refused, Undecryptable
from secure_msg.e2ee.ratchet import RatchetState
from secure_msg.e2ee.send import Sent
from secure_msg.ledger.chain import read_header
from tests.e2ee.test_ratchet import Talk
from tests.e2ee.test_thread import Two
from tests.e2ee.world import NOW, THREAD, Browser, Person, Refusal


@dataclass
class Network:
    """Messages on their way between two ratchets, in any order, any number of times."""

    talk: Talk
    generator: random.Random
    travelling: list[tuple[Person, Sealed, str]] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    sent: int = 0

    def say(self) -> None:
        author = self.generator.choice([self.talk.alice, self.talk.bob])
        if not ratchet.can_send(self.talk.state(author)):
            return
        text = f"{author.own.view.name} {self.sent}"
        self.travelling.append((author, self.talk.seal(author, text), text))
        self.sent += 1

    def deliver(self, *, lossy: bool = True) -> None:
        if not self.travelling:
            return
        at = self.generator.randrange(min(6, len(self.travelling))) if lossy else 0
        author, sealed, text = self.travelling[at]
        repeat = lossy and self.generator.random() < 0.2
        lose = lossy and self.generator.random() < 0.1
        if not repeat:
            self.travelling.pop(at)
        if lose:
            return
        reader = self.talk.bob if author is self.talk.alice else self.talk.alice
        before = to_bytes(self.talk.state(reader))
        try:
            unsealed = self.talk.deliver(author, sealed)
        except (AuthenticationFailed, PeerViolation):
            # Read before, or of a turn that has not begun or has gone by.
            assert to_bytes(self.talk.state(reader)) == before
        else:
            assert text not in self.delivered, "a message was read twice"
            assert unsealed.signed.content.text == text
            self.delivered.add(text)

    def forge(self) -> None:
        if not self.travelling:
            return
        author, sealed, _ = self.generator.choice(self.travelling)
        body = bytearray(sealed.body)
        body[self.generator.randrange(60, len(body))] ^= 1 << self.generator.randrange(8)
        reader = self.talk.bob if author is self.talk.alice else self.talk.alice
        before = to_bytes(self.talk.state(reader))
        try:
            forged = read_envelope(bytes(body))
        except MalformedData:
            return
        with pytest.raises(ProtocolError):
            envelope.unseal(
                self.talk.state(reader),
                forged,
                place=self.talk.place(author),
                confirm=self.talk.pair.confirm,
                find=self.talk.openings.get,
                public_of=lambda generation: author.view.keys[generation - 1].signing,
                now=NOW,
            )
        assert to_bytes(self.talk.state(reader)) == before

    def restart(self) -> None:
        for account, held in self.talk.pair.states.items():
            self.talk.pair.states[account] = from_bytes(RatchetState, to_bytes(held))


@pytest.mark.parametrize("seed", range(12))
def test_ratchets_over_a_bad_network(seed: int) -> None:
    print(f"seed {seed}")
    generator = random.Random(seed)
    network = Network(Talk(b"network%d" % seed), generator)
    steps = [network.say] * 5 + [network.deliver] * 6 + [network.forge] * 2 + [network.restart]
    for _ in range(150):
        generator.choice(steps)()
    while network.travelling:
        network.deliver(lossy=False)
    # The network heals: whoever may send does, and both sides read each other from now on.
    talk = network.talk
    for author in (talk.alice, talk.bob, talk.alice, talk.bob):
        sealed = talk.seal(author, "healed")
        assert talk.deliver(author, sealed).signed.content.text == "healed"
    assert len(network.delivered) > network.sent / 2


class House:
    """A thread with two browsers each, restarts, races and a server that loses nothing."""

    def __init__(self, seed: int, *, batch: int) -> None:
        self.generator = random.Random(seed)
        self.two = two = Two(batch=batch)
        self.browsers = [
            *(two.browser(two.alice, seed=10 * seed + n) for n in range(2)),
            *(two.browser(two.bob, seed=10 * seed + n + 5) for n in range(2)),
        ]
        self.sent: list[tuple[bytes, str]] = []
        self.conflicts = 0

    def tick(self) -> None:
        browser = self.generator.choice(self.browsers)
        step = self.generator.random()
        if step < 0.45:
            self.say(browser)
        elif step < 0.65:
            self.read(browser)
        elif step < 0.75:
            self.save(browser)
        elif step < 0.85:
            browser.reload()
        else:
            self.race()

    def read(self, browser: Browser) -> None:
        try:
            browser.sync()
        except RolledBack:
            browser.reload()
            browser.sync()

    def save(self, browser: Browser) -> None:
        try:
            browser.save()
        except Refusal:
            browser.reload()

    def say(self, browser: Browser) -> None:
        text = f"{len(self.sent)}"
        for _ in range(4):
            self.read(browser)
            sent = browser.draft(text, restart=self.generator.random() < 0.05)
            try:
                browser.post(sent)
            except Refusal:
                self.conflicts += 1
                browser.reload()
            else:
                self.sent.append((browser.who.account, text))
                return
        raise AssertionError("no progress")

    def race(self) -> None:
        """Two browsers prepare on the same state; the server takes one of them."""
        first, second = self.generator.sample(self.browsers, 2)
        for browser in (first, second):
            self.read(browser)
        for browser, text, draft in [self.prepared(browser) for browser in (first, second)]:
            try:
                browser.post(draft)
            except Refusal:
                self.conflicts += 1
                browser.reload()
            else:
                self.sent.append((browser.who.account, text))

    def prepared(self, browser: Browser) -> tuple[Browser, str, Sent]:
        text = f"race of {browser.who.own.view.name} {len(self.sent)}"
        return browser, text, browser.draft(text)

    def texts_read(self, who: Person) -> set[str]:
        """What any browser of that person has shown; each read what was saved by neither."""
        return {text for browser in self.browsers if browser.who is who for text in browser.texts()}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("batch", [1, 6])
def test_two_browsers_each_through_one_server(seed: int, batch: int) -> None:
    print(f"seed {seed} batch {batch}")
    house = House(seed, batch=batch)
    for _ in range(60):
        house.tick()
    for browser in house.browsers:
        house.say(browser)
    for browser in house.browsers:
        house.read(browser)
        for event in browser.events:
            assert type(event) not in (Undecryptable, FolderRolledBack, Refused)
            assert type(event) is not Received or event.gap == 0
    two = house.two
    for reader, author in ((two.alice, two.bob), (two.bob, two.alice)):
        said = {text for account, text in house.sent if account == author.account}
        assert house.texts_read(reader) == said
    kinds = [read_header(entry.header).kind for entry in two.server.chain(THREAD).entries]
    assert kinds.count(KIND_MESSAGE) == len(house.sent)
    assert house.conflicts > 0


@pytest.mark.parametrize("seed", range(6))
def test_a_server_that_loses_entries_is_seen_through(seed: int) -> None:
    """What the server does not keep shows: a gap, an unreadable message, or one without place."""
    print(f"seed {seed}")
    generator = random.Random(seed)
    two = Two(batch=8)
    lost: list[str] = []

    def loses(kind: str) -> bool:
        if kind not in (KIND_MESSAGE, KIND_OPENING) or generator.random() > 0.25:
            return False
        lost.append(kind)
        return True

    two.a.say("begin")
    two.b.say("begun")
    two.a.sync()
    two.server.loses = loses
    said: dict[str, int] = {"alice": 0, "bob": 0}
    for _ in range(30):
        browser = generator.choice([two.a, two.b])
        browser.say(f"{said[browser.who.own.view.name]}")
        said[browser.who.own.view.name] += 1
    two.server.loses = lambda _: False
    for browser in (two.a, two.b):
        browser.sync()
        browser.say("healed", restart=True)
    for browser in (two.a, two.b):
        browser.sync()
        assert browser.texts()[-1] == "healed"
        unplaced = [kept for kept in browser.state.kept if not kept.sequence]
        unread = [event for event in browser.events if type(event) is Undecryptable]
        gaps = sum(event.gap for event in browser.events if type(event) is Received)
        assert all(event.reason == "opening" for event in unread)
        if lost:
            assert unplaced or unread or gaps or lost.count(KIND_OPENING)
    signs = [
        sum(1 for kept in browser.state.kept if not kept.sequence) for browser in (two.a, two.b)
    ]
    assert sum(signs) == lost.count(KIND_MESSAGE)
