"""What the machine does at best: echoes on the same server class, one fdatasync, one signature."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Any

from bench_clients import BINARY, TEXT, Client, Measured, Wire, client_frame, run_apart
from bench_servers import serving

from secure_msg.crypto.signature import ML_DSA_65

PAYLOAD = 2_048
FRAMES = 200_000

ECHO = Wire(answer=lambda _client, opcode, _head: opcode == BINARY)


class Repeated:
    """One frame as often as it is wanted."""

    def __init__(self, frame: bytes, count: int = FRAMES) -> None:
        self._frame = frame
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        return self._frame


def socketio_event(payload: bytes) -> bytes:
    """Socket.IO 5 over Engine.IO 4: an event with a binary part and an acknowledgement."""
    head = b'451-7["echo",{"_placeholder":true,"num":0}]'
    return client_frame(head, TEXT) + client_frame(payload)


def figures(found: Measured, busy: float) -> dict[str, Any]:
    """`busy_us` is the server's processor time for each answer, in µs."""
    count = len(found.waited)
    ordered = sorted(found.waited) or [0.0]
    return {
        "a_second": count / found.seconds,
        "p50_ms": 1_000 * ordered[count // 2],
        "p99_ms": 1_000 * ordered[min(count - 1, count * 99 // 100)],
        "answers": count,
        "busy_us": 1e6 * busy / max(1, sum(found.sent)),
    }


def socketio(folder: Path, clients: int, size: int, **times: float) -> dict[str, Any]:
    with serving("socketio_echo", folder / "socketio.log") as server:
        path = "/socket.io/?EIO=4&transport=websocket"
        joined: Any = Repeated(socketio_event(os.urandom(size)))
        one = Client(path, sends=joined, first=client_frame(b"40", TEXT))
        return _echoed(server, [one] * clients, times)


def websocket(folder: Path, clients: int, size: int, **times: float) -> dict[str, Any]:
    with serving("websocket_echo", folder / "websocket.log") as server:
        frames: Any = Repeated(client_frame(os.urandom(size)))
        return _echoed(server, [Client("/", sends=frames)] * clients, times)


def _echoed(server: Any, clients: list[Client], times: dict[str, float]) -> dict[str, Any]:
    before = server.busy()
    found = run_apart(server.base, ECHO, clients, **times)
    return figures(found, server.busy() - before)


def fdatasync(folder: Path, size: int = 8_192, count: int = 300) -> float:
    """Median seconds of an append and its fdatasync."""
    took = []
    data = os.urandom(size)
    descriptor = os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            began = time.perf_counter()
            os.write(descriptor, data)
            os.fdatasync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return statistics.median(took)


def signature(count: int = 200) -> float:
    """Median seconds of one ML-DSA-65 signature."""
    key = ML_DSA_65.generate(os.urandom(32))
    took = []
    for number in range(count):
        began = time.perf_counter()
        key.sign(number.to_bytes(128, "big"))
        took.append(time.perf_counter() - began)
    return statistics.median(took)
