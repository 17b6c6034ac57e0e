"""What lies between a page and its server, in a test's hand."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace

from playwright.sync_api import Page, Route, WebSocketRoute

from secure_msg.codec.http import EntriesPage, TransactRequest
from secure_msg.codec.schema import from_bytes, to_bytes
from tests.browser.person import LONG, Person

_SOCKET = re.compile(r"/socket\.io/")
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
        self._named = ""
        self._binary_dropped = False
        self.dropped = 0
        page.route_web_socket(_SOCKET, self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.down:
            socket.close()
            return
        server = socket.connect_to_server()
        socket.on_message(lambda frame: self._sent(server, frame))
        server.on_message(lambda frame: self._came(socket, frame))

    def _sent(self, server: WebSocketRoute, frame: str | bytes) -> None:
        if isinstance(frame, str):
            named = re.search(r'\["(\w+)"', frame)
            self._named = named.group(1) if named else ""
            if self._named:
                self.events.append(self._named)
        elif self._named == "transact":
            if self.alter is not None:
                changed = self.alter(from_bytes(TransactRequest, frame, limit=_LIMIT))
                frame = to_bytes(changed)
            server.send(frame)
            if self.on_transact is not None:
                act, self.on_transact = self.on_transact, None
                act()
            return
        server.send(frame)

    def _came(self, socket: WebSocketRoute, frame: str | bytes) -> None:
        if isinstance(frame, str):
            self._binary_dropped = False
            self.connected = self.connected or frame.startswith("40")
            if self.drop_next_ack and re.match(r"4[36]", frame):
                # The server has committed, and nobody hears of it.
                self.drop_next_ack = False
                self.dropped += 1
                self.connected = False
                socket.close()
                return
            if self.drop_entries > 0 and '"entries"' in frame:
                self.drop_entries -= 1
                self.dropped += 1
                self._binary_dropped = True
        elif self._binary_dropped:
            self._binary_dropped = False
            return
        if not self._binary_dropped:
            socket.send(frame)


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
