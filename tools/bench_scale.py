"""What a server with a long past costs: start, memory, reading and writing at the end of it all.

Two folders, made by the store itself with full batches and without syncing: one of many
conversations (each message with a private put, as a send has it), and one of one long chain beside
a short one.

    .venv/bin/python tools/bench_scale.py --messages 1000000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from secure_msg.crypto.random import system_random  # noqa: E402
from secure_msg.ledger.transaction import (  # noqa: E402
    Append,
    NameClaim,
    Put,
    Register,
    Transaction,
)
from secure_msg.messages.reading import Reading  # noqa: E402
from secure_msg.messages.threads import Threads  # noqa: E402
from secure_msg.store.durable import Disk  # noqa: E402
from secure_msg.store.files import FileStore  # noqa: E402
from secure_msg.store.serverkeys import open_or_create  # noqa: E402
from tests.support.server import ServerProcess  # noqa: E402

MESSAGES = 1_000_000
A_CONVERSATION = 100
CONVERSATIONS_OF_ONE = 10
"""So many conversations an account has; each has two members."""
BODY, SESSION = 256, 1_024
AT_ONCE = 500
TOGETHER = 5
"""Conversations a commit: a transaction has at most 1,024 operations."""
PAGE, SHORT = 100, 1_000
ROUNDS = 41
SETTLE_SECONDS = 3.0
START_GOAL_S, IDLE_GOAL_MIB, MESSAGE_GOAL_BYTES = 10.0, 100.0, 100.0


class UnsyncedDisk(Disk):
    """For making a folder quickly; what is measured later is read, not synced."""

    def sync_data(self, descriptor: int) -> None:
        del descriptor

    def sync_file(self, path: Path) -> None:
        del path

    def sync_folder(self, path: Path) -> None:
        del path

    def sync_system(self, path: Path) -> bool:
        del path
        return True


def ident(kind: str, number: int = 0) -> bytes:
    return hashlib.sha256(f"{kind} {number}".encode()).digest()


def clock() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def opened(folder: Path) -> Iterator[FileStore]:
    folder.mkdir(parents=True, exist_ok=True)
    keys = open_or_create(folder, None, system_random)
    store = FileStore.open(folder, keys, clock, system_random, disk=UnsyncedDisk())
    try:
        yield store
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class Spread:
    """A million messages are 10,000 conversations between 2,000 accounts."""

    messages: int

    @property
    def conversations(self) -> int:
        return max(self.messages // A_CONVERSATION, 1)

    @property
    def accounts(self) -> int:
        return max(2 * self.conversations // CONVERSATIONS_OF_ONE, 2)

    def members(self, conversation: int) -> tuple[bytes, bytes]:
        one = conversation % self.accounts
        step = 1 + conversation // self.accounts
        return ident("account", one), ident("account", (one + step) % self.accounts)


def fill(store: FileStore, spread: Spread) -> None:
    for first in range(0, spread.accounts, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, spread.accounts))
        store.commit(
            Transaction(
                tuple(_account(number) for number in numbers),
                names=tuple(NameClaim(f"name{n}", ident("account", n)) for n in numbers),
            )
        )
    for first in range(0, spread.conversations, TOGETHER):
        numbers = range(first, min(first + TOGETHER, spread.conversations))
        store.commit(_joined([_conversation(n, spread.members(n)) for n in numbers]))


def _joined(parts: list[Transaction]) -> Transaction:
    return Transaction(
        tuple(chain.from_iterable(one.appends for one in parts)),
        tuple(chain.from_iterable(one.puts for one in parts)),
        tuple(chain.from_iterable(one.registers for one in parts)),
    )


def _account(number: int) -> Append:
    label = f"name{number}".encode()
    return Append(ident("account", number), "account", system_random(BODY), label=label)


def _conversation(number: int, members: tuple[bytes, bytes]) -> Transaction:
    """All of it at once: turns of ten messages, each with the sender's next session file."""
    thread, session = ident("thread", number), ident("session", number)
    appends = [Append(thread, "opened", system_random(BODY), label=members[0] + members[1])]
    puts, versions = [], dict.fromkeys(members, 0)
    for at in range(A_CONVERSATION):
        sender = members[at // 10 % 2]
        appends.append(_message(thread))
        puts.append(Put(sender, session, versions[sender], system_random(SESSION)))
        versions[sender] += 1
    return Transaction(tuple(appends), tuple(puts), (Register(thread, b"", session),))


def _message(thread: bytes) -> Append:
    return Append(
        thread,
        "message",
        system_random(BODY),
        erasable=True,
        unique=system_random(16),
        seen=2**40,
    )


# Start and memory.


def server_with(storage: Path) -> dict[str, float]:
    """Seconds to the first answer, and what the server's processes hold then, in bytes."""
    server = ServerProcess(storage)
    began = time.perf_counter()
    with server:
        took = time.perf_counter() - began
        time.sleep(SETTLE_SECONDS)
        return {"seconds": took, **_memory(server.process_id)}


def _memory(process: int) -> dict[str, float]:
    """`own`: each page counted once, shared ones in equal parts; `resident`: the worker's alone."""
    together = [process, *_children(process)]
    proportional = sum(_rollup(one)["Pss"] for one in together)
    return {"own": proportional, "resident": max(_rollup(one)["Rss"] for one in together[1:])}


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(one) for one in listed.split()]


def _rollup(process: int) -> dict[str, int]:
    text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def start_and_memory(folder: Path, messages: int) -> dict[str, Any]:
    spread = Spread(messages)
    empty, full = folder / "empty", folder / "full"
    with opened(empty):
        pass
    began = time.perf_counter()
    with opened(full) as store:
        fill(store, spread)
    made = time.perf_counter() - began
    before, after = server_with(empty), server_with(full)
    return {
        "messages": messages,
        "conversations": spread.conversations,
        "accounts": spread.accounts,
        "made_in_s": made,
        "idle_mib": before["own"] / 2**20,
        "full_mib": after["own"] / 2**20,
        "bytes_a_message": (after["own"] - before["own"]) / messages,
        "empty_start_s": before["seconds"],
        "start_s": after["seconds"],
    }


# The end of a long chain.


def long_chain(folder: Path, entries: int) -> dict[str, Any]:
    """A page of the newest, and one entry more, at three lengths."""
    lengths = {"empty": 1, "short": SHORT, "long": entries}
    with opened(folder / "long") as store:
        for name, size in lengths.items():
            _grow(store, ident(name), size)
    with opened(folder / "long") as store:
        pages = {name: _page_ms(store, ident(name)) for name in lengths if name != "empty"}
        appends = _append_ms(store, tuple(ident(name) for name in lengths))
    return {"entries": entries, "page_ms": pages, "append_ms": dict(zip(lengths, appends))}  # noqa: B905


def _grow(store: FileStore, which: bytes, size: int) -> None:
    label = ident("one") + ident("other")
    store.commit(Transaction((Append(which, "opened", b"", label=label),)))
    for first in range(1, size, AT_ONCE):
        count = min(AT_ONCE, size - first)
        store.commit(Transaction(tuple(_message(which) for _ in range(count))))


class _Nobody:
    """The accounts room, which a page does not ask."""

    def name(self, account: bytes) -> str | None:
        del account
        return None

    def signing_key(self, account: bytes, generation: int) -> bytes | None:
        del account, generation
        return None

    def check_own(self, account: bytes, appends: Any) -> int:
        del account, appends
        return 0


def _page_ms(store: FileStore, which: bytes) -> float:
    reading = Reading(store, Threads(store, ident("key")), _Nobody())
    size = store.head(which).size
    return _median_ms(lambda: reading.page(which, size - PAGE, PAGE))


def _append_ms(store: FileStore, chains: tuple[bytes, ...]) -> list[float]:
    """Taken in turns, so that what else the machine does meets all of them alike."""
    took: list[list[float]] = [[] for _ in chains]
    for _ in range(ROUNDS):
        for which, times in zip(chains, took, strict=True):
            began = time.perf_counter()
            store.commit(Transaction((_message(which),)))
            times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in took]


def _median_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def run(folder: Path, messages: int = MESSAGES) -> dict[str, Any]:
    return {
        "start": start_and_memory(folder, messages),
        "chain": long_chain(folder, messages),
    }


def print_result(found: dict[str, Any]) -> None:
    start, long = found["start"], found["chain"]
    print(
        f"\nScale: {start['messages']:,} messages in {start['conversations']:,} conversations of "
        f"{start['accounts']:,} accounts, a private put each (made in {start['made_in_s']:.0f} s)"
    )
    _row("start to the first answer, s", start["start_s"], START_GOAL_S)
    print(f"{'  the same with an empty folder, s':44}{start['empty_start_s']:10.2f}")
    _row("idle server, MiB", start["idle_mib"], IDLE_GOAL_MIB)
    _row("more a stored message, bytes", start["bytes_a_message"], MESSAGE_GOAL_BYTES)
    pages, appends = long["page_ms"], long["append_ms"]
    print(f"{f'a page of {PAGE} after {SHORT:,}, ms':44}{pages['short']:10.2f}")
    after = f"a page of {PAGE} after {long['entries']:,}, ms"
    print(f"{after:44}{pages['long']:10.2f}   ratio {pages['long'] / pages['short']:.2f}")
    print(f"{'an append to an empty chain, ms':44}{appends['empty']:10.2f}")
    after = f"an append after {long['entries']:,}, ms"
    print(f"{after:44}{appends['long']:10.2f}   ratio {appends['long'] / appends['empty']:.2f}")


def _row(what: str, value: float, goal: float) -> None:
    held = "held" if value <= goal else "MISSED"
    print(f"{what:44}{value:10.2f}   at most {goal:g}: {held}")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--messages", type=int, default=MESSAGES)
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="secure-msg-scale-") as folder:
        found = run(Path(folder), options.messages)
    print_result(found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
