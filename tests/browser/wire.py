"""What lies between a page and its server, in a test's hand."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace

from playwright.sync_api import Page, Route, WebSocketRoute

from secure_msg.codec.http import EntriesPage, TransactRequest
from secure_msg.codec.realtime import Asked, Told, pack, unpack
from secure_msg.codec.schema import from_bytes, to_bytes
from tests.browser.person import LONG, Person

_SOCKET = re.compile(r"/socket$")
_LIMIT = 32 * 1024 * 1024


def tab(person: Person) -> Person:
    """Another tab of the same browser."""
    other = copy.copy(person)
    other.troubles = []
    other.page = person.context.new_page()
    other.page.set_default_timeout(LONG)
    other.watch(other.page)
    other.page.goto(person.base)
    return other


class Wire:
    """The socket of a page; to be laid before the page opens it (`person.reload()`)."""

    def __init__(self, page: Page) -> None:
        self.events: list[str] = []
        self.drop_next_ack = False
        self.drop_entries = 0
        self.on_transact: Callable[[], None] | None = None
        self.alter: Callable[[TransactRequest], TransactRequest] | None = None
        self.down = False
        self.connected = False
        self.dropped = 0
        page.route_web_socket(_SOCKET, self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.down:
            socket.close()
            return
        server = socket.connect_to_server()
        socket.on_message(lambda data: self._sent(server, data))
        server.on_message(lambda data: self._came(socket, data))

    def _sent(self, server: WebSocketRoute, data: str | bytes) -> None:
        assert isinstance(data, bytes)
        message = unpack(data)
        self.events.append(Asked(message.kind).name.lower())
        if message.kind != Asked.TRANSACT:
            server.send(data)
            return
        if self.alter is not None:
            changed = self.alter(from_bytes(TransactRequest, message.payload, limit=_LIMIT))
            data = pack(message.kind, to_bytes(changed), message.request)
        server.send(data)
        if self.on_transact is not None:
            act, self.on_transact = self.on_transact, None
            act()

    def _came(self, socket: WebSocketRoute, data: str | bytes) -> None:
        assert isinstance(data, bytes)
        told = Told(unpack(data).kind)
        self.connected = self.connected or told is Told.PULSE
        if self.drop_next_ack and told in (Told.DONE, Told.REFUSED):
            # The server has committed, and nobody hears of it.
            self.drop_next_ack = False
            self.dropped += 1
            self.connected = False
            socket.close()
        elif self.drop_entries > 0 and told is Told.ENTRIES:
            self.drop_entries -= 1
            self.dropped += 1
        else:
            socket.send(data)


def without_entry(sequence: int) -> Callable[[Route], None]:
    """A handler for pages of a thread that leaves one entry out and moves up what follows it."""

    def handle(route: Route) -> None:
        answer = route.fetch()
        page = from_bytes(EntriesPage, answer.body(), limit=_LIMIT)
        entries = [entry for at, entry in enumerate(page.entries, page.start) if at != sequence]
        shorter = replace(page, entries=tuple(entries))
        route.fulfill(response=answer, body=to_bytes(shorter))

    return handle


def altered_message(request: TransactRequest) -> TransactRequest:
    """One bit of the first message's ciphertext is turned."""
    appends = list(request.appends)
    for at, append in enumerate(appends):
        if append.kind == "message":
            body = append.body[:-1] + bytes([append.body[-1] ^ 1])
            appends[at] = replace(append, body=body)
            break
    return replace(request, appends=tuple(appends))
