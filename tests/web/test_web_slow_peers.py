"""Attack 42: slow senders, tiny fragments, huge declared lengths, listeners that do not read."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import pytest

from secure_msg.codec.http import TransactRequest, TransactResult
from secure_msg.codec.realtime import Asked, pack
from secure_msg.codec.schema import to_bytes
from secure_msg.web.rates import Frames, Rate
from secure_msg.web.sockets import MESSAGE_LIMIT
from tests.support.api import COOKIE, Api, OverNetwork
from tests.support.people import Person, put
from tests.support.server import ServerProcess
from tests.support.sockets import Live

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
UNKNOWN_KIND = 99
MOST_OF_ONE = 16


def tcp_to(process: ServerProcess) -> socket.socket:
    host, port = process.base.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def frame(opcode: int, payload: bytes, *, final: bool = True, declared: int | None = None) -> bytes:
    """A masked client frame (RFC 6455 section 5.2), with a zero mask."""
    size = len(payload) if declared is None else declared
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", size)
    return head + bytes(4) + payload


def upgraded(process: ServerProcess, api: Api) -> socket.socket:
    """A raw WebSocket of a signed-in person."""
    tcp = tcp_to(process)
    host = process.base.removeprefix("http://")
    tcp.sendall(
        "GET /socket HTTP/1.1\r\n"
        f"Host: {host}\r\nOrigin: {process.base}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        f"Cookie: {COOKIE}={api.transport.cookie()}\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += tcp.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    assert b"extensions" not in head.lower()
    return tcp


def ends(tcp: socket.socket, seconds: float = 60) -> bool:
    """Whether the server closes this connection; the seconds only end a test that hangs."""
    tcp.settimeout(seconds)
    try:
        while tcp.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def first_to_end(peers: list[socket.socket], count: int) -> set[socket.socket]:
    """Those `count` that the server closes before the others."""
    ended: set[socket.socket] = set()
    with DefaultSelector() as selector:
        for tcp in peers:
            selector.register(tcp, EVENT_READ)
        while len(ended) < count:
            for key, _ in selector.select():
                selector.unregister(key.fileobj)
                ended.add(key.fileobj)
    return ended


def resident_kib(process: ServerProcess) -> int:
    """Of the server's worker, the largest process of its session."""
    group = process._process.pid
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group:
                    pages = int((entry / "statm").read_text().split()[1])
                    found.append(pages * 4)
            except (ProcessLookupError, FileNotFoundError):
                continue
    return max(found)


@pytest.fixture(scope="module")
def honest(join_process):
    return join_process("slow-honest")


def still_serves(honest) -> None:
    """An honest request has its answer while the attack goes on: it would else wait for its end."""
    assert honest[0].get("/api/threads").status == 200


def test_attack_42_many_slow_requests_hold_up_nobody(process, honest):
    with ExitStack() as stack:
        slow = [stack.enter_context(tcp_to(process)) for _ in range(200)]
        for number, tcp in enumerate(slow):
            tcp.sendall(
                (b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"G", b"POST /api/sign-in HTTP/1.1\r\n")[
                    number % 3
                ]
            )
        for _ in range(5):
            for tcp in slow[::7]:
                tcp.sendall(b"a")
            still_serves(honest)
        assert ends(slow[0])


def test_attack_42_a_declared_length_takes_no_memory(process, honest):
    before = resident_kib(process)
    with ExitStack() as stack:
        for size in (8 * 2**20, 2**40, 2**63 - 1):
            for _ in range(10):
                tcp = stack.enter_context(tcp_to(process))
                tcp.sendall(
                    b"POST /api/transact HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: %d\r\n\r\nsome" % size
                )
        still_serves(honest)
        assert resident_kib(process) - before < 16 * 1024


@pytest.mark.parametrize("declared", [MESSAGE_LIMIT + 1, 2**32, 2**62])
def test_attack_42_a_frame_over_the_limit_closes_the_socket(process, honest, declared):
    before = resident_kib(process)
    with upgraded(process, honest[0]) as tcp:
        tcp.sendall(frame(BINARY, b"", declared=declared))
        try:
            for _ in range(200):
                tcp.sendall(bytes(65_536))
        except ConnectionError:
            pass
        assert ends(tcp)
    assert resident_kib(process) - before < 32 * 1024
    still_serves(honest)


def test_attack_42_fragments_add_up_to_the_limit(process, honest):
    with upgraded(process, honest[0]) as tcp:
        try:
            tcp.sendall(frame(BINARY, bytes(1_000), final=False))
            for _ in range(90):
                tcp.sendall(frame(CONT, bytes(60_000), final=False))
        except ConnectionError:
            pass
        assert ends(tcp)
    still_serves(honest)


def test_attack_42_a_flood_of_messages_waits_and_then_ends(tmp_path):
    with ServerProcess(tmp_path / "storage", {"RATE_FACTOR": "1"}) as server:
        api = Api(OverNetwork(server.base))
        api.register(Person("flooder"))
        other = Api(OverNetwork(server.base))
        other.register(Person("flooded"))
        before = resident_kib(server)
        with upgraded(server, api) as tcp:
            tcp.settimeout(0.2)
            junk = frame(BINARY, pack(Asked.TYPING, b"junk")) * 2_000
            try:
                for _ in range(60):
                    tcp.sendall(junk)
            except (TimeoutError, ConnectionError):
                pass
            assert other.get("/api/threads").status == 200
            assert resident_kib(server) - before < 32 * 1024
            assert ends(tcp)


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"", b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"),
        (b"", b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999\r\n\r\n", b"aaaaaaaa"),
    ],
    ids=["requests", "refused", "chunks", "a long body"],
)
def test_attack_42_one_connection_that_never_pauses_holds_up_nobody(process, honest, head, rest):
    over = threading.Event()
    with tcp_to(process) as tcp:
        tcp.sendall(head)

        def write() -> None:
            with suppress(OSError):
                while not over.is_set():
                    tcp.sendall(rest * 2_000)

        def read() -> None:
            with suppress(OSError):
                while tcp.recv(65_536):
                    pass

        threads = [threading.Thread(target=act) for act in (write, read)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                still_serves(honest)
        finally:
            over.set()
            with suppress(OSError):
                tcp.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def test_attack_42_one_address_cannot_take_all_connections(tmp_path):
    settings = {"MAX_CONNECTIONS": str(4 * MOST_OF_ONE)}
    with ServerProcess(tmp_path / "storage", settings) as server, ExitStack() as stack:
        port = int(server.base.rpartition(":")[2])
        idle = []
        for _ in range(5 * MOST_OF_ONE):
            tcp = socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.9", 0))
            idle.append(stack.enter_context(tcp))
        honest = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
        honest.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert honest.recv(4_096).startswith(b"HTTP/1.1 200")
        assert first_to_end(idle, len(idle) - MOST_OF_ONE) == set(idle[MOST_OF_ONE:])


@pytest.mark.parametrize(
    "junk",
    [
        frame(PING, b"") * 5_000,
        frame(PONG, b"") * 5_000,
        frame(BINARY, b"", final=False) * 5_000,
        frame(BINARY, b"a") * 5_000,
        frame(TEXT, b"x" * MESSAGE_LIMIT),
    ],
    ids=["pings", "pongs", "beginnings", "bytes", "texts"],
)
def test_attack_42_a_flood_of_frames_ends_and_holds_up_nobody(tmp_path, junk):
    with ServerProcess(tmp_path / "storage", {"RATE_FACTOR": "1"}) as server:
        api, other = Api(OverNetwork(server.base)), Api(OverNetwork(server.base))
        api.register(Person("frame-flooder"))
        other.register(Person("frame-flooded"))
        tcp, over = upgraded(server, api), threading.Event()

        def read() -> None:
            with suppress(OSError):
                while tcp.recv(65_536):
                    pass

        def write() -> None:
            with suppress(OSError):
                while not over.is_set():
                    tcp.sendall(junk)
            over.set()

        threads = [threading.Thread(target=act) for act in (read, write)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                still_serves((other, None))
            assert over.wait(60)
        finally:
            over.set()
            tcp.close()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 1 << 20])
def test_frames_are_counted_however_they_arrive(step):
    sizes = (0, 1, 125, 126, 65_535, 65_536, 3)
    stream = b"".join(frame(BINARY, b"x" * size) for size in sizes)
    frames = Frames()
    assert sum(frames.begun(stream[at : at + step]) for at in range(0, len(stream), step)) == 7


def test_attack_42_what_nobody_asked_for_is_not_kept(process, honest):
    before = resident_kib(process)
    with upgraded(process, honest[0]) as tcp:
        for _ in range(60):
            tcp.sendall(frame(BINARY, pack(UNKNOWN_KIND, bytes(1_000_000))))
        still_serves(honest)
        assert resident_kib(process) - before < 24 * 1024


@pytest.mark.parametrize(
    "message",
    [frame(TEXT, b"[]"), frame(BINARY, b"\x01\0\0"), frame(BINARY, b""), frame(CONT, b"more")],
    ids=["text", "no head", "nothing", "no beginning"],
)
def test_a_message_that_is_none_closes_the_socket(process, honest, message):
    with upgraded(process, honest[0]) as tcp:
        tcp.sendall(message)
        assert ends(tcp)
    still_serves(honest)


def test_attack_42_who_does_not_read_is_closed_and_takes_no_memory(process, join_process):
    api, person = join_process("does-not-read")
    peer_api, peer = join_process("keeps-writing")
    thread, session = peer_api.begin_conversation(peer, person)
    deaf = upgraded(process, api)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    before = resident_kib(process)
    with Live(peer_api) as writer:
        for number in range(600):
            request = TransactRequest((peer.message(thread, session, seen=4 + number),), ())
            assert isinstance(writer.transact(request), TransactResult)
    assert resident_kib(process) - before < 48 * 1024
    deaf.close()


def test_large_transactions_pass_whole(join_process):
    api, _ = join_process("large-sender")
    puts = tuple(put(f"large-{number}", size=900_000) for number in range(4))
    request = TransactRequest((), puts)
    assert len(to_bytes(request)) > 3_500_000
    with Live(api) as live:
        result = live.transact(request)
        assert isinstance(result, TransactResult)
        assert result.versions == (1, 1, 1, 1)


def test_the_rate_lets_a_burst_pass_and_then_spaces():
    rate = Rate(per_second=10, patience=5)
    waits = [rate.wait() for _ in range(16)]
    assert waits[:10] == [0.0] * 10
    assert all(wait and 0 < wait < 1 for wait in waits[10:15])
    assert waits[15] is None
