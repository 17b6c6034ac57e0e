"""How often who may ask (docs/spec/http.md, "Limits"); counted in this process's memory."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from flask import Flask, current_app, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse

from secure_msg.accounts.chains import OWN_KINDS
from secure_msg.codec.http import TransactRequest
from secure_msg.codec.messages import KIND_OPENED, KIND_SESSION_RESET
from secure_msg.web.counts import SCHEME
from secure_msg.web.errors import WebProblem
from secure_msg.web.sessions import who_or_none

REGISTRATIONS = "20 per hour"
SIGN_INS_AN_ADDRESS = "30 per minute"
SIGN_INS_A_NAME = "10 per minute"
SEARCHES = "60 per minute"
BUNDLES_ASKED = "10 per hour"
BUNDLES_OF_ONE = "60 per hour"
TRANSACTIONS = "50 per second"
EVERYTHING = "600 per minute"
RENEWALS = "10 per minute"
STATEMENTS = "120 per hour"
# In KiB: what a transaction adds to chains, which is kept for ever.
KEPT = "131072 per hour"

# Each costs a verification of two signatures, and most of them a stranger's attention.
SIGNED = frozenset((*OWN_KINDS, KIND_OPENED, KIND_SESSION_RESET))
OPERATION_BYTES = 256

BODY_LIMIT = 8 * 1024 * 1024

EXTENSION = "secure_msg.limits"
# Of the application's configuration: how many connections one address may have.
CONNECTIONS_OF_ONE = "SECURE_MSG_CONNECTIONS_OF_ONE"


class Limits:
    """`factor` multiplies every limit."""

    def __init__(self, app: Flask, factor: int) -> None:
        self._factor = factor
        self.limiter = Limiter(
            key_func=caller_key,
            app=app,
            default_limits=[self.text(EVERYTHING)],
            storage_uri=f"{SCHEME}://",
            strategy="fixed-window",
            headers_enabled=False,
        )
        self._items: dict[str, RateLimitItem] = {}
        app.extensions[EXTENSION] = self

    def text(self, limit: str) -> str:
        count, rest = limit.split(" ", 1)
        return f"{int(count) * self._factor} {rest}"

    def allows(self, limit: str, *key: str, cost: int = 1) -> bool:
        """Count `cost` more of `key` under `limit`."""
        item = self._items.get(limit)
        if item is None:
            item = self._items[limit] = parse(self.text(limit))
        # As the library's fixed window does it; its making of keys costs more than the counting.
        key_of_limit = "/".join((limit, *key))
        return self.limiter.storage.incr(key_of_limit, item.get_expiry(), cost) <= item.amount

    def require(self, limit: str, *key: str, cost: int = 1) -> None:
        """Raises WebProblem slow-down."""
        if not self.allows(limit, *key, cost=cost):
            item = self._items[limit]
            raise WebProblem("slow-down", retry_after=max(1, item.get_expiry()))

    def require_transaction(self, account: bytes, asked: TransactRequest) -> None:
        """What one account may sign and store in an hour. Raises WebProblem slow-down."""
        key = account.hex()
        signed = sum(wire.kind in SIGNED for wire in asked.appends)
        if signed:
            self.require(STATEMENTS, key, cost=signed)
        kept = sum(len(wire.body) for wire in asked.appends)
        kept += OPERATION_BYTES * (len(asked.appends) + len(asked.puts))
        self.require(KEPT, key, cost=-(-kept // 1024))


def limits() -> Limits:
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Limits):
        raise TypeError("the application has no limits")
    return found


def address_key(address: str | None = None) -> str:
    """The asking address; of IPv6 the network that one subscriber has."""
    text = (request.remote_addr if address is None else address) or "unknown"
    try:
        parsed = ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return parsed.packed[:8].hex() + "::/64"
    return str(parsed)


def caller_key() -> str:
    who = who_or_none()
    return address_key() if who is None else "account " + who.account.hex()
