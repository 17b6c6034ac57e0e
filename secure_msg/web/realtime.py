"""Who is connected, and what they are told (docs/spec/http.md, "Realtime")."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from time import monotonic

import gevent
from flask import current_app
from gevent.event import Event

from secure_msg.accounts.sessions import SignedIn
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.http import MAX_PAGE, MarkAnnounced, PrivateItem, TypingAnnounced
from secure_msg.codec.realtime import NOBODY_WAITS, Told, pack, unpack
from secure_msg.codec.schema import to_bytes
from secure_msg.ledger.transaction import StoreError
from secure_msg.messages.port import Announcement, Appended, FolderChanged, MarkMoved
from secure_msg.messages.reading import Reading
from secure_msg.web.answers import Answers
from secure_msg.web.errors import log_failure
from secure_msg.web.outbox import Post
from secure_msg.web.outer import Environ
from secure_msg.web.sockets import Line, frame

LOG = logging.getLogger("secure_msg.realtime")

MAX_SOCKETS = 20
TYPING_SECONDS = 1.0
FEW = 4
BEAT_SECONDS = 5.0
EXTENSION = "secure_msg.realtime"

PULSE = frame(pack(Told.PULSE))
SIGNED_OUT = frame(pack(Told.SIGNED_OUT))


@dataclass(slots=True, eq=False)
class _Open:
    """`id` names the socket to those whom its requests concern."""

    who: SignedIn
    line: Line
    id: str
    typed: float = float("-inf")


class Realtime:
    """One process, so a dictionary is the truth; the oldest socket of an account comes first."""

    def __init__(self) -> None:
        self._answers: Answers | None = None
        self._reading: Reading | None = None
        self._factor = 1
        self._of: defaultdict[bytes, dict[str, _Open]] = defaultdict(dict)
        self._ids = count(1)
        self._post = Post()
        self._due: list[tuple[Announcement, str | None]] = []
        self._any_due = Event()
        self._announcing = self._reading_pages = False
        self._beating = False
        self.relay_typing: Callable[[bytes, bytes, bytes], None] = lambda _t, _a, _o: None
        """Tells the other processes, if there are any: (thread, who types, who is told)."""

    def attach(self, answers: Answers, reading: Reading, factor: int) -> None:
        """`factor` multiplies the rates of a socket."""
        self._answers, self._reading, self._factor = answers, reading, factor

    @property
    def sockets(self) -> int:
        """How many are open."""
        return sum(map(len, self._of.values()))

    # Who is here.

    def serve(self, environ: Environ, who: SignedIn) -> None:
        """Open the WebSocket that a request asks for; returns when it ends. Raises NoHandshake."""
        line = Line(environ, self._post, PULSE, self._factor)
        here = _Open(who, line, str(next(self._ids)))
        mine = self._of[who.account]
        if len(mine) >= MAX_SOCKETS:
            oldest = next(iter(mine.values()))
            self._forget(oldest)
            oldest.line.end()
        self._of[who.account][here.id] = here
        self._beat()
        try:
            for message in line.messages():
                self._asked(here, message)
        finally:
            self._forget(here)

    def end(self, account: bytes, session: bytes) -> None:
        """Close the sockets of an ended session."""
        self._end(account, lambda other: other == session)

    def end_others(self, who: SignedIn) -> None:
        self._end(who.account, lambda other: other != who.session)

    def close_all(self) -> None:
        for mine in tuple(self._of.values()):
            for here in tuple(mine.values()):
                self._part(here, b"")

    def _end(self, account: bytes, ended: Callable[[bytes], bool]) -> None:
        for here in tuple(self._of.get(account, {}).values()):
            if ended(here.who.session):
                self._part(here, SIGNED_OUT)

    def _part(self, here: _Open, word: bytes) -> None:
        """Forgotten at once; the closing itself may take a slow peer's time."""
        self._forget(here)
        here.line.part(word)

    def _forget(self, here: _Open) -> None:
        mine = self._of.get(here.who.account)
        if mine is not None:
            mine.pop(here.id, None)
            if not mine:
                del self._of[here.who.account]

    def _beat(self) -> None:
        if not self._beating:
            self._beating = True
            gevent.spawn(self._pulse)

    def _pulse(self) -> None:
        while self._of:
            for mine in tuple(self._of.values()):
                for here in tuple(mine.values()):
                    here.line.pulse(PULSE)
            gevent.sleep(BEAT_SECONDS)
        self._beating = False

    # What they ask.

    def _asked(self, here: _Open, data: bytes) -> None:
        if self._answers is None:
            raise TypeError("nobody is there to answer")
        try:
            message = unpack(data)
        except MalformedData:
            here.line.part()
            return

        def typing(thread: bytes, other: bytes) -> None:
            self._typing(here, thread, other)

        told, payload = self._answers.answer(here.who, message, here.id, typing)
        if message.request != NOBODY_WAITS:
            here.line.answer(frame(pack(told, payload, message.request)))

    def _typing(self, here: _Open, thread: bytes, other: bytes) -> None:
        """At most once a second a socket; more is dropped."""
        now = monotonic()
        if now - here.typed >= TYPING_SECONDS:
            here.typed = now
            self.typing(thread, here.who.account, other)
            self.relay_typing(thread, here.who.account, other)

    # What they are told.

    def typing(self, thread: bytes, sender: bytes, other: bytes) -> None:
        if other in self._of:
            self._tell((other,), Told.TYPING, to_bytes(TypingAnnounced(thread, sender)))

    def sessions_changed(self, account: bytes) -> None:
        """Part with the sockets of this account whose session is over, in a greenlet of its own."""
        if account in self._of:
            gevent.spawn(self._hear_all, account)

    def _hear_all(self, account: bytes) -> None:
        for here in tuple(self._of.get(account, {}).values()):
            self._heard(here)

    def announce(self, announcements: Iterable[Announcement], origin: str | None) -> None:
        """After the commit, in a greenlet of its own: the sender waits for nobody.

        What was committed together comes together, and is told together.
        """
        told = [(one, origin) for one in announcements if self.concerns_anybody(one)]
        if not told:
            return
        self._due.extend(told)
        if self._reading_pages:
            # From a database, and what is new does not wait for that.
            gevent.spawn(self._announce)
            return
        self._any_due.set()
        if not self._announcing:
            self._announcing = True
            gevent.spawn(self._announce_always)

    def concerns_anybody(self, one: Announcement) -> bool:
        """Whether somebody with an open socket is to be told."""
        match one:
            case Appended():
                return any(member in self._of for member in one.members)
            case FolderChanged():
                return one.account in self._of
            case MarkMoved():
                return one.other in self._of

    def _announce_always(self) -> None:
        """What is due, each time; one greenlet, as making one for each batch costs much more."""
        while self._any_due.wait():
            self._any_due.clear()
            if len(self._due) <= FEW:
                # The answers are sent first: their senders wait, and pages take a while. Of many,
                # an answer and the page of the same entry share a write.
                gevent.sleep(0)
            self._reading_pages = True
            self._announce()
            self._reading_pages = False

    def _announce(self) -> None:
        due, self._due = self._due, []
        for one, origin in merged(due):
            try:
                self._announce_one(one, origin)
            except Exception as error:  # noqa: BLE001  what concerns others is told all the same
                log_failure(error)

    def _announce_one(self, one: Announcement, origin: str | None) -> None:
        match one:
            case Appended():
                self._appended(one)
            case FolderChanged():
                item = PrivateItem(one.path, one.version, one.size)
                self._tell((one.account,), Told.PRIVATE, to_bytes(item), but=origin)
            case MarkMoved():
                mark = MarkAnnounced(one.thread, one.account, one.blob)
                self._tell((one.other,), Told.MARK, to_bytes(mark))

    def _appended(self, one: Appended) -> None:
        """Told in as many pages as it takes."""
        if self._reading is None:
            return
        first = one.first
        while first <= one.last:
            page = self._reading.page(one.thread, first, min(MAX_PAGE, one.last - first + 1))
            self._tell(one.members, Told.ENTRIES, to_bytes(page))
            first += max(1, len(page.entries))

    def _tell(
        self, accounts: Iterable[bytes], told: Told, payload: bytes, *, but: str | None = None
    ) -> None:
        """The same frame for everybody."""
        encoded = frame(pack(told, payload))
        for account in accounts:
            for here in tuple(self._of.get(account, {}).values()):
                if here.id != but and self._heard(here) and not here.line.tell(encoded):
                    self._forget(here)

    def _heard(self, here: _Open) -> bool:
        """Whether a socket may be told things; one of a session that is over is closed.

        Sessions also end by their age, and when an account has too many: nobody says so here.
        """
        try:
            lives = self._answers is not None and self._answers.lives(here.who)
        except StoreError as error:
            log_failure(error)
            return False
        if not lives:
            self._part(here, SIGNED_OUT)
        return lives


def realtime() -> Realtime:
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Realtime):
        raise TypeError("the application has no realtime")
    return found


def merged(
    due: Iterable[tuple[Announcement, str | None]],
) -> list[tuple[Announcement, str | None]]:
    """In order, with what was appended to one thread in one piece where nothing lies between."""
    result: list[tuple[Announcement, str | None]] = []
    last: dict[bytes, int] = {}
    for one, origin in due:
        if isinstance(one, Appended):
            at = last.get(one.thread)
            before = None if at is None else result[at][0]
            if at is not None and isinstance(before, Appended) and before.last + 1 == one.first:
                result[at] = (
                    Appended(one.thread, one.members, before.first, one.last),
                    result[at][1],
                )
                continue
            last[one.thread] = len(result)
        result.append((one, origin))
    return result
