"""A TCP relay in front of a server that keeps every byte that was sent to the server.

with Relay(server.base) as relay:
    relay.base             # what browsers use instead of server.base
    relay.received()       # one bytes a connection, WebSocket frames unmasked
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

CHUNK = 65_536
_UPGRADE = re.compile(rb"\r\nupgrade: *websocket\r\n", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Relay:
    """Listens on a free port of its own; a server that is down makes a connection end at once.

    Browsers name the relay's address in Host and Origin alike, so that a server without a fixed
    address takes it for its own.
    """

    def __init__(self, base: str) -> None:
        self._target = address_of(base)
        self._streams: list[bytearray] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.base = ""

    def __enter__(self) -> Relay:
        self._thread.start()
        opening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        self.base = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def received(self) -> list[bytes]:
        """All that went to the server so far, by connection."""
        return [readable(bytes(stream)) for stream in list(self._streams)]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        if serving:
            await asyncio.wait(serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = bytearray()
        self._streams.append(stream)
        try:
            from_server, to_server = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        both = {writer, to_server}
        self._writers |= both
        await asyncio.gather(
            _pump(reader, to_server, stream),
            _pump(from_server, writer, bytearray()),
        )
        self._writers -= both


def address_of(base: str) -> tuple[str, int]:
    """Host and port of a server's base URL."""
    parts = urlsplit(base)
    if parts.hostname is None or parts.port is None:
        raise ValueError("an address with a host and a port")
    return parts.hostname, parts.port


async def _pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, kept: bytearray
) -> None:
    """Passes on what comes, keeping it first, until either side ends."""
    with suppress(OSError):
        while chunk := await source.read(CHUNK):
            kept += chunk
            target.write(chunk)
            await target.drain()
    target.close()


def readable(stream: bytes) -> bytes:
    """A connection's bytes with the WebSocket part, if it has one, as plain payloads in a row.

    Raises ValueError for frames that an extension altered: compressed text would hide.
    """
    upgrade = _UPGRADE.search(stream)
    if upgrade is None:
        return stream
    end = stream.find(_HEAD_END, upgrade.end() - 2)
    if end < 0:
        return stream
    begin = end + len(_HEAD_END)
    return stream[:begin] + b"".join(_payloads(stream, begin))


def _payloads(stream: bytes, at: int) -> Iterator[bytes]:
    """Payloads of masked frames (RFC 6455, section 5.2); a frame cut short gives what is there."""
    while at + 2 <= len(stream):
        first, second = stream[at], stream[at + 1]
        if first & 0x70 or not second & 0x80:
            raise ValueError("a frame with extension bits, or without a mask")
        length, at = second & 0x7F, at + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(stream[at : at + size], "big"), at + size
        mask, at = stream[at : at + 4], at + 4
        masked, at = stream[at : at + length], at + length
        if masked:
            yield _unmasked(masked, mask)


def _unmasked(masked: bytes, mask: bytes) -> bytes:
    key = (mask * (len(masked) // 4 + 1))[: len(masked)]
    return (int.from_bytes(masked, "big") ^ int.from_bytes(key, "big")).to_bytes(len(masked), "big")
