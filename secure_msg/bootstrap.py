"""The only wiring: from settings to a server that can be run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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
from secure_msg.messages.folders import Folders
from secure_msg.messages.port import Announcer
from secure_msg.messages.reading import Reading
from secure_msg.messages.threads import Threads
from secure_msg.messages.transact import Transact
from secure_msg.settings import Settings, read_settings
from secure_msg.store.files import FileStore
from secure_msg.store.observer import Observer
from secure_msg.store.serverkeys import ServerKeys, open_or_create
from secure_msg.web.app import Web, create_web
from secure_msg.web.metrics import Metrics, Present
from secure_msg.web.realtime import Realtime
from secure_msg.web.services import Clock, ServerInfo, Services

DAY_MS = 86_400_000
MIB = 1024 * 1024
UNPACKAGED = "0.1.0"


def settings_from_environment(folder: Path) -> Settings:
    """The environment over `.env`; relative paths are in `folder`. Raises BadSetting."""
    settings = read_settings({**dotenv_values(folder / ".env"), **os.environ})
    return replace(settings, storage=folder / settings.storage)


def system_clock() -> int:
    return time.time_ns() // 1_000_000


Offload = Callable[[Callable[[], Any]], Any]


def native_threads(work: Callable[[], Any]) -> Any:
    """Blocking work in gevent's pool of native threads, while other greenlets go on."""
    return gevent.get_hub().threadpool.apply(work)


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


def open_store(
    settings: Settings, clock: Clock, random: RandomBytes, offload: Offload, observer: Observer
) -> tuple[FileStore, ServerKeys]:
    """Raises StoreError's kinds with a sentence for the operator, OSError."""
    passphrase = settings.passphrase or None
    keys = open_or_create(settings.storage, passphrase, random, origin=settings.origin or None)
    floor = settings.disk_floor_mib * MIB
    store = FileStore.open(
        settings.storage, keys, clock, random, offload, observer=observer, floor=floor
    )
    return store, keys


def build_services(
    settings: Settings,
    store: FileStore,
    keys: ServerKeys,
    announcer: Announcer,
    *,
    clock: Clock,
    random: RandomBytes,
) -> Services:
    server = keys.identity.id
    directory = Directory(store)
    sessions = Sessions(store, settings.session_days * DAY_MS)
    chains = Chains(store, server)
    accounts = AccountsForMessages(directory, chains)
    threads = Threads(store, keys.derive("thread-id"))
    folders = Folders(store, settings.folder_quota_mib * MIB)
    return Services(
        store=store,
        server=ServerInfo(keys.identity.origin, server, keys.identity.public, _version()),
        cookie_key=keys.derive("cookie"),
        now=clock,
        random=random,
        writable=lambda: store.stats().condition == "ok",
        condition=lambda: store.stats().condition,
        directory=directory,
        sessions=sessions,
        registrations=Registrations(
            store, directory, sessions, server, is_open=settings.registration == "open"
        ),
        sign_in=SignIn(store, directory, keys.derive("fake-salt")),
        renewal=Renewal(store, sessions, chains),
        chains=chains,
        prekeys=Prekeys(store, chains),
        reading=Reading(store, threads, accounts),
        transact=Transact(store, threads, folders, accounts, announcer),
    )


@dataclass(frozen=True, slots=True)
class Server:
    """What `app.py` runs; `close` it when the process ends."""

    web: Web
    store: FileStore
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
    metrics = Metrics()
    store, keys = open_store(settings, clock, random, offload, metrics)
    live = Realtime()
    metrics.watch(Present(store.stats, lambda: live.sockets, settings.storage))
    services = build_services(settings, store, keys, live, clock=clock, random=random)
    return Server(create_web(settings, services, live, metrics), store, keys)


def _version() -> str:
    try:
        return version("secure-msg")
    except PackageNotFoundError:
        return UNPACKAGED
