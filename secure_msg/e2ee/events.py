"""What reading a thread brings to light (docs/spec/e2ee.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from secure_msg.e2ee.envelope import Content

Reason: TypeAlias = Literal[
    "erased", "malformed", "author", "session", "opening", "replayed", "forged", "rules"
]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last checkpoint that somebody saw, as it travels inside messages."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class ThreadOpened:
    sequence: int
    opener: bytes


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The peer began a session; `last_resort`: no one-time prekey was left for it."""

    sequence: int
    session: bytes
    last_resort: bool
    created: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the peer's; `gap` messages before it never came, `time` is its own claim."""

    sequence: int
    id: bytes
    author: bytes
    time: int
    content: Content
    session_version: int
    checkpoint: Checkpoint
    gap: int


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """An own message that has reached its place."""

    sequence: int
    id: bytes
    time: int
    content: Content


@dataclass(frozen=True, slots=True)
class Undecryptable:
    """A message that cannot be read; `id` is empty where even that is unknown."""

    sequence: int
    id: bytes
    reason: Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """Any other entry that breaks `rule`."""

    sequence: int
    kind: str
    rule: str


@dataclass(frozen=True, slots=True)
class ResetAsked:
    """The peer could not read these own messages in that session."""

    sequence: int
    session: bytes
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FolderRolledBack:
    """The peer's session version did not rise: its private folder was set back."""

    sequence: int


Event: TypeAlias = (
    ThreadOpened
    | SessionStarted
    | Received
    | OwnMessage
    | Undecryptable
    | Refused
    | ResetAsked
    | FolderRolledBack
)
