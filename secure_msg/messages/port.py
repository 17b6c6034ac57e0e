"""What this room asks of the accounts, and whom it tells about what was committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Accounts(Protocol):
    def name(self, account: bytes) -> str | None:
        """None when there is no such account."""

    def signing_key(self, account: bytes, generation: int) -> bytes | None: ...

    def check_own(self, account: bytes, appends: Iterable[tuple[str, bytes]]) -> int:
        """The size at which the owner's statements may follow; raises what it refuses."""


class Appended(NamedTuple):
    """Entries of a thread that were just committed; `first` to `last` are sequences."""

    thread: bytes
    members: tuple[bytes, ...]
    first: int
    last: int


class FolderChanged(NamedTuple):
    """A private file's new version; size 0: deleted."""

    account: bytes
    path: bytes
    version: int
    size: int


class MarkMoved(NamedTuple):
    """A member's read mark, for the other member."""

    thread: bytes
    account: bytes
    other: bytes
    blob: bytes


Announcement = Appended | FolderChanged | MarkMoved


class Announcer(Protocol):
    def announce(self, announcements: Iterable[Announcement], origin: str | None) -> None:
        """Tell those concerned, after the commit. `origin` is the asking socket, if any: it is not
        told of its own folder's changes. Never raises and never waits for a slow listener."""
