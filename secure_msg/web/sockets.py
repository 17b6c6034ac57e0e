"""One WebSocket (RFC 6455) of somebody, with its bounds (docs/spec/http.md, "Realtime").

- A message has a largest size, and is refused while it arrives, not after it.
- Messages are handed out one at a time: what is not yet handled waits in the peer's TCP.
- Messages over the rate wait, and frames over theirs; one who keeps it up is closed.
- Who sends without a pause leaves others their turn all the same.
- Nothing that is sent is waited for, and one who does not read it is closed.
- A closed socket ends for both directions, whether or not the peer answers.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from http import HTTPStatus
from time import monotonic
from typing import Any

import gevent
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, SEND_EOF
from websockets.server import ServerProtocol

from secure_msg.web.outbox import Outbox, Post
from secure_msg.web.outer import Environ
from secure_msg.web.rates import Frames, Rate

MESSAGE_LIMIT = 4 * 1024 * 1024 + 4_096
RECEIVE_BYTES = 64 * 1024
# libev's EV_READ.
READABLE = 1
MESSAGES_A_SECOND = 50
PATIENCE = 5 * MESSAGES_A_SECOND
# Pings and fragments are no messages, but cost as much to read.
FRAMES_A_SECOND = 8 * MESSAGES_A_SECOND
MAX_WAITING_FRAMES = 256
MAX_WAITING_BYTES = 4 * 1024 * 1024
# In which a parting word is sent before its socket goes.
PARTING_SECONDS = 2.0
# How often a peer is asked whether it is there, and for how long its answer may take.
PULSE_SECONDS = 18.0
SILENT_SECONDS = 20.0
TCP = "gunicorn.socket"

# It would write a line for each connection.
_QUIET = logging.getLogger("secure_msg.websockets")
_QUIET.setLevel(logging.CRITICAL)


class NoHandshake(Exception):
    """The request does not open a WebSocket."""


class Line:
    """One open WebSocket; `factor` multiplies the rates."""

    def __init__(self, environ: Environ, post: Post, greeting: bytes, factor: int = 1) -> None:
        """Answers the handshake, and says a first word. Raises NoHandshake."""
        self._tcp: Any = environ[TCP]
        response = handshake(environ)
        self._protocol = ServerProtocol(state=OPEN, max_size=MESSAGE_LIMIT, logger=_QUIET)
        self._messages = Rate(MESSAGES_A_SECOND * factor, PATIENCE * factor)
        self._frames = Rate(FRAMES_A_SECOND * factor, FRAMES_A_SECOND * factor)
        self._heads = Frames()
        self._outbox = Outbox(self._tcp, post, self.end)
        self._fragments: bytearray | None = None
        self._heard = self._pulsed = monotonic()
        hub = gevent.get_hub()
        self._wait: Callable[[Any], object] = hub.wait
        self._readable: Any = hub.loop.io(self._tcp.fileno(), READABLE)
        self._listening = False
        self._over = False
        self._outbox.put(response + greeting)

    # What the peer sends.

    def messages(self) -> Iterator[bytes]:
        """Each whole binary message, until the socket ends; the next is read after the last."""
        try:
            while not self._protocol.eof_sent and (data := self._received()):
                if not self._paced(data):
                    break
                self._protocol.receive_data(data)
                for received in self._protocol.events_received():
                    message = self._whole(received)
                    if message is not None and self._admitted():
                        yield message
                self._send_due()
                self._outbox.wait_until_taken()
            self._outbox.flush()
            self.end()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """What holds itself would stay, with a message's bytes, until cycles are looked for."""
        self._readable.close()
        self._fragments = None
        self._protocol.parser.close()
        self._outbox.forget()

    def _received(self) -> bytes:
        """Empty when the peer is gone.

        It waits even for what is there already: one who sends without a pause would be all that
        is read. And a read that finds nothing costs as much as one that does.
        """
        self._listening = True
        try:
            self._wait(self._readable)
            data: bytes = self._tcp.recv(RECEIVE_BYTES)
        except OSError:
            return b""
        finally:
            self._listening = False
        self._heard = monotonic()
        return data

    def _paced(self, data: bytes) -> bool:
        """Wait for as long as these frames have to; False for one whose patience is over."""
        seconds: float | None = 0.0
        for _ in range(self._heads.begun(data)):
            seconds = self._frames.wait()
            if seconds is None:
                return False
        if seconds:
            gevent.sleep(seconds)
        return True

    def _whole(self, frame: Any) -> bytes | None:
        """The message that this frame ends; control frames are answered by the protocol."""
        if frame.opcode is Opcode.BINARY and frame.fin:
            return bytes(frame.data)
        if frame.opcode is Opcode.TEXT:
            self._fail(CloseCode.UNSUPPORTED_DATA)
        elif frame.opcode is Opcode.BINARY:
            self._fragments = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += frame.data
            if frame.fin:
                whole, self._fragments = bytes(self._fragments), None
                return whole
        return None

    def _admitted(self) -> bool:
        """Wait for the rate and for a slow reader; False when nothing more is handled."""
        self._outbox.wait_until_taken()
        seconds = self._messages.wait()
        if seconds is None:
            self._fail(CloseCode.POLICY_VIOLATION)
        elif seconds > 0:
            gevent.sleep(seconds)
        # What came before the peer's own closing is still carried out.
        return not self._over

    # What the peer is sent.

    def answer(self, frame: bytes) -> None:
        self._outbox.put(frame)

    def tell(self, frame: bytes) -> bool:
        """False when too much waits for this peer: it is closed before it fills the memory."""
        if self._over:
            return False
        outbox = self._outbox
        if outbox.waiting > MAX_WAITING_FRAMES or outbox.waiting_bytes > MAX_WAITING_BYTES:
            self.end()
            return False
        outbox.put(frame)
        return True

    def pulse(self, word: bytes) -> None:
        """Now and then a ping and a word; a peer that was silent since the last one is closed."""
        since = monotonic() - self._pulsed
        if self._listening and self._heard < self._pulsed and since > SILENT_SECONDS:
            self.end()
        elif since > PULSE_SECONDS and not self._protocol.eof_sent:
            self._pulsed = monotonic()
            self._protocol.send_ping(b"")
            self._send_due()
            self._outbox.put(word)

    def part(self, word: bytes = b"") -> None:
        """Close with a last word, and soon, whether or not the peer reads it."""
        if word:
            self._outbox.put(word)
        if not self._over:
            self._fail(CloseCode.NORMAL_CLOSURE)
            self._send_due()
        gevent.spawn_later(PARTING_SECONDS, self.end)

    def end(self) -> None:
        """Now, for both directions; the reader then ends too."""
        self._over = True
        self._outbox.close()
        try:
            self._tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _fail(self, code: CloseCode) -> None:
        """Nothing more of this peer is carried out; the closing is sent with what is due."""
        self._over = True
        self._protocol.fail(code)

    def _send_due(self) -> None:
        for data in self._protocol.data_to_send():
            if data is not SEND_EOF:
                self._outbox.put(data)


def frame(message: bytes) -> bytes:
    """A server's frames have no mask, so that one serves for all who are told the same."""
    return Frame(Opcode.BINARY, message).serialize(mask=False)


def handshake(environ: Environ) -> bytes:
    """The response that opens the WebSocket. Raises NoHandshake."""
    headers = Headers()
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"):
        value = environ.get("HTTP_" + name.upper().replace("-", "_"))
        if value is not None:
            headers[name] = value
    request = Request("/", headers, environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"])
    response = ServerProtocol(logger=_QUIET).accept(request)
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        raise NoHandshake
    return response.serialize()
