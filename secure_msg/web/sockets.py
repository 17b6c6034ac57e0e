"""The WebSocket under Socket.IO, with the bounds that `simple-websocket` leaves to its users.

- A message has a largest size, and is refused while it arrives, not after it.
- What was received and not yet handled is bounded: beyond it the peer's TCP waits.
- Frames from several greenlets do not mix, and each is sent whole.
- A closed socket ends for both directions, whether or not the peer answers.
- Messages over the rate wait, and frames over theirs; one who keeps it up is closed.
- Who sends without a pause leaves others their turn all the same.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

import gevent
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI
from engineio.async_drivers.gevent import Thread
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from socketio.packet import Packet

from secure_msg.web.outer import Environ, StartResponse

FRAME_LIMIT = 4 * 1024 * 1024 + 4_096
BACKLOG_MESSAGES = 64
BACKLOG_BYTES = FRAME_LIMIT
SEND_SECONDS = 30.0
RECEIVE_BYTES = 64 * 1024
EVENTS_A_SECOND = 50
# An event with bytes is two messages: its head, and its one attachment.
MESSAGES_A_SECOND = 2 * EVENTS_A_SECOND
PATIENCE = 5 * MESSAGES_A_SECOND
# Pings and fragments are no messages, but cost as much to read.
FRAMES_A_SECOND = 4 * MESSAGES_A_SECOND
MAX_ATTACHMENTS = 1
LINE = "secure_msg.line"


class OneAttachment(Packet):
    """A Socket.IO packet that may announce one binary part: more would be kept until all came."""

    def decode(self, encoded_packet: Any) -> int:
        count: int = super().decode(encoded_packet)
        if count > MAX_ATTACHMENTS:
            raise ValueError("too many attachments")
        return count


class Rate:
    """A token bucket over time: `wait` says for how long the next one has to."""

    def __init__(self, per_second: int, patience: int) -> None:
        self._per_second = per_second
        self._patience = patience
        self._tokens = float(per_second)
        self._at = monotonic()
        self._late = 0

    def wait(self) -> float | None:
        """Seconds, or None when the patience is at its end."""
        now = monotonic()
        self._tokens = min(self._per_second, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        self._tokens -= 1
        if self._tokens >= 0:
            self._late = 0
            return 0.0
        self._late += 1
        return None if self._late > self._patience else -self._tokens / self._per_second


class Frames:
    """Counts the frames in a stream of bytes (RFC 6455 section 5.2), by their heads alone."""

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0

    def begun(self, data: bytes) -> int:
        """How many frame heads `data` completes, which goes on from the data before."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        rest = self._head + data[skipped:]
        at, count = 0, 0
        while (head := _head_size(rest, at)) is not None:
            at += head + _payload_size(rest, at)
            count += 1
            if at > len(rest):
                self._skip, at = at - len(rest), len(rest)
        self._head = rest[at:]
        return count


def _head_size(data: bytes, at: int) -> int | None:
    """Of the frame that begins there; None when the head is not all there."""
    if at + 2 > len(data):
        return None
    length = {126: 2, 127: 8}.get(data[at + 1] & 0x7F, 0)
    size = 2 + length + (4 if data[at + 1] & 0x80 else 0)
    return size if at + size <= len(data) else None


def _payload_size(data: bytes, at: int) -> int:
    short = data[at + 1] & 0x7F
    length = {126: 2, 127: 8}.get(short, 0)
    return int.from_bytes(data[at + 2 : at + 2 + length], "big") if length else short


class Wire:
    """What `simple-websocket` takes for the TCP socket; `rate` is that of frames."""

    def __init__(self, tcp: Any, rate: Rate) -> None:
        self._tcp = tcp
        self._rate = rate
        self._frames = Frames()
        self._sending = BoundedSemaphore()
        self.backlogged: Callable[[], bool] = lambda: False

    def recv(self, size: int) -> bytes:
        """Raises OSError for one who sends frames faster than anybody needs to."""
        while self.backlogged():
            gevent.sleep(0.02)
        data: bytes = self._tcp.recv(size)
        # What is there is read without a switch: without this one flood would be all that is read.
        gevent.sleep(self._rest(data))
        return data

    def _rest(self, data: bytes) -> float:
        seconds: float | None = 0.0
        for _ in range(self._frames.begun(data)):
            seconds = self._rate.wait()
            if seconds is None:
                self.shut()
                raise OSError("too many frames")
        return seconds or 0.0

    def send(self, data: bytes) -> int:
        """All of it, or the connection ends: half a frame cannot be followed by anything."""
        with self._sending:
            try:
                with gevent.Timeout(SEND_SECONDS):
                    self._tcp.sendall(data)
            except gevent.Timeout:
                self.shut()
                raise OSError("the peer does not read") from None
        return len(data)

    def shut(self) -> None:
        try:
            self._tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self._tcp.close()

    def fileno(self) -> int:
        number: int = self._tcp.fileno()
        return number


class Line:
    """One WebSocket of somebody, whether or not it speaks Socket.IO; `end` closes it."""

    def __init__(self) -> None:
        self.end: Callable[[], None] = lambda: None


class BoundedWebSocket(SimpleWebSocketWSGI):
    """What engine.io makes for each connection; `factor` multiplies the rate."""

    factor = 1

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(
            handler,
            server,
            thread_class=Thread,
            event_class=Event,
            receive_bytes=RECEIVE_BYTES,
            max_message_size=FRAME_LIMIT,
        )
        self._rate = Rate(MESSAGES_A_SECOND * self.factor, PATIENCE * self.factor)
        self._wire: Wire | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        frames = Rate(FRAMES_A_SECOND * self.factor, FRAMES_A_SECOND * self.factor)
        self._wire = Wire(environ["gunicorn.socket"], frames)
        self._wire.backlogged = self._backlogged
        line = environ.get(LINE)
        if isinstance(line, Line):
            line.end = self._wire.shut
        # Ciphertext does not shrink, and what is not inflated cannot be a bomb.
        plain = {
            name: value
            for name, value in environ.items()
            if name != "HTTP_SEC_WEBSOCKET_EXTENSIONS"
        }
        plain["gunicorn.socket"] = self._wire
        result: Iterable[bytes] = super().__call__(plain, start_response)
        return result

    def wait(self) -> Any:
        message = super().wait()
        if message is None:
            return None
        seconds = self._rate.wait()
        if seconds is None:
            return None
        if seconds > 0:
            gevent.sleep(seconds)
        return message

    def close(self) -> None:
        super().close()
        if self._wire is not None:
            self._wire.shut()

    def _backlogged(self) -> bool:
        ws = getattr(self, "ws", None)
        if ws is None or not ws.connected:
            return False
        waiting = ws.input_buffer
        return len(waiting) > BACKLOG_MESSAGES or (
            sum(len(message) for message in waiting) > BACKLOG_BYTES
        )


def bounded_websocket(factor: int) -> type[BoundedWebSocket]:
    return type("BoundedWebSocket", (BoundedWebSocket,), {"factor": factor})
