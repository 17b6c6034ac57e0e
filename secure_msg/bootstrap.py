"""The only wiring: from settings to a server that can be run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import gevent
from dotenv import dotenv_values

from secure_msg.accounts.chains import Chains
from secure_msg.accounts.credentials import SignIn
from secure_msg.accounts.directory import Directory
from secure_msg.accounts.prekeys import Prekeys
from secure_msg.accounts.registration import Registrations
from secure_msg.accounts.renewal import Renewal
from secure_msg.accounts.sessions import Sessions
from secure_msg.crypto.random import RandomBytes, system_random
from secure_msg.ledger.transaction import Store
from secure_msg.messages.folders import Folders
from secure_msg.messages.port import Announcer
from secure_msg.messages.reading import Reading
from secure_msg.messages.threads import Threads
from secure_msg.messages.transact import Transact
from secure_msg.settings import Settings, read_settings
from secure_msg.store.committer import Offload
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import ServerKeys, open_or_create
from secure_msg.store.stats import Stats
from secure_msg.web.app import Web, create_web
from secure_msg.web.metrics import Metrics, Present
from secure_msg.web.realtime import Realtime
from secure_msg.web.relay import Bus, Relay
from secure_msg.web.rooms import Rooms
from secure_msg.web.services import Clock, ServerInfo, Services

DAY_MS = 86_400_000
MIB = 1024 * 1024
PROCESS_ID_SIZE = 16
UNPACKAGED = "0.1.0"


def settings_from_environment(folder: Path) -> Settings:
    """The environment over `.env`; relative paths are in `folder`. Raises BadSetting."""
    settings = read_settings({**dotenv_values(folder / ".env"), **os.environ})
    return replace(settings, storage=folder / settings.storage)


def system_clock() -> int:
    return time.time_ns() // 1_000_000


def native_threads(work: Callable[[], Any]) -> Any:
    """Blocking work in gevent's pool of native threads, while other greenlets go on.

    What it raises is handed over as a value: the pool would first write it to standard error, and
    where that fails (a log on the same full disk) whoever waits would never be told.
    """
    result, error = gevent.get_hub().threadpool.apply(_outcome, (work,))
    if error is not None:
        raise error
    return result


def _outcome(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001  all of them are raised again where work was asked for
        return None, error


@dataclass(frozen=True, slots=True)
class AccountsForMessages:
    """The accounts room as the messages room sees it (its port `Accounts`)."""

    directory: Directory
    chains: Chains

    def name(self, account: bytes) -> str | None:
        return self.directory.name(account)

    def signing_key(self, account: bytes, generation: int) -> bytes | None:
        return self.chains.signing_key(account, generation)

    def check_own(self, account: bytes, appends: Any) -> int:
        return self.chains.check_own(account, appends)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a server takes from outside of itself, beside its settings."""

    clock: Clock
    random: RandomBytes
    offload: Offload


class RunningStore(Store, Protocol):
    """A store as a server runs it, in files or in PostgreSQL."""

    @property
    def condition(self) -> str: ...

    def stats(self) -> Stats: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """What the rooms hold in memory, and what follows the commits of other processes."""

    directory: Directory
    sessions: Sessions
    threads: Threads
    folders: Folders


def open_keys_of(settings: Settings, random: RandomBytes) -> ServerKeys:
    """Raises StoreError's kinds with a sentence for the operator, OSError."""
    passphrase = settings.passphrase or None
    return open_or_create(settings.storage, passphrase, random, origin=settings.origin or None)


def in_memory(settings: Settings, store: Store, keys: ServerKeys) -> InMemory:
    return InMemory(
        Directory(store),
        Sessions(store, settings.session_days * DAY_MS),
        Threads(store, keys.derive("thread-id")),
        Folders(store, settings.folder_quota_mib * MIB),
    )


def build_services(
    settings: Settings,
    store: RunningStore,
    keys: ServerKeys,
    *,
    rooms: InMemory,
    announcer: Announcer,
    outside: Outside,
) -> Services:
    server = keys.identity.id
    directory, sessions = rooms.directory, rooms.sessions
    chains = Chains(store, server)
    accounts = AccountsForMessages(directory, chains)
    return Services(
        store=store,
        server=ServerInfo(keys.identity.origin, server, keys.identity.public, _version()),
        cookie_key=keys.derive("cookie"),
        now=outside.clock,
        random=outside.random,
        writable=lambda: store.condition == "ok",
        condition=lambda: store.condition,
        directory=directory,
        sessions=sessions,
        registrations=Registrations(
            store, directory, sessions, server, is_open=settings.registration == "open"
        ),
        sign_in=SignIn(store, directory, keys.derive("fake-salt")),
        renewal=Renewal(store, sessions, chains),
        chains=chains,
        prekeys=Prekeys(store, chains),
        reading=Reading(store, rooms.threads, accounts),
        transact=Transact(store, rooms.threads, rooms.folders, accounts, announcer),
    )


@dataclass(frozen=True, slots=True)
class Server:
    """What `app.py` runs; `close` it when the process ends."""

    web: Web
    store: RunningStore
    keys: ServerKeys

    def close(self) -> None:
        self.store.close()


def build(
    settings: Settings,
    clock: Clock = system_clock,
    random: RandomBytes = system_random,
    offload: Offload = native_threads,
) -> Server:
    """Raises StoreError's kinds, OSError."""
    outside = Outside(clock, random, offload)
    keys = open_keys_of(settings, random)
    make = _shared if settings.database_url else _in_files
    return make(settings, keys, outside)


def _in_files(settings: Settings, keys: ServerKeys, outside: Outside) -> Server:
    """One process, which owns its storage folder."""
    metrics, live = Metrics(), Realtime()
    store = FileStore.open(
        settings.storage,
        keys,
        outside.clock,
        outside.random,
        outside.offload,
        observer=metrics,
        floor=settings.disk_floor_mib * MIB,
    )
    rooms = in_memory(settings, store, keys)
    services = build_services(settings, store, keys, rooms=rooms, announcer=live, outside=outside)
    metrics.watch(Present(store.stats, lambda: live.sockets, settings.storage))
    return Server(create_web(settings, services, live, metrics), store, keys)


def _shared(settings: Settings, keys: ServerKeys, outside: Outside) -> Server:
    """One of several processes, which share a database. Its drivers are imported only here."""
    from secure_msg.store.postgres.store import PostgresStore  # noqa: PLC0415

    metrics, live = Metrics(), Realtime()
    store = PostgresStore.open(
        settings.database_url,
        keys,
        outside.clock,
        outside.random,
        outside.offload,
        observer=metrics,
    )
    rooms = in_memory(settings, store, keys)
    relay = Relay(store, live, keys.derive("announce"), outside.random(PROCESS_ID_SIZE))
    services = build_services(settings, store, keys, rooms=rooms, announcer=relay, outside=outside)
    follower = Rooms(rooms.directory, rooms.sessions, rooms.threads, rooms.folders, live)
    store.follow(follower, relay)
    relay.start(rooms.threads, _bus(settings))
    metrics.watch(Present(store.stats, lambda: live.sockets, settings.storage))
    return Server(create_web(settings, services, live, metrics), store, keys)


def _bus(settings: Settings) -> Bus | None:
    if not settings.redis_url:
        return None
    from secure_msg.web.redisbus import RedisBus  # noqa: PLC0415

    return RedisBus(settings.redis_url)


def _version() -> str:
    try:
        return version("secure-msg")
    except PackageNotFoundError:
        return UNPACKAGED
