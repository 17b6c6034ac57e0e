"""What the routes work with, put together by bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from secure_msg.accounts.chains import Chains
from secure_msg.accounts.credentials import SignIn
from secure_msg.accounts.directory import Directory
from secure_msg.accounts.prekeys import Prekeys
from secure_msg.accounts.registration import Registrations
from secure_msg.accounts.renewal import Renewal
from secure_msg.accounts.sessions import Sessions
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.transaction import Store
from secure_msg.messages.reading import Reading
from secure_msg.messages.transact import Transact

Clock = Callable[[], int]
"""Milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What anybody may know; `id` 32 bytes, `public` 1984."""

    origin: str
    id: bytes
    public: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Services:
    store: Store
    server: ServerInfo
    cookie_key: bytes
    now: Clock
    random: RandomBytes
    writable: Callable[[], bool]
    condition: Callable[[], str]
    """ "ok", "full" or "read-only", for those who watch the server."""
    directory: Directory
    sessions: Sessions
    registrations: Registrations
    sign_in: SignIn
    renewal: Renewal
    chains: Chains
    prekeys: Prekeys
    reading: Reading
    transact: Transact


EXTENSION = "secure_msg.services"


def services() -> Services:
    """Those of the application that serves the present request."""
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Services):
        raise TypeError("the application has no services")
    return found
