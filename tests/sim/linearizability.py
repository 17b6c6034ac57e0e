"""Is a recorded history explained by some order of its operations, one at a time?

Wing and Gong's search (J. Parallel Distrib. Comput. 17, 1993) with Lowe's memory of what was tried
(Concurrency Computat.: Pract. Exper. 29(4), 2017). An operation takes effect at one moment between
its call and its return. One whose outcome nobody learnt took effect at such a moment or not at all.
Linearizability is local: histories of different objects are checked apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

S = TypeVar("S", bound=Hashable)


class Unknown:
    """The outcome of an operation that was never answered."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Operation:
    """`called` and `returned` are places in one order of all events.

    With the outcome UNKNOWN `returned` is when it had taken effect if ever; None: it still may.
    """

    client: int
    called: int
    returned: int | None
    action: Any
    outcome: Any


@dataclass(frozen=True, slots=True)
class Model(Generic[S]):
    """A sequential object: `apply(state, action)` gives the only right outcome and the state after.

    `viable(state)` may rule out states that no order of the whole history can pass through: it
    changes no verdict, and spares the search what it would find to lead nowhere.
    """

    initial: S
    apply: Callable[[S, Any], tuple[Any, S]]
    viable: Callable[[S], bool] = lambda state: True


Mask: TypeAlias = int
"""A set of operations, as bits."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`order` explains the history; None: nothing does, `reached` is the longest that was found.

    `stuck` are the operations of which one had to come next after it and none could.
    """

    order: tuple[Operation, ...] | None
    reached: tuple[Operation, ...] = ()
    stuck: tuple[Operation, ...] = ()

    @property
    def linearizable(self) -> bool:
        return self.order is not None

    def explain(self) -> str:
        if self.order is not None:
            return f"{len(self.order)} operations in order"
        lines = [f"after {len(self.reached)} operations none of these can be next:"]
        lines += [f"  {one}" for one in self.stuck]
        lines += ["the last ones before:", *(f"  {one}" for one in self.reached[-5:])]
        return "\n".join(lines)


def check(history: Sequence[Operation], model: Model[S]) -> Verdict:
    """Search an order; in the worst case exponential, in histories of few clients linear."""
    return _Search(history, model).run()


class _Search(Generic[S]):
    def __init__(self, history: Sequence[Operation], model: Model[S]) -> None:
        self._operations = sorted(history, key=lambda one: one.called)
        self._model = model
        self._ends = [
            float("inf") if one.returned is None else one.returned for one in self._operations
        ]
        self._known = sum(
            1 << number for number, one in enumerate(self._operations) if one.outcome is not UNKNOWN
        )

    def run(self) -> Verdict:
        done: Mask = 0
        state = self._model.initial
        seen: set[tuple[Mask, S]] = set()
        stack: list[tuple[int, Mask, S]] = []
        choices = self._next(done)
        longest: tuple[int, ...] = ()
        stuck = choices
        while done & self._known != self._known:
            step = self._first_fitting(choices, done, state, seen)
            if step is not None:
                place, after = step
                stack.append((choices[place], done, state))
                done, state = done | 1 << choices[place], after
                choices = self._next(done)
                continue
            if len(stack) >= len(longest):
                longest, stuck = tuple(number for number, _, _ in stack), self._next(done)
            if not stack:
                return Verdict(None, self._named(longest), self._named(stuck))
            number, done, state = stack.pop()
            tried = self._next(done)
            choices = tried[tried.index(number) + 1 :]
        return Verdict(self._named([number for number, _, _ in stack]))

    def _first_fitting(
        self, choices: list[int], done: Mask, state: S, seen: set[tuple[Mask, S]]
    ) -> tuple[int, S] | None:
        """(place in `choices`, state after) of the first that fits and leads to new ground."""
        for place, number in enumerate(choices):
            operation = self._operations[number]
            right, after = self._model.apply(state, operation.action)
            if operation.outcome is UNKNOWN:
                if after == state:  # it may as well never have happened
                    continue
            elif operation.outcome != right:
                continue
            reached = (done | 1 << number, after)
            if reached not in seen and self._model.viable(after):
                seen.add(reached)
                return place, after
        return None

    def _next(self, done: Mask) -> list[int]:
        """Those that no other one that is still to come precedes in real time.

        What may have had no effect holds up nobody, and has none after one that it precedes.
        """
        found: list[int] = []
        earliest = float("inf")
        latest = self._operations[done.bit_length() - 1].called if done else 0
        for number in range(self._first_open(done), len(self._operations)):
            if self._operations[number].called > earliest:
                break
            if done >> number & 1:
                continue
            if self._known >> number & 1:
                earliest = min(earliest, self._ends[number])
                found.append(number)
            elif self._ends[number] > latest:
                found.append(number)
        # Whose time is up first goes first; what may have had no effect is tried last.
        return sorted(found, key=lambda one: (not self._known >> one & 1, self._ends[one]))

    def _first_open(self, done: Mask) -> int:
        """The first operation that is not done."""
        return (~done & (done + 1)).bit_length() - 1

    def _named(self, numbers: Sequence[int]) -> tuple[Operation, ...]:
        return tuple(self._operations[number] for number in numbers)
