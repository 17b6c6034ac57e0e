"""How fast one peer may send: a token bucket over time, and the frames in a stream of bytes."""

from __future__ import annotations

from time import monotonic


class Rate:
    """A token bucket over time: `wait` says for how long the next one has to."""

    def __init__(self, per_second: int, patience: int) -> None:
        self._per_second = per_second
        self._patience = patience
        self._tokens = float(per_second)
        self._at = monotonic()
        self._late = 0

    def wait(self) -> float | None:
        """Seconds, or None when the patience is at its end."""
        now = monotonic()
        self._tokens = min(self._per_second, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        self._tokens -= 1
        if self._tokens >= 0:
            self._late = 0
            return 0.0
        self._late += 1
        return None if self._late > self._patience else -self._tokens / self._per_second


class Frames:
    """Counts the frames in a stream of bytes (RFC 6455 section 5.2), by their heads alone."""

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0

    def begun(self, data: bytes) -> int:
        """How many frame heads `data` completes, which goes on from the data before."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        rest = self._head + data[skipped:]
        at, count = 0, 0
        while (head := _head_size(rest, at)) is not None:
            at += head + _payload_size(rest, at)
            count += 1
            if at > len(rest):
                self._skip, at = at - len(rest), len(rest)
        self._head = rest[at:]
        return count


def _head_size(data: bytes, at: int) -> int | None:
    """Of the frame that begins there; None when the head is not all there."""
    if at + 2 > len(data):
        return None
    length = {126: 2, 127: 8}.get(data[at + 1] & 0x7F, 0)
    size = 2 + length + (4 if data[at + 1] & 0x80 else 0)
    return size if at + size <= len(data) else None


def _payload_size(data: bytes, at: int) -> int:
    short = data[at + 1] & 0x7F
    length = {126: 2, 127: 8}.get(short, 0)
    return int.from_bytes(data[at + 2 : at + 2 + length], "big") if length else short
