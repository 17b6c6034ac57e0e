"""What the store says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """For operators; `read_only` and `full` as in `condition`.

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


def condition(*, read_only: bool, full: bool) -> str:
    """ "ok", "full" while the disk takes no writes, "read-only" until the next start."""
    if read_only:
        return "read-only"
    return "full" if full else "ok"
