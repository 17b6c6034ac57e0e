"""The WebSocket under Socket.IO, with the bounds that `simple-websocket` leaves to its users.

- A message has a largest size, and is refused while it arrives, not after it.
- What was received and not yet handled is bounded: beyond it the peer's TCP waits.
- Frames from several greenlets do not mix, and each is sent whole.
- A closed socket ends for both directions, whether or not the peer answers.
- Messages over the rate wait; one who keeps it up is closed.
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
MAX_ATTACHMENTS = 1


class OneAttachment(Packet):
    """A Socket.IO packet that may announce one binary part: more would be kept until all came."""

    def decode(self, encoded_packet: Any) -> int:
        count: int = super().decode(encoded_packet)
        if count > MAX_ATTACHMENTS:
            raise ValueError("too many attachments")
        return count


class Wire:
    """What `simple-websocket` takes for the TCP socket."""

    def __init__(self, tcp: Any) -> None:
        self._tcp = tcp
        self._sending = BoundedSemaphore()
        self.backlogged: Callable[[], bool] = lambda: False

    def recv(self, size: int) -> bytes:
        while self.backlogged():
            gevent.sleep(0.02)
        data: bytes = self._tcp.recv(size)
        return data

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


class Rate:
    """A token bucket over time: `wait` says for how long the next message has to."""

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
        self._wire = Wire(environ["gunicorn.socket"])
        self._wire.backlogged = self._backlogged
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
