"""The socket: transactions with an acknowledgement, and announcements (docs/spec/http.md)."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import gevent
from flask import Flask, current_app, request
from flask_socketio import SocketIO

from secure_msg.accounts.sessions import SignedIn
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.http import (
    MarkAnnounced,
    PrivateItem,
    TransactRequest,
    TypingAnnounced,
    TypingSent,
)
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.ledger.transaction import StoreError
from secure_msg.messages.port import Announcement, Appended, FolderChanged, MarkMoved
from secure_msg.messages.reading import Reading
from secure_msg.web import limits as rates
from secure_msg.web.errors import WebProblem, log_failure, problem_of
from secure_msg.web.limits import limits
from secure_msg.web.services import Services
from secure_msg.web.sockets import FRAME_LIMIT, Line, OneAttachment, bounded_websocket

LOG = logging.getLogger("secure_msg.realtime")

TRANSACT_LIMIT = 4 * 1024 * 1024
MAX_SOCKETS = 20
MAX_QUEUED = 256
TYPING_SECONDS = 1.0
# In which "signed-out" is sent before its socket goes.
PARTING_SECONDS = 2.0
EXTENSION = "secure_msg.realtime"
WHO = "secure_msg.who"


@dataclass(slots=True)
class _Open:
    who: SignedIn
    typed: float = 0.0


class Realtime:
    """Who is connected, and what they are told. One process, so a dictionary is the truth."""

    def __init__(self) -> None:
        self._io: Any = None
        self._reading: Reading | None = None
        self._lives: Callable[[SignedIn], bool] = lambda _who: True
        self._open: dict[str, _Open] = {}
        self._of: defaultdict[bytes, set[str]] = defaultdict(set)
        self._lines: defaultdict[bytes, dict[Line, bytes]] = defaultdict(dict)

    def attach(self, io: SocketIO, reading: Reading, lives: Callable[[SignedIn], bool]) -> None:
        """`lives` says whether a session has not ended."""
        self._io, self._reading, self._lives = io, reading, lives

    # Who is here.

    @contextmanager
    def held(self, who: SignedIn) -> Iterator[Line]:
        """A WebSocket while it is open; the oldest of an account with too many is closed.

        Counted here, because one that never joins the namespace, or leaves it, stays open too.
        """
        mine = self._lines[who.account]
        if len(mine) >= MAX_SOCKETS:
            oldest = next(iter(mine))
            del mine[oldest]
            oldest.end()
        line = Line()
        mine[line] = who.session
        try:
            yield line
        finally:
            mine.pop(line, None)
            if not mine and self._lines.get(who.account) is mine:
                del self._lines[who.account]

    def connected(self, sid: str, who: SignedIn) -> None:
        self._open[sid] = _Open(who)
        self._of[who.account].add(sid)

    def disconnected(self, sid: str) -> None:
        found = self._open.pop(sid, None)
        if found is None:
            return
        mine = self._of[found.who.account]
        mine.discard(sid)
        if not mine:
            del self._of[found.who.account]

    def who(self, sid: str) -> SignedIn | None:
        found = self._open.get(sid)
        return None if found is None else found.who

    def may_type(self, sid: str) -> bool:
        """At most once a second a socket; more is dropped."""
        found, now = self._open.get(sid), monotonic()
        if found is None or now - found.typed < TYPING_SECONDS:
            return False
        found.typed = now
        return True

    def end(self, account: bytes, session: bytes) -> None:
        """Close the sockets of an ended session."""
        for sid in tuple(self._of.get(account, ())):
            if self._open[sid].who.session == session:
                self._close(sid, "signed-out")
        self._hang_up(account, lambda other: other == session)

    def end_others(self, who: SignedIn) -> None:
        for sid in tuple(self._of.get(who.account, ())):
            if self._open[sid].who.session != who.session:
                self._close(sid, "signed-out")
        self._hang_up(who.account, lambda other: other != who.session)

    def close_all(self) -> None:
        for sid in tuple(self._open):
            self._close(sid, "")

    # What they are told.

    def announce(self, announcements: Iterable[Announcement], origin: str | None) -> None:
        """After the commit, in a greenlet of its own: the sender waits for nobody."""
        told = tuple(announcements)
        if told and self._open:
            gevent.spawn(self._announce, told, origin)

    def typing(self, thread: bytes, sender: bytes, other: bytes) -> None:
        if other in self._of:
            self._tell((other,), "typing", to_bytes(TypingAnnounced(thread, sender)))

    def _announce(self, told: tuple[Announcement, ...], origin: str | None) -> None:
        for one in told:
            match one:
                case Appended():
                    self._appended(one)
                case FolderChanged():
                    item = PrivateItem(one.path, one.version, one.size)
                    self._tell((one.account,), "private", to_bytes(item), but=origin)
                case MarkMoved():
                    mark = MarkAnnounced(one.thread, one.account, one.blob)
                    self._tell((one.other,), "mark", to_bytes(mark))

    def _appended(self, one: Appended) -> None:
        if self._reading is None or not any(member in self._of for member in one.members):
            return
        try:
            page = self._reading.page(one.thread, one.first, one.last - one.first + 1)
        except StoreError as error:
            log_failure(error)
            return
        self._tell(one.members, "entries", to_bytes(page))

    def _tell(
        self, accounts: Iterable[bytes], event: str, data: bytes, *, but: str | None = None
    ) -> None:
        for account in accounts:
            for sid in tuple(self._of.get(account, ())):
                if sid != but and self._heard(sid):
                    self._emit(sid, event, data)

    def _heard(self, sid: str) -> bool:
        """Whether a socket may be told things; one of a session that is over is closed.

        Sessions also end by their age, and when an account has too many: nobody says so here.
        """
        found = self._open.get(sid)
        if found is None:
            return False
        try:
            lives = self._lives(found.who)
        except StoreError as error:
            log_failure(error)
            return False
        if not lives:
            self._close(sid, "signed-out")
        return lives

    def _emit(self, sid: str, event: str, data: bytes) -> None:
        """One who does not read what is sent is closed before it fills the memory."""
        if self._io is None:
            return
        server = self._io.server
        engine = server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, "/"))
        if engine is None:
            return
        if engine.queue.qsize() > MAX_QUEUED:
            self._close(sid, "")
            return
        server.emit(event, data, to=sid)

    def _close(self, sid: str, event: str) -> None:
        """Forgotten at once; the closing itself may take a slow peer's time."""
        self.disconnected(sid)
        if self._io is not None:
            gevent.spawn(self._disconnect, sid, event)

    def _hang_up(self, account: bytes, ended: Callable[[bytes], bool]) -> None:
        for line, session in tuple(self._lines.get(account, {}).items()):
            if ended(session):
                gevent.spawn_later(PARTING_SECONDS, line.end)

    def _disconnect(self, sid: str, event: str) -> None:
        if self._io is not None:
            if event:
                self._io.server.emit(event, to=sid)
            self._io.server.disconnect(sid)


def realtime() -> Realtime:
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Realtime):
        raise TypeError("the application has no realtime")
    return found


def init_realtime(app: Flask, found: Services, live: Realtime, factor: int) -> SocketIO:
    """Who may connect is settled before, by the gate in front of /socket.io."""
    io = SocketIO(
        app,
        async_mode="gevent",
        transports=["websocket"],
        async_handlers=False,
        manage_session=False,
        cors_allowed_origins=[],
        allow_upgrades=False,
        http_compression=False,
        max_http_buffer_size=FRAME_LIMIT,
        ping_interval=25,
        ping_timeout=20,
        serializer=OneAttachment,
        path="socket.io",
    )
    server: Any = io.server
    engine = server.eio
    engine._async = {**engine._async, "websocket": bounded_websocket(factor)}
    live.attach(io, found.reading, lambda who: found.sessions.alive(who, found.now()))
    app.extensions[EXTENSION] = live
    _listen(io, found, live)
    return io


def _listen(io: SocketIO, found: Services, live: Realtime) -> None:
    def connect(_auth: object = None) -> bool:
        who = request.environ.get(WHO)
        if not isinstance(who, SignedIn) or not found.sessions.alive(who, found.now()):
            return False
        live.connected(_sid(), who)
        return True

    def disconnect(_reason: object = None) -> None:
        live.disconnected(_sid())

    def transact(*parts: object) -> bytes:
        who = _asker(found, live)
        limits().require(rates.TRANSACTIONS, who.account.hex())
        asked = from_bytes(TransactRequest, _bytes(parts), limit=TRANSACT_LIMIT)
        limits().require_transaction(who.account, asked)
        return b"\0" + to_bytes(found.transact.run(who.account, asked, _sid()))

    def sync(*_parts: object) -> bytes:
        return to_bytes(found.reading.threads(_asker(found, live).account))

    def typing(*parts: object) -> None:
        who = _asker(found, live)
        sent = from_bytes(TypingSent, _bytes(parts), limit=64)
        if live.may_type(_sid()):
            other = found.reading.other_member(who.account, sent.thread)
            live.typing(sent.thread, who.account, other)

    def refused(error: Exception) -> bytes:
        """The acknowledgement of every event that failed."""
        return b"\1" + to_bytes(problem_of(error).refusal())

    io.on_error_default(refused)
    io.on_event("connect", connect)
    io.on_event("disconnect", disconnect)
    io.on_event("transact", transact)
    io.on_event("sync", sync)
    io.on_event("typing", typing)


def _asker(found: Services, live: Realtime) -> SignedIn:
    """Raises WebProblem unless the socket's session lives and may act."""
    who = live.who(_sid())
    if who is None or not found.sessions.alive(who, found.now()):
        raise WebProblem("not-signed-in")
    if found.writable():
        found.sessions.seen(who, found.now())
    return who


def _bytes(parts: tuple[object, ...]) -> bytes:
    if len(parts) != 1 or not isinstance(parts[0], bytes):
        raise MalformedData("not one byte string")
    return parts[0]


def _sid() -> str:
    sid: Any = getattr(request, "sid", None)
    if not isinstance(sid, str):
        raise TypeError("not a socket's request")
    return sid
