"""Counters of the rate limits in memory: a storage for `limits` (docs/adr/0007-one-websocket.md).

The one that comes with the library takes a lock of its own for each key, starts a timer that goes
through all keys up to a hundred times a second, and counts by a clock that may be set back. Here
greenlets take turns, so that counting needs no lock; windows end by the monotonic clock.
"""

from __future__ import annotations

import time

from limits.storage import Storage

SCHEME = "greenlets"
SWEEP_SECONDS = 10.0


class Counts(Storage):
    """Fixed windows, each from its key's first count on."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012  the library's name for it

    def __init__(self, uri: str | None = None, **options: float | str | bool) -> None:
        super().__init__(uri)
        self._counts: dict[str, tuple[int, float]] = {}
        self._sweep_at = time.monotonic() + SWEEP_SECONDS

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._counts)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """The count of a window that ends `expiry` seconds after its first."""
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep(now)
        count, ends = self._counts.get(key, (0, now))
        if now >= ends:
            count, ends = 0, now + expiry
        self._counts[key] = count + amount, ends
        return count + amount

    def get(self, key: str) -> int:
        count, ends = self._counts.get(key, (0, 0.0))
        return count if time.monotonic() < ends else 0

    def get_expiry(self, key: str) -> float:
        """In seconds since the epoch."""
        left = self._counts.get(key, (0, 0.0))[1] - time.monotonic()
        return time.time() + max(0.0, left)

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        gone = len(self._counts)
        self._counts.clear()
        return gone

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)

    def _sweep(self, now: float) -> None:
        """Forget the windows that are over."""
        self._counts = {key: one for key, one in self._counts.items() if one[1] > now}
        self._sweep_at = now + SWEEP_SECONDS
