"""The realtime API as tests speak it, over a real WebSocket."""

from __future__ import annotations

import queue
from typing import Any

import socketio

from secure_msg.codec.http import Refusal, TransactRequest, TransactResult
from secure_msg.codec.schema import from_bytes, to_bytes
from tests.support.api import COOKIE, LIMIT, Api

WAIT = 10.0
EVENTS = ("entries", "private", "mark", "typing", "signed-out")


class Live:
    """One open socket of a signed-in browser; what it is told is queued by event."""

    def __init__(self, api: Api, headers: dict[str, str] | None = None) -> None:
        sent = {
            "Origin": api.transport.origin,
            "Cookie": f"{COOKIE}={api.transport.cookie()}",
            **(headers or {}),
        }
        # The WebSocket library writes Origin itself, and would write a second one beside ours.
        origin = sent.pop("Origin")
        options: dict[str, Any] = {"origin": origin} if origin else {"suppress_origin": True}
        self.io = socketio.Client(reconnection=False, websocket_extra_options=options)
        self.told: dict[str, queue.Queue[bytes]] = {name: queue.Queue() for name in EVENTS}
        self.closed: queue.Queue[str] = queue.Queue()
        for name in EVENTS:
            self.io.on(name, self._note(name))
        self.io.on("disconnect", lambda *_: self.closed.put("closed"))
        self.io.connect(
            api.transport.origin,
            headers={name: value for name, value in sent.items() if value},
            transports=["websocket"],
            wait_timeout=WAIT,
        )

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.io.disconnect()

    def call(self, event: str, data: Any = None) -> bytes:
        answer = self.io.call(event, data, timeout=WAIT)
        assert isinstance(answer, bytes), answer
        return answer

    def transact(self, request: TransactRequest) -> TransactResult | Refusal:
        answer = self.call("transact", to_bytes(request))
        if answer[0] == 0:
            return from_bytes(TransactResult, answer[1:], limit=LIMIT)
        return from_bytes(Refusal, answer[1:])

    def next(self, event: str) -> bytes:
        return self.told[event].get(timeout=WAIT)

    def silent(self, event: str, seconds: float = 0.5) -> bool:
        try:
            self.told[event].get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def _note(self, name: str) -> Any:
        return lambda *data: self.told[name].put(data[0] if data else b"")
