"""The sequential object that a store must look like: a conversation with what moves along with it.

A thread's chain, its register and the private files that its members change in the same
transactions are one object, because one transaction changes them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from tests.sim.linearizability import Model, Operation

MAX_SEARCHED = 256
"""How many entries a repeat is looked up in (docs/spec/storage.md, "Transaction")."""

Version: TypeAlias = tuple[int, bytes]
"""A private file's version and content; version 0: there is none."""

NO_FILE: Version = (0, b"")


@dataclass(frozen=True, slots=True)
class PutFile:
    """Compare-and-swap; `content` None deletes."""

    path: bytes
    expected: int
    content: bytes | None


@dataclass(frozen=True, slots=True)
class SwapRegister:
    expected: bytes
    new: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction of a `message` (an id, looked up from `seen` on), a put, a register."""

    message: bytes | None = None
    seen: int = 0
    put: PutFile | None = None
    swap: SwapRegister | None = None


@dataclass(frozen=True, slots=True)
class ReadChain:
    start: int


@dataclass(frozen=True, slots=True)
class ReadRegister:
    pass


@dataclass(frozen=True, slots=True)
class ReadFile:
    path: bytes


Action: TypeAlias = Change | ReadChain | ReadRegister | ReadFile


@dataclass(frozen=True, slots=True)
class Done:
    """`place` of the message, `version` of the file after it; a repeat has its place alone."""

    place: int | None
    version: int | None
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """`what` moved on, or "stale"."""

    what: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """`files` is sorted by path and has none that do not exist."""

    chain: tuple[bytes, ...] = ()
    register: bytes = b""
    files: tuple[tuple[bytes, Version], ...] = field(default=())

    def file(self, path: bytes) -> Version:
        return dict(self.files).get(path, NO_FILE)


def apply(state: Conversation, action: Action) -> tuple[Any, Conversation]:
    """The right outcome, and the conversation after it."""
    match action:
        case ReadChain(start):
            return state.chain[start:], state
        case ReadRegister():
            return state.register, state
        case ReadFile(path):
            return state.file(path), state
        case Change():
            refusal = _repeat_or_refusal(state, action)
            return (refusal, state) if refusal else _changed(state, action)


def model(initial: Conversation, history: Sequence[Operation] = ()) -> Model[Conversation]:
    """`history` tells what stood at which place of the chain: entries are never moved, so that an
    order which puts another one there is none of that history's."""
    stood = dict(_places(history))

    def viable(state: Conversation) -> bool:
        last = len(state.chain) - 1
        return last < 0 or stood.get(last, state.chain[last]) == state.chain[last]

    return Model(initial, apply, viable)


def _places(history: Sequence[Operation]) -> Iterator[tuple[int, bytes]]:
    """(place, message) of all that was read or acknowledged."""
    for operation in history:
        match operation.action, operation.outcome:
            case ReadChain(start), tuple() as messages:
                yield from enumerate(messages, start)
            case Change(message=bytes() as message), Done(place=int() as place):
                yield place, message


def _repeat_or_refusal(state: Conversation, change: Change) -> Done | Refused | None:
    """What the store answers without writing anything; None: it writes."""
    if change.message is not None:
        if len(state.chain) - change.seen > MAX_SEARCHED:
            return Refused("stale")
        if change.message in state.chain[change.seen :]:
            return Done(state.chain.index(change.message, change.seen), None, repeat=True)
    if change.swap is not None and change.swap.expected != state.register:
        return Refused("register")
    put = change.put
    if put is not None:
        deletes_nothing = put.content is None and not put.expected
        if put.expected != state.file(put.path)[0] or deletes_nothing:
            return Refused("version")
    return None


def _changed(state: Conversation, change: Change) -> tuple[Done, Conversation]:
    after, place, version = state, None, None
    if change.message is not None:
        place = len(after.chain)
        after = replace(after, chain=(*after.chain, change.message))
    if change.swap is not None:
        after = replace(after, register=change.swap.new)
    if change.put is not None:
        version = change.put.expected + 1
        after = replace(after, files=_with_file(after, change.put, version))
    return Done(place, version), after


def _with_file(
    state: Conversation, put: PutFile, version: int
) -> tuple[tuple[bytes, Version], ...]:
    files = dict(state.files)
    files.pop(put.path, None)
    if put.content is not None:
        files[put.path] = (version, put.content)
    return tuple(sorted(files.items()))
