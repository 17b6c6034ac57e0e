"""What reading a thread works on and gives: entries, who reads, the outcome (e2ee.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    NeedsAccount,
    NeedsOpening,
    PeerViolation,
    ProtocolError,
)
from secure_msg.e2ee.events import Event, Reason, Refused, Undecryptable
from secure_msg.e2ee.identity import OwnKeys
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.state import ArchiveSegment, ThreadState
from secure_msg.ledger.accountchain import AccountView

T = TypeVar("T")


class ChainEntry(Protocol):
    """An entry as it is served; `body` is None once it was erased."""

    @property
    def header(self) -> bytes: ...
    @property
    def salt(self) -> bytes: ...
    @property
    def body(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that follows its chain; `body` is empty where it was `erased`."""

    sequence: int
    kind: str
    leaf: bytes
    body: bytes
    erased: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and what is known of the peer.

    `refreshed`: both account views were just fetched, so what they lack does not exist.
    `unknown_own_below`: own entries before this sequence may be unknown (after `abandon`).
    """

    own: OwnKeys
    peer: AccountView
    now: int
    refreshed: bool = False
    unknown_own_below: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading gave. State, prekeys and segments are saved together, or not at all."""

    state: ThreadState
    prekeys: Prekeys
    segments: tuple[ArchiveSegment, ...] = ()
    events: tuple[Event, ...] = ()

    def tell(self, *events: Event) -> Reading:
        return replace(self, events=self.events + events)

    def refuse(self, entry: Entry, rule: str) -> Reading:
        return self.tell(Refused(entry.sequence, entry.kind, rule))

    def unreadable(self, entry: Entry, message_id: bytes, reason: Reason) -> Reading:
        return self.tell(Undecryptable(entry.sequence, message_id, reason))

    def move(self, moved: ThreadState) -> Reading:
        return replace(self, state=moved)


def attempt(reader: Reader, step: Callable[[], T]) -> T | ProtocolError:
    """The step's result, or the peer's fault. What other fetches may cure is raised."""
    try:
        return step()
    except NeedsAccount as error:
        if not reader.refreshed:
            raise
        return PeerViolation(error.rule)
    except (PeerViolation, AuthenticationFailed, NeedsOpening) as error:
        return error
