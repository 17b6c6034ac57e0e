"""How fast `secure-msg verify` goes over a realistic folder, on one core.

The folder: accounts, conversations of 2 KiB messages with unique ids, and for each message a new
version of a 2 KiB private file of its sender, so that half of the entries have no body to speak of.
The goal is 20,000 entries or 100 MB a second, whichever is less work.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from secure_msg.crypto.hash import sha256
from secure_msg.crypto.random import SeededRandom
from secure_msg.ledger.transaction import Append, Put, Transaction
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import ServerKeys, open_or_create
from secure_msg.store.verify import verify

ACCOUNTS, THREADS, ROUNDS = 50, 250, 100
SIZE = 2048
TOGETHER = 50
GOAL_ENTRIES, GOAL_BYTES = 20_000, 100_000_000
REPEATS = 3
FLOOR_HASHES = 100_000


def run(folder: Path) -> dict[str, Any]:
    root = folder / "verify"
    root.mkdir()
    random = SeededRandom(b"bench verify")
    keys = open_or_create(root, None, random)
    _fill(root, keys, random)
    took, floors = [], []
    for _ in range(REPEATS):
        floors.append(_floor())
        began = time.process_time()
        report = verify(root, keys)
        took.append(time.process_time() - began)
        if report.findings:
            raise RuntimeError(report.findings[0].sentence())
    counts, best = report.counts, min(took)
    entries, read = counts.entries / best, counts.bytes / best
    return {
        "entries": counts.entries,
        "bytes": counts.bytes,
        "commits": counts.log_leaves,
        "cpu_seconds": took,
        "entries_a_second": entries,
        "bytes_a_second": read,
        "floor_seconds_a_hash": min(floors),
        "hashes_an_entry": best / counts.entries / min(floors),
        "held": entries >= GOAL_ENTRIES or read >= GOAL_BYTES,
    }


def _floor() -> float:
    """CPU seconds of one SHA-256 of a tree node, called from Python."""
    node = bytes(64)
    began = time.process_time()
    for _ in range(FLOOR_HASHES):
        sha256(b"\x01", node)
    return (time.process_time() - began) / FLOOR_HASHES


def show(found: dict[str, Any]) -> None:
    print(
        f"\nverify: {found['entries']} entries, {found['bytes'] / 1e6:.0f} MB, "
        f"{found['commits']} commits: {found['entries_a_second']:,.0f} entries/s, "
        f"{found['bytes_a_second'] / 1e6:.0f} MB/s of one core; goal {GOAL_ENTRIES:,} entries/s "
        f"or {GOAL_BYTES / 1e6:.0f} MB/s: {'held' if found['held'] else 'MISSED'}"
    )
    print(
        f"an entry costs as much as {found['hashes_an_entry']:.0f} bare hashes of a tree node "
        f"({found['floor_seconds_a_hash'] * 1e6:.2f} µs each in this run)"
    )


def _ident(*parts: object) -> bytes:
    return sha256(repr(parts).encode())


def _fill(root: Path, keys: ServerKeys, random: SeededRandom) -> None:
    now = [1_800_000_000_000]

    def clock() -> int:
        now[0] += 1
        return now[0]

    store = FileStore.open(root, keys, clock, random)
    for number in range(ACCOUNTS):
        owner = _ident("account", number)
        store.commit(Transaction((Append(owner, "account", random(SIZE), label=b"somebody"),)))
    for number in range(THREADS):
        store.commit(Transaction((Append(_ident("thread", number), "opened", b"two"),)))
    versions: dict[tuple[bytes, bytes], int] = {}
    for round_number in range(ROUNDS):
        for first in range(0, THREADS, TOGETHER):
            threads = range(first, first + TOGETHER)
            store.commit(_batch(threads, round_number, versions, random))
    store.close()


def _batch(
    threads: range,
    round_number: int,
    versions: dict[tuple[bytes, bytes], int],
    random: SeededRandom,
) -> Transaction:
    """A message in each thread, with its sender's state: what a busy moment commits together."""
    appends, puts = [], []
    for thread in threads:
        key = _ident("account", thread % ACCOUNTS), _ident("file", thread)
        puts.append(Put(*key, versions.get(key, 0), random(SIZE)))
        versions[key] = versions.get(key, 0) + 1
        identifier, unique = _ident("thread", thread), _ident(thread, round_number)[:16]
        appends.append(
            Append(identifier, "message", random(SIZE), True, None, unique, seen=round_number + 1)
        )
    return Transaction(tuple(appends), tuple(puts))
