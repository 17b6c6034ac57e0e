"""What a store tells the rooms of each commit, whichever process asked for it.

Rooms keep what they know in memory; where several processes share one store, this keeps it true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GrownChain:
    """`begun` is the kind of its first entry, `before` the size that the commit found."""

    chain: bytes
    begun: str
    label: bytes
    before: int
    size: int


@dataclass(frozen=True, slots=True)
class ChangedPrivateFile:
    """A private file's new version and length; `version` 0: deleted."""

    account: bytes
    path: bytes
    version: int
    length: int


@dataclass(frozen=True, slots=True)
class Followed:
    """One commit as every process sees it; `time` in ms since 1970 UTC."""

    log_index: int
    time: int
    chains: tuple[GrownChain, ...]
    files: tuple[ChangedPrivateFile, ...]


class Follower(Protocol):
    def followed(self, commit: Followed) -> None:
        """In the order of commits, before who asked for it is answered. Never waits or raises."""

    def lost(self) -> None:
        """For a while commits may have been missed: what is known of others may be out of date."""
