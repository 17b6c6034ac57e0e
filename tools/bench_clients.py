"""Clients that cost little: prepared frames over raw sockets, many in one process of its own.

A client sends its next frame when the one before was answered, or (`sends` empty) only listens.
Frames are masked by zeros, so that their bytes are prepared once; the server unmasks them as any.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

TEXT, BINARY, PING = 1, 2, 9
RECEIVE_BYTES = 1 << 18
# In which lie a page's thread, start, frontier of at most 64 hashes, and the count of its entries.
HEAD_BYTES = 2_304
OPEN_SECONDS = 60.0


def client_frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """RFC 6455 section 5.2, masked by zeros."""
    size = len(payload)
    head = bytes([0x80 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", size)
    return head + bytes(4) + payload


def server_frames(buffer: bytearray) -> Iterator[tuple[int, bytes, int]]:
    """(opcode, the payload's first bytes, its size) of each whole frame, which is taken out."""
    at = 0
    while len(buffer) >= at + 2:
        size, begins = buffer[at + 1], at + 2
        if size == 126:
            size, begins = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
        elif size == 127:
            size, begins = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
        if len(buffer) < begins + size:
            break
        yield buffer[at] & 0x0F, bytes(buffer[begins : begins + min(size, HEAD_BYTES)]), size
        at = begins + size
    del buffer[:at]


@dataclass(frozen=True)
class Wire:
    """How one kind of server is spoken to, by a frame's opcode and first bytes.

    `answer` says whether a frame answers the last one that this client sent; `told` how much a
    frame tells.
    """

    answer: Callable[[Client, int, bytes], bool]
    told: Callable[[int, bytes], int] = lambda _opcode, _head: 0


@dataclass
class Client:
    """`first` is sent at once; `saves` unasked, after 50 things told or 1 to 5 seconds, as browsers
    save. `name` is for those who tell clients apart."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    sends: Sequence[bytes] = ()
    saves: Sequence[bytes] = ()
    first: bytes = b""
    name: bytes = b""


@dataclass
class Measured:
    """Of the seconds that count. `waited` in seconds, `told` in things told."""

    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)
    told: int = 0
    saved: int = 0
    sent: list[int] = field(default_factory=list)
    """How many of each client's frames were answered, before and after the seconds too."""


SAVE_AFTER = 50


class _Running:
    def __init__(self, base: str, wire: Wire, client: Client, random: Random) -> None:
        self.tcp = opened(base, client)
        self._wire = wire
        self._client = client
        self._buffer = bytearray()
        self._random = random
        self._at = 0.0
        self._unsaved = 0
        self._save_at = 0.0
        self.answered = 0
        self.saved = 0

    def send(self) -> bool:
        """The next frame; False when there is none."""
        if self.answered >= len(self._client.sends):
            return False
        self._at = time.perf_counter()
        self.tcp.sendall(self._client.sends[self.answered])
        return True

    def receive(self) -> tuple[list[float], int]:
        """The waits of what was answered, and how much was told. Raises ConnectionError."""
        data = self.tcp.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionError("the server closed a connection")
        self._buffer += data
        waits, told = [], 0
        for opcode, head, _ in server_frames(self._buffer):
            if opcode == PING:
                self.tcp.sendall(client_frame(head, 10))
            if self._client.sends and self._wire.answer(self._client, opcode, head):
                waits.append(time.perf_counter() - self._at)
                self.answered += 1
            told += self._wire.told(opcode, head)
        self._gather(told)
        return waits, told

    def _gather(self, told: int) -> None:
        if not told or not self._client.saves:
            return
        now = time.perf_counter()
        if not self._unsaved:
            self._save_at = now + self._random.uniform(1, 5)
        self._unsaved += told
        due = self._unsaved >= SAVE_AFTER or now >= self._save_at
        if due and self.saved < len(self._client.saves):
            self.tcp.sendall(self._client.saves[self.saved])
            self.saved += 1
            self._unsaved = 0


def opened(base: str, client: Client) -> socket.socket:
    """A WebSocket to `client.path`. Raises ConnectionError."""
    address = urlsplit(base)
    tcp = socket.create_connection((address.hostname or "", address.port or 0), OPEN_SECONDS)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = [
        f"GET {client.path} HTTP/1.1",
        f"Host: {address.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in client.headers.items()),
    ]
    tcp.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = tcp.recv(1)
        if not byte:
            break
        head += byte
    if not head.startswith(b"HTTP/1.1 101"):
        raise ConnectionError("the server opened no WebSocket")
    tcp.sendall(client.first)
    return tcp


def run(
    base: str, wire: Wire, clients: Sequence[Client], *, warm: float, seconds: float
) -> Measured:
    """In this process: all clients at once, counted after `warm` seconds."""
    selector = selectors.DefaultSelector()
    running = [_Running(base, wire, one, Random(at)) for at, one in enumerate(clients)]  # noqa: S311
    for one in running:
        selector.register(one.tcp, selectors.EVENT_READ, one)
    for one in running:
        one.send()
    began = time.perf_counter() + warm
    ends = began + seconds
    result = Measured()
    now = time.perf_counter()
    while now < ends:
        for key, _ in selector.select(0.2):
            one = key.data
            waits, told = one.receive()
            if waits and not one.send():
                ends = min(ends, time.perf_counter())
            if began <= now < ends:
                result.waited += waits
                result.told += told
        now = time.perf_counter()
    result.seconds = max(ends - began, 1e-9)
    result.sent = [one.answered for one in running]
    result.saved = sum(one.saved for one in running)
    for one in running:
        one.tcp.close()
    return result


def run_apart(
    base: str, wire: Wire, clients: Sequence[Client], *, warm: float, seconds: float
) -> Measured:
    """The same in a process of its own, as the server's and this one's would share their time."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def work() -> None:
        theirs.send(run(base, wire, clients, warm=warm, seconds=seconds))

    process = context.Process(target=work)
    process.start()
    theirs.close()
    try:
        result: Measured = ours.recv()
    except EOFError:
        raise ConnectionError("the clients' process ended early") from None
    finally:
        process.join()
    return result
