"""Figures of operation in Prometheus' text format (docs/operations.md, "Figures").

Every label has a small, fixed set of values: none is an account, an address or a path.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from secure_msg.codec.realtime import Asked
from secure_msg.store.observer import BatchReport, FlushReport
from secure_msg.web.errors import STATUS

EXTENSION = "secure_msg.metrics"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

ROOMS = ("accounts", "messages", "operation", "pages", "socket")
NO_ROOM = "none"
NO_KIND = "unknown"
ASKED = {kind.value: kind.name.lower() for kind in Asked}

_SIZES = tuple(2**power for power in range(10))
_DISK_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_FLUSH_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# When a series began doubles their number and tells nothing that a scraper does not see.
disable_created_metrics()  # type: ignore[no-untyped-call]


class StoreStats(Protocol):
    """What a store says of itself (`FileStore.stats`)."""

    @property
    def read_only(self) -> bool: ...
    @property
    def full(self) -> bool: ...
    @property
    def log_size(self) -> int: ...
    @property
    def chains(self) -> int: ...
    @property
    def names(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def unflushed_bytes(self) -> int: ...
    @property
    def damaged(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Present:
    """What is looked at only when somebody asks."""

    stats: Callable[[], StoreStats]
    sockets: Callable[[], int]
    folder: Path


class Metrics:
    """Counts what it is told; also the store's Observer."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._batch = Histogram(
            "secure_msg_commit_transactions",
            "Transactions of one commit; its count is the number of commits.",
            buckets=_SIZES,
            registry=registry,
        )
        self._entries = Counter("secure_msg_entries", "Entries added to chains.", registry=registry)
        self._fdatasync = Histogram(
            "secure_msg_commit_fdatasync_seconds",
            "The journal's write and fdatasync of one commit.",
            buckets=_DISK_SECONDS,
            registry=registry,
        )
        self._signature = Histogram(
            "secure_msg_commit_signature_seconds",
            "Signing one commit's checkpoint.",
            buckets=_DISK_SECONDS,
            registry=registry,
        )
        self._flush = Histogram(
            "secure_msg_flush_seconds",
            "Putting what is committed into its files.",
            buckets=_FLUSH_SECONDS,
            registry=registry,
        )
        self._flushed = Counter(
            "secure_msg_flush_bytes", "Bytes that flushes wrote.", registry=registry
        )
        self._requests = Counter(
            "secure_msg_requests",
            "HTTP requests; a socket counts when it ends.",
            ("room", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "secure_msg_request_seconds",
            "Of HTTP requests, sockets left aside.",
            ("room",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._asked = Histogram(
            "secure_msg_socket_request_seconds",
            "Of requests in sockets, to the moment when the answer is ready to send.",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._problems = Counter(
            "secure_msg_problems",
            "Requests that were refused or failed, by the problem's kind.",
            ("kind",),
            registry=registry,
        )
        self.connections = Gauge(
            "secure_msg_connections", "Open TCP connections, sockets included.", registry=registry
        )
        # Every series is there from the start, so that its first event is seen as an increase;
        # and the send path finds its own without a look-up by name.
        self._problem = {kind: self._problems.labels(kind) for kind in STATUS}
        kinds = (*ASKED.values(), NO_KIND)
        self._asked_of = {kind: self._asked.labels(kind) for kind in kinds}

    def watch(self, present: Present) -> None:
        """Once, when there is a server to look at."""
        self._registry.register(_Looked(present))

    def text(self) -> bytes:
        return generate_latest(self._registry)

    # The store's Observer.

    def committed(self, report: BatchReport) -> None:
        self._batch.observe(report.transactions)
        self._entries.inc(report.entries)
        self._fdatasync.observe(report.fdatasync)
        self._signature.observe(report.signature)

    def flushed(self, report: FlushReport) -> None:
        self._flush.observe(report.seconds)
        self._flushed.inc(report.bytes)

    # The web's.

    def requested(self, notes: Mapping[str, str], status: int, seconds: float) -> None:
        """One HTTP request, with its "room" and "problem"; status 101 is a socket that ended."""
        room = notes.get("room", "")
        known = room if room in ROOMS else NO_ROOM
        self._requests.labels(known, str(status)).inc()
        if status != 101:
            self._request_seconds.labels(known).observe(seconds)
        if "problem" in notes:
            self.refused(notes["problem"])

    def asked(self, kind: int, seconds: float) -> None:
        """One request in a socket."""
        self._asked_of[ASKED.get(kind, NO_KIND)].observe(seconds)

    def refused(self, kind: str) -> None:
        """`kind` of docs/spec/http.md, "Problem kinds"."""
        self._problem[kind].inc()


class _Looked(Collector):
    def __init__(self, present: Present) -> None:
        self._present = present

    def collect(self) -> Iterator[Metric]:
        stats = self._present.stats()
        yield _gauge("read_only", "1: nothing is accepted until the next start.", stats.read_only)
        yield _gauge("full", "1: nothing is accepted until the disk takes writes.", stats.full)
        yield _gauge("log_leaves", "Leaves of the log.", stats.log_size)
        yield _gauge("chains", "Chains of accounts, threads and folders.", stats.chains)
        yield _gauge("names", "Claimed names; an account may have two.", stats.names)
        yield _gauge("queue_depth", "Transactions that wait for a commit.", stats.waiting)
        yield _gauge("unflushed_bytes", "Committed, not yet in files.", stats.unflushed_bytes)
        yield CounterMetricFamily(
            "secure_msg_damaged", "Reads that found damage and were not served.", stats.damaged
        )
        yield _gauge("sockets", "Open WebSockets of people.", self._present.sockets())
        # A disk that cannot even be asked must not hide the other figures.
        with suppress(OSError):
            disk = shutil.disk_usage(self._present.folder)
            yield _gauge("storage_size_bytes", "Of the storage's file system.", disk.total)
            yield _gauge("storage_free_bytes", "Free there for this process.", disk.free)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"secure_msg_{name}", meaning, value)
