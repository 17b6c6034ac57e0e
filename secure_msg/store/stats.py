"""What the store says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """For operators. `read_only` after a failure of the disk, `full` while it takes no writes.

    So many reads of `damaged` files were refused.
    """

    read_only: bool
    log_size: int
    chains: int
    names: int
    waiting: int
    batches: int
    transactions: int
    flushes: int
    unflushed_bytes: int
    damaged: int
    full: bool

    @property
    def condition(self) -> str:
        """ "ok", "full" while the disk takes no writes, "read-only" until the next start."""
        if self.read_only:
            return "read-only"
        return "full" if self.full else "ok"
