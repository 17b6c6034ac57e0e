"""The realtime API as tests speak it, over a real WebSocket."""

from __future__ import annotations

import queue
import threading
from contextlib import ExitStack, suppress
from itertools import count

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from secure_msg.codec.http import Refusal, TransactRequest, TransactResult
from secure_msg.codec.realtime import Asked, Told, pack, unpack
from secure_msg.codec.schema import from_bytes, to_bytes
from tests.support.api import COOKIE, LIMIT, Api

WAIT = 10.0
PATH = "/socket"
ANSWERS = (Told.DONE, Told.REFUSED)

Refused = InvalidHandshake


class Live:
    """One open socket of a signed-in browser; what it is told is queued by kind."""

    def __init__(self, api: Api, headers: dict[str, str] | None = None) -> None:
        sent = {
            "Origin": api.transport.origin,
            "Cookie": f"{COOKIE}={api.transport.cookie()}",
            **(headers or {}),
        }
        # The library writes Origin itself, and would write a second one beside ours.
        origin = sent.pop("Origin") or None
        self.told: dict[Told, queue.Queue[bytes]] = {kind: queue.Queue() for kind in Told}
        self.closed: queue.Queue[str] = queue.Queue()
        self._answers: dict[int, queue.Queue[tuple[Told, bytes]]] = {}
        self._requests = count(1)
        opening = connect(
            "ws" + api.transport.origin.removeprefix("http") + PATH,
            origin=origin,
            additional_headers={name: value for name, value in sent.items() if value},
            compression=None,
            open_timeout=WAIT,
            close_timeout=1,
            ping_interval=None,
            max_size=LIMIT,
        )
        self._opened = ExitStack()
        self._socket = self._opened.enter_context(opening)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
        self._reader.join(WAIT)

    @property
    def connected(self) -> bool:
        return self.closed.empty()

    def answered(self, kind: int, payload: bytes = b"") -> tuple[Told, bytes]:
        """The kind and payload of the answer to a request."""
        number = next(self._requests)
        self._answers[number] = queue.Queue()
        self._socket.send(pack(kind, payload, number))
        found = self._answers[number].get(timeout=WAIT)
        del self._answers[number]
        return found

    def call(self, kind: int, payload: bytes = b"") -> bytes:
        """The payload of the answer to a request that is granted."""
        told, answer = self.answered(kind, payload)
        assert told is Told.DONE, from_bytes(Refusal, answer)
        return answer

    def refused(self, kind: int, payload: bytes = b"") -> Refusal:
        told, answer = self.answered(kind, payload)
        assert told is Told.REFUSED, told
        return from_bytes(Refusal, answer)

    def say(self, kind: int, payload: bytes = b"") -> None:
        """Ask for something and for no answer."""
        self._socket.send(pack(kind, payload))

    def transact(self, request: TransactRequest) -> TransactResult | Refusal:
        told, answer = self.answered(Asked.TRANSACT, to_bytes(request))
        if told is Told.DONE:
            return from_bytes(TransactResult, answer, limit=LIMIT)
        return from_bytes(Refusal, answer)

    def next(self, told: Told) -> bytes:
        return self.told[told].get(timeout=WAIT)

    def silent(self, told: Told, seconds: float = 0.5) -> bool:
        try:
            self.told[told].get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def _read(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                data = self._socket.recv()
                assert isinstance(data, bytes)
                message = unpack(data)
                if message.kind in ANSWERS:
                    answer = (Told(message.kind), message.payload)
                    self._answers[message.request].put(answer)
                else:
                    assert message.request == 0
                    self.told[Told(message.kind)].put(message.payload)
        self.closed.put("closed")
