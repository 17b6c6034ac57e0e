"""Attacks 9 and 10: a server that moves, replays, mixes or drops messages is caught or shown."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from secure_msg.codec.messages import KIND_MESSAGE, KIND_OPENED, Member, read_envelope
from secure_msg.codec.schema import to_bytes
from secure_msg.e2ee import state
from secure_msg.e2ee.errors import ServerViolation
from secure_msg.e2ee.events import Event, Received
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.state import ThreadState
from secure_msg.e2ee.thread import Reader, receive
from secure_msg.ledger.chain import read_header
from tests.e2ee.test_thread import Two
from tests.e2ee.world import NOW, THREAD, Browser, Chain, Entry, Server, person

OTHER_THREAD = b"\x08" * 32
SEED = 20_261_121


class Played:
    """A short conversation as Bob may read it; beside it a second thread and a third person."""

    def __init__(self) -> None:
        self.two = two = Two()
        for text in ("a1", "a2", "a3"):
            two.a.say(text)
        two.b.say("b1")
        two.b.say("b2")
        two.a.say("a4")
        two.a.say("a5")
        self.entries = list(two.server.chain(THREAD).entries)
        self.fresh = state.new_thread(THREAD, two.alice.account)
        self.prekeys = person("bob").prekeys
        self.reader = Reader(two.bob.own, two.alice.view, NOW, refreshed=True)
        self.foreign = self._foreign()

    def _foreign(self) -> list[Entry]:
        """Another thread of Alice and Bob, and Carol's messages to Bob."""
        beside = Server()
        other = Browser(self.two.alice, self.two.bob, beside, seed=7)
        other.thread = OTHER_THREAD
        other.reload()
        other.say("elsewhere 1")
        other.say("elsewhere 2")
        carols = Server()
        carol = Browser(person("carol"), self.two.bob, carols)
        carol.say("from carol")
        return [*beside.chain(OTHER_THREAD).entries, *carols.chain(THREAD).entries]

    def read(
        self, entries: list[Entry], before: ThreadState | None = None
    ) -> tuple[ThreadState, Prekeys, tuple[Event, ...]]:
        reading = receive(before or self.fresh, self.prekeys, entries, self.reader)
        return reading.state, reading.prekeys, reading.events


def bobs_view(played: Played) -> list[Entry]:
    """The thread up to Bob's first answer: what a browser that has sent nothing reads."""
    own = next(
        at
        for at, entry in enumerate(played.entries)
        if read_header(entry.header).kind == KIND_MESSAGE
        and read_envelope(entry.body or b"").author.account == played.two.bob.account
    )
    return played.entries[: own - 1]


def test_attack_09_reordering_of_the_chain_itself() -> None:
    """Entries as they were committed: any other order, repeat or mixture is not the chain.

    Either reading refuses it, or it leads to another head than the one that the server proved.
    """
    played = Played()
    honest = bobs_view(played)
    prefixes = [played.read(honest[:size])[0] for size in range(len(honest) + 1)]
    proved = prefixes[-1].chain.root()
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    pool = [*played.entries, *played.foreign]
    before = state.save(played.fresh)
    caught = 0
    for _ in range(40_000):
        shown = moved(generator, honest, pool)
        same = common_prefix(shown, honest)
        if same == len(honest):
            continue
        try:
            reached = played.read(shown[same:], prefixes[same])[0]
        except ServerViolation:
            caught += 1
        else:
            assert reached.chain.root() != proved
            caught += 1
    assert caught > 36_000
    assert state.save(played.fresh) == before


def common_prefix(shown: list[Entry], honest: list[Entry]) -> int:
    pairs = zip(shown, honest, strict=False)
    return next(
        (at for at, (one, other) in enumerate(pairs) if one != other), min(len(shown), len(honest))
    )


def moved(generator: random.Random, honest: list[Entry], pool: list[Entry]) -> list[Entry]:
    """A permutation, a repeat, a replacement by a foreign entry, or a body under another header."""
    entries = list(honest)
    choice = generator.randrange(4)
    at, to = generator.randrange(len(entries)), generator.randrange(len(entries))
    if choice == 0:
        generator.shuffle(entries)
    elif choice == 1:
        entries.insert(to, entries[at])
    elif choice == 2:
        entries[at] = generator.choice(pool)
    else:
        other = generator.choice(pool)
        entries[at] = replace(entries[at], body=other.body, salt=other.salt)
    return entries


def test_attack_09_reordering_under_a_chain_of_the_servers_making() -> None:
    """The server rewrites the whole chain for one reader: every message in any place, in any order.

    What is shown as received is authentic, of its author and thread, and shown once.
    """
    played = Played()
    honest = bobs_view(played)
    final, prekeys, events = played.read(honest)
    texts = {event.id: event.content for event in events if type(event) is Received}
    later = [
        (read_header(entry.header).kind, entry.body or b"")
        for entry in [*played.entries[len(honest) :], *played.foreign, *honest]
    ]
    messages = [body for kind, body in later if kind == KIND_MESSAGE]
    stranger = person("carol").account
    swapped = [
        to_bytes(replace(read_envelope(body), author=Member(account)))
        for body in messages
        for account in (stranger, played.two.alice.account)
        if read_envelope(body).author.account != account
    ]
    pool = [*later, *((KIND_MESSAGE, body) for body in swapped)]
    pool = [one for one in pool if may_follow(played, one)]
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    tried = shown = 0
    saved = state.save(final)
    while tried < 60_000:
        chain = Chain(THREAD)
        chain.entries = list(honest)
        picked = [generator.choice(pool) for _ in range(20)]
        for kind, body in picked:
            chain.append(kind, body)
        reading = receive(final, prekeys, chain.entries[len(honest) :], played.reader)
        tried += len(picked)
        received = [event for event in reading.events if type(event) is Received]
        shown += len(received)
        assert len({event.id for event in received}) == len(received)
        for event in received:
            assert event.author == played.two.alice.account
            assert event.id not in texts
            assert event.content.text in ("a4", "a5")
        assert state.save(final) == saved
    assert shown < tried / 10


def may_follow(played: Played, one: tuple[str, bytes]) -> bool:
    """Whether Bob reads on: a second opening, and own entries that he does not know, stop him."""
    kind, body = one
    if kind == KIND_MESSAGE:
        return read_envelope(body).author.account != played.two.bob.account
    return kind != KIND_OPENED


@pytest.mark.parametrize("lost", range(7))
def test_attack_10_dropped_message_never_committed(lost: int) -> None:
    """The server acknowledges and does not keep one message: the next one shows the gap."""
    two = Two()
    count = 0

    def loses(kind: str) -> bool:
        nonlocal count
        if kind != KIND_MESSAGE:
            return False
        count += 1
        return count - 1 == lost

    two.server.loses = loses
    for number in range(8):
        two.a.post(two.a.draft(f"{number}"))
        two.a.sync()
    two.b.sync()
    received = [event for event in two.b.events if type(event) is Received]
    assert two.b.texts() == [f"{number}" for number in range(8) if number != lost]
    assert [event.gap for event in received] == [
        1 if number == lost + 1 else 0 for number in range(8) if number != lost
    ]
    unplaced = [kept for kept in two.a.state.kept if not kept.sequence]
    assert len(unplaced) == 1


def test_attack_10_dropped_message_of_a_committed_chain() -> None:
    two = Two()
    for number in range(6):
        two.a.post(two.a.draft(f"{number}"))
    entries = two.server.chain(THREAD).entries
    before = state.save(two.b.state)
    for lost in range(len(entries) - 1):
        shown = entries[:lost] + entries[lost + 1 :]
        reader = Reader(two.bob.own, two.alice.view, NOW, refreshed=True)
        with pytest.raises(ServerViolation):
            receive(two.b.state, two.b.prekeys, shown, reader)
        assert state.save(two.b.state) == before
    two.b.sync()
    assert len(two.b.texts()) == 6


def test_attack_10_a_dropped_opening_is_shown() -> None:
    two = Two()
    two.server.loses = lambda kind: kind == "opening"
    two.a.say("unreadable")
    two.server.loses = lambda _: False
    events = two.b.sync()
    assert [getattr(event, "reason", None) for event in events][-1] == "opening"


def test_attack_10_the_last_message_of_a_turn_is_missed_in_the_next() -> None:
    two = Two()
    two.a.say("one")
    two.b.say("answer")
    two.a.sync()
    two.server.loses = lambda kind: kind == KIND_MESSAGE
    two.a.post(two.a.draft("dropped"))
    two.server.loses = lambda _: False
    two.b.sync()
    two.b.post(two.b.draft("a turn on"))
    two.a.say("after")
    received = [event for event in two.b.sync() if type(event) is Received]
    assert [(event.content.text, event.gap) for event in received] == [("after", 1)]


def test_a_message_that_follows_another_chain_is_refused() -> None:
    """`previous` says what its author saw: the server cannot show two chains unnoticed."""
    two = Two()
    two.a.say("one")
    two.b.sync()
    two.a.sync()
    forked = replace(two.a.state, last_message=replace(two.a.state.last_message, hash=b"\x01" * 32))
    two.a.state = forked
    two.a.post(two.a.draft("on another branch"))
    (event,) = two.b.sync()
    assert getattr(event, "reason", None) == "rules"
