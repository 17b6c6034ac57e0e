"""A database for tests, opened as a store again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from secure_msg.crypto.random import SeededRandom, system_random
from secure_msg.ledger.followed import Follower
from secure_msg.store.postgres.store import PostgresStore
from secure_msg.store.serverkeys import ServerIdentity, ServerKeys, open_or_create
from tests.store.contract import Clock

LEASE = 1.5


class PostgresHouse:
    def __init__(self, folder: Path, url: str, keys: ServerKeys | None = None) -> None:
        self.url = url
        self.clock = Clock()
        self.keys = keys or open_or_create(folder, None, SeededRandom(b"house"))
        self.opened: list[PostgresStore] = []

    @property
    def identity(self) -> ServerIdentity:
        return self.keys.identity

    def open(self, **options: Any) -> PostgresStore:
        self.close()
        return self.another(**options)

    def another(self, *followers: Follower, **options: Any) -> PostgresStore:
        """As a further process would, beside those that are open."""
        # Ids of requests differ between processes: a seed for all would make them meet.
        store = PostgresStore.open(
            self.url, self.keys, self.clock, system_random, lease=LEASE, **options
        )
        self.opened.append(store)
        store.follow(*followers)
        return store

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()
