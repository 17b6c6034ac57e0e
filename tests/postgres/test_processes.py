"""Two processes on one database: whichever part fails, nothing acknowledged is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_msg.codec.http import EntriesPage
from secure_msg.codec.messages import KIND_MESSAGE
from secure_msg.ledger.chain import read_header
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.merkle import EMPTY, leaf_hash
from secure_msg.ledger.tiles import bundle_entries, tiles_of_growth
from secure_msg.ledger.transaction import Store
from secure_msg.store.serverkeys import open_keys
from tests.postgres.cluster import Cluster, stopped
from tests.postgres.crowd import (
    Conversation,
    Reader,
    Sender,
    Watcher,
    browser,
    conversation,
    message_id,
)
from tests.postgres.house import PostgresHouse
from tests.store.contract import audit
from tests.support.databases import Postgres, Redis
from tests.support.effort import amount

TALKS, ROUNDS, LULL = amount(3, 12), amount(1, 10), 0.7


@pytest.fixture
def cluster(tmp_path: Path, postgres: Postgres, redis_server: Redis) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, postgres.emptied_database(), redis_server)
    yield cluster
    cluster.stop()


def lose_a_process(cluster: Cluster) -> None:
    gone = cluster.other()
    gone.kill()
    time.sleep(LULL)
    gone.start()
    time.sleep(LULL)


def lose_redis(redis_server: Redis) -> None:
    redis_server.stop()
    time.sleep(LULL)
    redis_server.start()
    time.sleep(LULL)


def stop_the_sequencer(cluster: Cluster) -> None:
    """Past its failover, then let it go on where it was."""
    with stopped(cluster):
        time.sleep(LULL)
    time.sleep(LULL)


def test_nothing_acknowledged_is_lost_whatever_fails(cluster: Cluster, redis_server: Redis) -> None:
    processes = cluster.processes
    identity = open_keys(cluster.folder / "storage", None).identity
    talks = [conversation(number, processes) for number in range(TALKS)]
    watcher = Watcher(processes, identity)
    readers = [Reader(talk, processes, at % 2) for at, talk in enumerate(talks)]
    senders = [Sender(talk, processes, (at + 1) % 2) for at, talk in enumerate(talks)]
    try:
        for _ in range(ROUNDS):
            time.sleep(LULL)
            lose_a_process(cluster)
            lose_redis(redis_server)
            stop_the_sequencer(cluster)
    finally:
        for sender in senders:
            sender.stop()
        for sender, reader in zip(senders, readers, strict=True):
            reader.wait_for(sender.acknowledged[-1][1], 30)
            reader.stop()
        watcher.stop()
    for talk, sender, reader in zip(talks, senders, readers, strict=True):
        check_conversation(cluster, talk, sender, reader)
    cluster.stop()
    check_ledger(cluster, watcher)


def check_conversation(
    cluster: Cluster, talk: Conversation, sender: Sender, reader: Reader
) -> None:
    """All that was acknowledged stands there once, in its place, and its reader was told of it."""
    assert len(sender.acknowledged) > 5
    ids: Counter[bytes] = Counter()
    at: dict[int, bytes] = {}
    start = 0
    api = browser(cluster.processes[0], talk.cookies[1])
    while True:
        page = api.get(f"/api/threads/{talk.thread.hex()}/entries?start={start}&count=100")
        found = page.record(EntriesPage)
        for entry in found.entries:
            header = read_header(entry.header)
            if header.kind == KIND_MESSAGE:
                ids[message_id(entry.body or b"")] += 1
                at[header.sequence] = message_id(entry.body or b"")
        start += len(found.entries)
        if start >= found.head.size:
            break
    assert all(count == 1 for count in ids.values()), "a message stands there twice"
    for unique, sequence in sender.acknowledged:
        assert at[sequence] == unique, "an acknowledged message is not in its place"
    assert set(range(found.head.size)) == set(reader.told), "the reader was not told of all"


def check_ledger(cluster: Cluster, watcher: Watcher) -> None:
    """No size has two heads, every head that anybody saw is a prefix of the one log, all checks."""
    assert len(watcher.seen) > 5
    assert all(len(roots) == 1 for roots in watcher.seen.values()), "two heads of one size"
    keys = open_keys(cluster.folder / "storage", None)
    house = PostgresHouse(cluster.folder / "storage", cluster.url, keys)
    house.clock = lambda: time.time_ns() // 1_000_000  # type: ignore[assignment]
    store = house.open()
    try:
        audit(store, keys.identity)
        checkpoint = verify_checkpoint(
            store.checkpoint(), keys.identity.origin, keys.identity.public
        )
        frontier, size = EMPTY, 0
        for leaf in leaves(store, checkpoint.size):
            frontier, size = frontier.append(leaf_hash(leaf)), size + 1
            if size in watcher.seen:
                assert watcher.seen[size] == {frontier.root()}
        assert max(watcher.seen) <= size
    finally:
        house.close()


def leaves(store: Store, size: int) -> Iterator[bytes]:
    for tile in tiles_of_growth(0, size):
        if tile.level is None:
            yield from bundle_entries(store.ledger_file(tile.path) or b"", tile.width)
