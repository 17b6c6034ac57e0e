"""What sockets are sent: nobody waits for a peer, and what is due at one moment goes in one write.

Frames are put into an Outbox; the Post empties all that are due after everything else that is
ready to run has had its turn, so that an answer and the announcements of one batch share a write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

LOG = logging.getLogger("secure_msg.sockets")

# What a peer takes nothing of for this long is not written any more.
SEND_SECONDS = 30.0
CHUNK_BYTES = 256 * 1024
# More than this is not left unread by one who goes on asking.
UNREAD_BYTES = 64 * 1024


def _nobody() -> None:
    return


class Outbox:
    """Frames for one TCP socket, in order; `broken` is called once when they cannot be written."""

    def __init__(self, tcp: Any, post: Post, broken: Callable[[], None]) -> None:
        self._tcp = tcp
        self._post = post
        self._broken = broken
        self._frames: list[bytes] = []
        self._due = False
        self._writing = False
        self._closed = False
        self._taken: Event | None = None
        self.waiting_bytes = 0

    @property
    def waiting(self) -> int:
        """How many frames the peer has not taken."""
        return len(self._frames)

    def put(self, frame: bytes) -> None:
        if self._closed:
            return
        self._frames.append(frame)
        self.waiting_bytes += len(frame)
        if not self._due and not self._writing:
            self._due = True
            self._post.add(self)

    def flush(self) -> None:
        """Write what the kernel takes at once; a greenlet goes on with the rest."""
        self._due = False
        if self._writing or not self._frames:
            return
        data = self._take()
        try:
            sent = self._tcp.send(data, 0, timeout=0.0)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._fail()
            return
        self.waiting_bytes -= sent
        if sent < len(data):
            self._writing = True
            gevent.spawn(self._write, memoryview(data)[sent:])

    def wait_until_taken(self) -> None:
        """Wait for a peer that reads more slowly than it asks."""
        if self.waiting_bytes <= UNREAD_BYTES:
            return
        self.flush()
        while self._writing and not self._closed:
            if self._taken is None:
                self._taken = Event()
            self._taken.wait()

    def close(self) -> None:
        """Nothing more is written."""
        self._closed = True
        self._frames.clear()
        self.waiting_bytes = 0
        self._wake()

    def forget(self) -> None:
        """Nobody is told any more that it cannot be written."""
        self._broken = _nobody

    def _take(self) -> bytes:
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames.clear()
        return data

    def _write(self, rest: memoryview) -> None:
        while not self._closed and (rest or self._frames):
            rest = rest or memoryview(self._take())
            chunk = rest[:CHUNK_BYTES]
            if not self._sent(chunk):
                self._fail()
                return
            rest = rest[len(chunk) :]
            self.waiting_bytes = max(0, self.waiting_bytes - len(chunk))
        self._writing = False
        self._wake()

    def _sent(self, data: memoryview) -> bool:
        """False when the peer does not take it in time, or is gone."""
        try:
            with gevent.Timeout(SEND_SECONDS):
                self._tcp.sendall(data)
        except (gevent.Timeout, OSError):
            return False
        return True

    def _fail(self) -> None:
        self.close()
        self._broken()

    def _wake(self) -> None:
        if self._taken is not None:
            self._taken.set()
            self._taken = None


class Post:
    """The outboxes that are due, emptied together."""

    def __init__(self) -> None:
        self._due: list[Outbox] = []

    def add(self, outbox: Outbox) -> None:
        if not self._due:
            # In the hub itself, as no writing here waits: a greenlet for each time takes memory
            # from the system and gives it back, which costs more than the writing.
            gevent.get_hub().loop.run_callback(self._empty)
        self._due.append(outbox)

    def _empty(self) -> None:
        due, self._due = self._due, []
        for outbox in due:
            try:
                outbox.flush()
            except Exception:
                # The others' frames go all the same; with its next one this socket is tried again.
                LOG.exception("a socket could not be written")
