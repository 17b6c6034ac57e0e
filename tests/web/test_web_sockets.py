"""One WebSocket at a time: what is joined, what goes on by itself, who is closed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from secure_msg.codec.realtime import Told, pack
from secure_msg.messages.port import Announcement, Appended, FolderChanged
from secure_msg.web import outbox, sockets
from secure_msg.web.outbox import Outbox, Post
from secure_msg.web.realtime import merged
from secure_msg.web.sockets import Line, NoHandshake, frame

UPGRADE = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}
WORD = frame(pack(Told.PULSE))


class Counting:
    """A TCP socket that notes each write that is not waited for, and takes at most `room` of it."""

    def __init__(self, tcp: Any, room: int = 1 << 30) -> None:
        self._tcp = tcp
        self._room = room
        self.writes: list[bytes] = []

    def send(self, data: bytes, flags: int = 0, timeout: float | None = None) -> int:
        self.writes.append(bytes(data))
        if not self._room:
            raise BlockingIOError
        sent: int = self._tcp.send(data[: self._room], flags)
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tcp, name)


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def received(tcp: Any, size: int) -> bytes:
    data = b""
    with gevent.Timeout(10):
        while len(data) < size:
            data += tcp.recv(size - len(data))
    return data


def ended(tcp: Any) -> bool:
    """Whether nothing more comes, after what is still there."""
    with gevent.Timeout(10):
        while tcp.recv(65_536):
            pass
    return True


def test_what_is_due_at_one_moment_goes_in_one_write(pair):
    ours, theirs = pair
    tcp = Counting(ours)
    box = Outbox(tcp, Post(), lambda: None)
    for part in (b"answer", b"page", b"page"):
        box.put(part)
    assert received(theirs, 14) == b"answerpagepage"
    assert tcp.writes == [b"answerpagepage"]
    assert box.waiting_bytes == 0


@pytest.mark.parametrize("room", [0, 1, 5])
def test_what_the_kernel_does_not_take_at_once_follows_whole_and_in_order(pair, room):
    ours, theirs = pair
    box = Outbox(Counting(ours, room), Post(), lambda: None)
    parts = [bytes([at]) * 100_000 for at in range(20)]
    for part in parts:
        box.put(part)
        gevent.sleep(0)
    assert received(theirs, 2_000_000) == b"".join(parts)
    gevent.sleep(0.01)
    assert (box.waiting, box.waiting_bytes) == (0, 0)


def test_attack_42_one_who_reads_nothing_is_given_up(pair, monkeypatch):
    monkeypatch.setattr(outbox, "SEND_SECONDS", 0.05)
    broken: list[str] = []
    box = Outbox(pair[0], Post(), lambda: broken.append("broken"))
    box.put(bytes(8_000_000))
    with gevent.Timeout(10):
        box.wait_until_taken()
    assert broken == ["broken"]
    box.put(b"more")
    assert box.waiting_bytes == 0


def test_a_broken_connection_is_told_once(pair):
    broken: list[str] = []
    box = Outbox(pair[0], Post(), lambda: broken.append("broken"))
    pair[1].close()
    for _ in range(3):
        box.put(b"word")
        gevent.sleep(0.01)
    assert broken == ["broken"]


def line_over(ours: Any) -> Line:
    return Line({**UPGRADE, sockets.TCP: ours}, Post(), WORD)


def test_attack_42_too_much_that_waits_closes_a_line(pair):
    line = line_over(Counting(pair[0], 0))
    told = [line.tell(frame(bytes(20_000))) for _ in range(400)]
    assert True in told
    assert told[-1] is False
    assert ended(pair[1])


def opened(theirs: Any) -> ClientProtocol:
    """The peer's end, after the handshake and the first word."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += received(theirs, 1)
    assert head.startswith(b"HTTP/1.1 101")
    assert received(theirs, len(WORD)) == WORD
    return ClientProtocol(parse_uri("ws://localhost/socket"), state=OPEN)


def test_a_handshake_is_answered_and_messages_come_whole(pair):
    ours, theirs = pair
    line = line_over(ours)
    heard: list[bytes] = []
    reader = gevent.spawn(lambda: heard.extend(line.messages()))
    peer = opened(theirs)
    peer.send_binary(b"one")
    peer.send_binary(b"tw", fin=False)
    peer.send_ping(b"there?")
    peer.send_continuation(b"o", fin=True)
    peer.send_close()
    theirs.sendall(b"".join(peer.data_to_send()))
    reader.join(10)
    assert heard == [b"one", b"two"]
    peer.receive_data(received(theirs, 2 + 6 + 2))
    answers = [one for one in peer.events_received() if isinstance(one, Frame)]
    assert [one.opcode for one in answers] == [Opcode.PONG, Opcode.CLOSE]
    assert ended(theirs)


def test_attack_42_what_an_ended_line_held_is_free_at_once(pair):
    """An unfinished message of a megabyte: nobody has to look for cycles first."""
    ours, theirs = pair
    gc.disable()
    try:
        line = line_over(ours)
        reader = gevent.spawn(lambda found: list(found.messages()), line)
        held = weakref.ref(line)
        peer = opened(theirs)
        peer.send_binary(bytes(1_000_000), fin=False)
        peer.send_continuation(bytes(10_000), fin=False)
        theirs.sendall(b"".join(peer.data_to_send())[:-5_000])
        theirs.shutdown(socket.SHUT_WR)
        reader.join(10)
        assert reader.successful()
        del line, reader
        gevent.sleep(0)
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", sorted(name for name in UPGRADE if name.startswith("HTTP_")))
def test_half_a_handshake_opens_nothing(pair, name):
    environ = {key: value for key, value in UPGRADE.items() if key != name}
    with pytest.raises(NoHandshake):
        Line({**environ, sockets.TCP: pair[0]}, Post(), WORD)


def test_a_peer_that_is_gone_without_a_word_is_closed(pair, monkeypatch):
    monkeypatch.setattr(sockets, "PULSE_SECONDS", 0.0)
    monkeypatch.setattr(sockets, "SILENT_SECONDS", 0.05)
    line = line_over(pair[0])
    reader = gevent.spawn(lambda: list(line.messages()))
    gevent.sleep(0)
    line.pulse(WORD)
    gevent.sleep(0.1)
    assert not reader.ready()
    line.pulse(WORD)
    reader.join(10)
    assert reader.ready()


def test_a_peer_that_answers_pings_stays(pair, monkeypatch):
    monkeypatch.setattr(sockets, "PULSE_SECONDS", 0.0)
    monkeypatch.setattr(sockets, "SILENT_SECONDS", 0.05)
    ours, theirs = pair
    line = line_over(ours)
    reader = gevent.spawn(lambda: list(line.messages()))
    peer = opened(theirs)
    for _ in range(4):
        line.pulse(WORD)
        peer.receive_data(received(theirs, 2 + len(WORD)))
        theirs.sendall(b"".join(peer.data_to_send()))
        gevent.sleep(0.1)
    assert not reader.ready()
    line.end()
    reader.join(10)
    assert reader.ready()


def test_what_was_appended_together_is_told_together():
    members = (b"a" * 32, b"b" * 32)

    def at(thread: bytes, first: int, last: int) -> Announcement:
        return Appended(thread, members, first, last)

    changed = FolderChanged(b"a" * 32, b"p" * 32, 1, 10)
    due = [
        (at(b"x", 4, 4), "1"),
        (at(b"y", 9, 9), "2"),
        (changed, "1"),
        (at(b"x", 5, 7), "3"),
        (at(b"y", 11, 11), "2"),
        (at(b"x", 8, 8), "1"),
    ]
    assert merged(due) == [
        (at(b"x", 4, 8), "1"),
        (at(b"y", 9, 9), "2"),
        (changed, "1"),
        (at(b"y", 11, 11), "2"),
    ]
