"""The checker refuses what no order explains, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.sim.conversation import (
    Change,
    Conversation,
    Done,
    PutFile,
    ReadChain,
    ReadFile,
    Refused,
    SwapRegister,
    apply,
    model,
)
from tests.sim.linearizability import UNKNOWN, Operation, check
from tests.support.effort import amount

FILE = b"file"
EMPTY = model(Conversation())


def send(message: bytes, **more: Any) -> Change:
    return Change(message, **more)


def put(expected: int, content: bytes) -> Change:
    return Change(put=PutFile(FILE, expected, content))


def linearizable(*operations: Operation) -> bool:
    return check(operations, EMPTY).linearizable


def test_an_order_that_real_time_allows_is_found() -> None:
    assert linearizable(
        Operation(1, 1, 4, send(b"a"), Done(1, None)),
        Operation(2, 2, 3, send(b"b"), Done(0, None)),
        Operation(3, 5, 6, ReadChain(0), (b"b", b"a")),
    )


KNOWN_BAD = {
    "an acknowledged message is lost": [
        Operation(1, 1, 2, send(b"a"), Done(0, None)),
        Operation(2, 3, 4, ReadChain(0), ()),
    ],
    "two messages at one place": [
        Operation(1, 1, 3, send(b"a"), Done(0, None)),
        Operation(2, 2, 4, send(b"b"), Done(0, None)),
    ],
    "the order of real time is turned round": [
        Operation(1, 1, 2, send(b"a"), Done(1, None)),
        Operation(2, 3, 4, send(b"b"), Done(0, None)),
    ],
    "a repeat is written again": [
        Operation(1, 1, 2, send(b"a"), Done(0, None)),
        Operation(1, 3, 4, send(b"a"), Done(1, None)),
    ],
    "a repeat is answered with another place": [
        Operation(1, 1, 2, send(b"a"), Done(0, None)),
        Operation(2, 3, 4, send(b"b"), Done(1, None)),
        Operation(1, 5, 6, send(b"a"), Done(1, None, repeat=True)),
    ],
    "a read goes back": [
        Operation(1, 1, 9, send(b"a"), Done(0, None)),
        Operation(2, 2, 3, ReadChain(0), (b"a",)),
        Operation(3, 4, 5, ReadChain(0), ()),
    ],
    "what was read and never acknowledged is lost": [
        Operation(1, 1, 6, send(b"a"), UNKNOWN),
        Operation(2, 2, 3, ReadChain(0), (b"a",)),
        Operation(3, 7, 8, ReadChain(0), ()),
    ],
    "an unanswered change takes effect after its process is gone": [
        Operation(1, 1, 2, send(b"a"), UNKNOWN),
        Operation(2, 3, 4, ReadChain(0), ()),
        Operation(3, 5, 6, ReadChain(0), (b"a",)),
    ],
    "two compare-and-swaps of one version win": [
        Operation(1, 1, 3, put(0, b"x"), Done(None, 1)),
        Operation(2, 2, 4, put(0, b"y"), Done(None, 1)),
    ],
    "a compare-and-swap is refused for a version that never was": [
        Operation(1, 1, 2, put(0, b"x"), Refused("version")),
    ],
    "a refusal tells of a change that is lost": [
        Operation(1, 1, 5, put(0, b"x"), UNKNOWN),
        Operation(2, 2, 3, put(0, b"y"), Refused("version")),
        Operation(3, 6, 7, ReadFile(FILE), (0, b"")),
    ],
    "a deleted file comes back": [
        Operation(1, 1, 2, put(0, b"x"), Done(None, 1)),
        Operation(1, 3, 4, Change(put=PutFile(FILE, 1, None)), Done(None, 2)),
        Operation(2, 5, 6, ReadFile(FILE), (1, b"x")),
    ],
    "half of a transaction": [
        Operation(1, 1, 2, send(b"a", put=PutFile(FILE, 0, b"x")), Done(0, 1)),
        Operation(2, 3, 4, ReadFile(FILE), (0, b"")),
    ],
    "half of an unanswered transaction": [
        Operation(1, 1, 2, send(b"a", put=PutFile(FILE, 0, b"x")), UNKNOWN),
        Operation(2, 3, 4, ReadChain(0), (b"a",)),
        Operation(2, 5, 6, ReadFile(FILE), (0, b"")),
    ],
    "a register that moved on lets a stale sender in": [
        Operation(1, 1, 2, send(b"a", swap=SwapRegister(b"", b"new")), Done(0, None)),
        Operation(2, 3, 4, send(b"b", swap=SwapRegister(b"", b"")), Done(1, None)),
    ],
}


@pytest.mark.parametrize("name", KNOWN_BAD)
def test_what_nothing_explains_is_refused(name: str) -> None:
    history = KNOWN_BAD[name]
    verdict = check(history, model(Conversation(), history))
    assert not verdict.linearizable
    assert verdict.stuck or len(verdict.reached) == len(history)
    assert "can be next" in verdict.explain()


def test_an_unanswered_change_may_have_happened_or_not() -> None:
    lost = Operation(1, 1, None, send(b"a"), UNKNOWN)
    for seen in ((), (b"a",)):
        assert linearizable(lost, Operation(2, 2, 3, ReadChain(0), seen))
    assert linearizable(
        lost,
        Operation(2, 2, 3, ReadChain(0), ()),
        Operation(2, 4, 5, ReadChain(0), (b"a",)),
    )


# Histories from a real order: each operation takes effect at a moment within its interval.

ACTIONS = st.one_of(
    st.builds(Change, st.sampled_from([b"a", b"b", b"c", b"d"])),
    st.builds(
        Change,
        st.sampled_from([b"a", b"b", b"c", b"d", None]),
        put=st.builds(
            PutFile,
            st.just(FILE),
            st.integers(0, 3),
            st.sampled_from([b"x", b"y", None]),
        ),
    ),
    st.builds(
        Change,
        st.sampled_from([b"e", None]),
        swap=st.builds(
            SwapRegister, st.sampled_from([b"", b"1", b"2"]), st.sampled_from([b"1", b"2"])
        ),
    ),
    st.builds(ReadChain, st.integers(0, 2)),
    st.just(ReadFile(FILE)),
)


@dataclass(frozen=True)
class Step:
    """`before` and `behind`: how far call and return lie from the moment of effect."""

    action: Any
    before: int
    behind: int
    answered: bool
    happens: bool


STEPS = st.lists(
    st.builds(
        Step,
        ACTIONS,
        st.integers(1, 40),
        st.integers(1, 40),
        st.sampled_from([True, True, True, False]),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


def performed(steps: list[Step]) -> list[Operation]:
    """A history that is linearizable because it was made in order; a last read sees everything."""
    state, events = Conversation(), []
    for number, step in enumerate(steps):
        moment = 100 + 10 * number
        outcome: Any = UNKNOWN
        if step.answered or step.happens:
            right, state = apply(state, step.action)
            outcome = right if step.answered else UNKNOWN
        # All times differ: two events never share one.
        called = (moment - step.before) * 100 + number
        returned = (moment + step.behind) * 100 + 50 + number
        events.append(Operation(number, called, returned, step.action, outcome))
    last = (100 + 10 * len(steps) + 50) * 100
    for place, action in enumerate((ReadChain(0), ReadFile(FILE))):
        right, _ = apply(state, action)
        events.append(Operation(99, last + 2 * place, last + 2 * place + 1, action, right))
    return events


@settings(max_examples=amount(60, 2000), deadline=None)
@given(STEPS)
def test_a_history_that_happened_is_accepted(steps: list[Step]) -> None:
    history = performed(steps)
    verdict = check(history, model(Conversation(), history))
    assert verdict.order is not None, verdict.explain()
    state = Conversation()
    for operation in verdict.order:
        right, state = apply(state, operation.action)
        assert operation.outcome in (UNKNOWN, right)


@settings(max_examples=amount(60, 2000), deadline=None)
@given(STEPS, st.data())
def test_a_history_that_was_broken_is_refused(steps: list[Step], data: st.DataObject) -> None:
    history = performed(steps)
    breaks = [one for one in (lost_message, moved_message, stale_file) if one(history)]
    assume(breaks)
    broken = data.draw(st.sampled_from(breaks))(history)
    assert not check(broken, EMPTY).linearizable


def lost_message(history: list[Operation]) -> list[Operation]:
    """An acknowledged message is in no read."""
    done = [one for one in history if isinstance(one.outcome, Done)]
    new = [one for one in done if one.outcome.place is not None]
    if not new:
        return []
    message = new[-1].action.message
    return [
        replace(one, outcome=tuple(part for part in one.outcome if part != message))
        if isinstance(one.outcome, tuple) and isinstance(one.action, ReadChain)
        else one
        for one in history
    ]


def moved_message(history: list[Operation]) -> list[Operation]:
    """An acknowledgement names a place at which the last read has another message, or none."""
    for number, one in enumerate(history):
        if isinstance(one.outcome, Done) and one.outcome.place is not None:
            moved = replace(one.outcome, place=one.outcome.place + 1)
            return [*history[:number], replace(one, outcome=moved), *history[number + 1 :]]
    return []


def stale_file(history: list[Operation]) -> list[Operation]:
    """The last read of the file gives a content that no change wrote."""
    *rest, last = history
    return [*rest, replace(last, outcome=(last.outcome[0] + 1, b"never written"))]


def explained_by_brute_force(history: list[Operation]) -> bool:
    """Whether any order of the answered ones and any of the others is right."""
    answered = [one for one in history if one.outcome is not UNKNOWN]
    others = [one for one in history if one.outcome is UNKNOWN]
    chosen = (some for count in range(len(others) + 1) for some in combinations(others, count))
    return any(
        keeps_real_time(order) and leads_through(order)
        for some in chosen
        for order in permutations([*answered, *some])
    )


def keeps_real_time(order: tuple[Operation, ...]) -> bool:
    return not any(
        later.returned is not None and later.returned < earlier.called
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def leads_through(order: tuple[Operation, ...]) -> bool:
    state = Conversation()
    for operation in order:
        right, state = apply(state, operation.action)
        if operation.outcome not in (UNKNOWN, right):
            return False
    return True


OUTCOMES = st.one_of(
    st.builds(Done, st.integers(0, 2), st.none(), st.booleans()),
    st.just(UNKNOWN),
)


@st.composite
def small_histories(draw: st.DrawFn) -> list[Operation]:
    """Any at all: most are wrong, some are right."""
    count = draw(st.integers(2, 4))
    times = draw(st.permutations(range(1, 2 * count + 1)))
    history = []
    for number in range(count):
        called, returned = sorted(times[2 * number : 2 * number + 2])
        action = draw(st.sampled_from([send(b"a"), send(b"b"), ReadChain(0)]))
        if isinstance(action, Change):
            outcome: Any = draw(OUTCOMES)
        else:
            outcome = draw(st.sampled_from([(), (b"a",), (b"b",), (b"a", b"b"), (b"b", b"a")]))
        history.append(Operation(number, called, returned, action, outcome))
    return history


@settings(max_examples=amount(100, 5000), deadline=None)
@given(small_histories())
def test_the_search_agrees_with_trying_everything(history: list[Operation]) -> None:
    explained = explained_by_brute_force(history)
    assert check(history, EMPTY).linearizable == explained
    # What the history says of places spares work and changes no verdict.
    assert check(history, model(Conversation(), history)).linearizable == explained
