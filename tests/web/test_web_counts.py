"""The counters of the rate limits: as the library's own, by a clock that cannot be set."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from secure_msg.web import counts
from secure_msg.web.counts import SCHEME, SWEEP_SECONDS, Counts


@dataclass
class Clock:
    now: float = 1_000.0
    wall: float = 2e9

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.wall


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(counts, "time", found)
    return found


def test_the_library_finds_it():
    assert isinstance(storage_from_string(f"{SCHEME}://"), Counts)


def test_a_window_takes_as_many_as_it_says_and_begins_again(clock):
    limiter, item = FixedWindowRateLimiter(Counts()), parse("3 per minute")
    for _ in range(2):
        assert [limiter.hit(item, "one") for _ in range(5)] == [True] * 3 + [False] * 2
        assert limiter.hit(item, "other")
        clock.now += 59.9
        assert not limiter.hit(item, "one")
        clock.now += 0.1


def test_a_cost_counts_whole(clock):
    limiter, item = FixedWindowRateLimiter(Counts()), parse("10 per hour")
    assert limiter.hit(item, "a", cost=10)
    assert not limiter.hit(item, "a", cost=1)
    assert not limiter.hit(item, "b", cost=11)


def test_setting_the_clock_changes_no_window(clock):
    limiter, item = FixedWindowRateLimiter(Counts()), parse("1 per minute")
    assert limiter.hit(item, "a")
    for jump in (-86_400, 172_800):
        clock.wall += jump
        assert not limiter.hit(item, "a")
        assert limiter.get_window_stats(item, "a").reset_time == pytest.approx(clock.wall + 60)
    clock.now += 60
    assert limiter.hit(item, "a")


def test_windows_that_are_over_are_forgotten(clock):
    storage = Counts()
    for number in range(1_000):
        storage.incr(f"short {number}", 1)
    storage.incr("long", 3_600)
    clock.now += SWEEP_SECONDS
    storage.incr("now", 1)
    assert len(storage) == 2
    assert (storage.get("long"), storage.get("short 1"), storage.get("now")) == (1, 0, 1)
    storage.clear("long")
    assert storage.reset() == 1
    assert len(storage) == 0
