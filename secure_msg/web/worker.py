"""gunicorn's gevent worker, with our answers to what is no HTTP, our logs and a quick ending."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from secure_msg.web.errors import Problem, log_failure
from secure_msg.web.limits import BODY_LIMIT, CONNECTIONS_OF_ONE, address_key
from secure_msg.web.metrics import EXTENSION as METRICS
from secure_msg.web.outer import secured
from secure_msg.web.realtime import EXTENSION, Realtime

SEND_SECONDS = 5.0
# What requests that have begun may take once the server ends; gunicorn.conf.py gives the rest of
# its grace to what is put into files.
LAST_SECONDS = 2.0


# More of a refused body than this is not read in search of the next request.
UNREAD_BYTES = 64 * 1024
LINGER_SECONDS = 5.0


class UnknownLength(Exception):
    """A body in chunks, which cost far more to read than to send."""


class TooLong(Exception):
    """A body that no route reads, and that would have to be read to its end all the same."""


class Worker(GeventWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open_of: Counter[str] = Counter()
        self._open: set[Any] = set()
        self._busy: set[Any] = set()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """One connection, unless its address has too many: idle ones would shut out the others."""
        address = address_key(addr[0])
        most = self.wsgi.config[CONNECTIONS_OF_ONE]
        if most and self._open_of[address] >= most:
            client.close()
            return
        self._open_of[address] += 1
        try:
            self._open.add(client)
            with self.wsgi.extensions[METRICS].connections.track_inprogress():
                super().handle(listener, client, addr)
        finally:
            self._open.discard(client)
            self._open_of[address] -= 1
            if not self._open_of[address]:
                del self._open_of[address]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """One of possibly many that wait in this connection: others have their turn in between."""
        reader = req.body.reader
        if isinstance(reader, ChunkedReader):
            raise UnknownLength
        if isinstance(reader, LengthReader) and reader.length > BODY_LIMIT:
            raise TooLong
        gevent.sleep(0)
        self._busy.add(sock)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._busy.discard(sock)
        if isinstance(reader, LengthReader) and reader.length > UNREAD_BYTES:
            _linger(sock)
            # To gunicorn: the connection ends.
            raise StopIteration

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """SIGTERM."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._let_go)

    def _let_go(self) -> None:
        """Open connections would keep the worker until it is killed, with its files unfinished."""
        live = self.wsgi.extensions.get(EXTENSION) if self.wsgi is not None else None
        if isinstance(live, Realtime):
            live.close_all()
        _hang_up(self._open - self._busy)
        gevent.sleep(LAST_SECONDS)
        _hang_up(self._open)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers what never reached the application; nothing of it is repeated."""
        problem, status = _problem(exc)
        self.wsgi.extensions[METRICS].refused(problem.kind)
        response = unparsed(problem, status)
        try:
            with gevent.Timeout(SEND_SECONDS):
                client.sendall(response)
        except (OSError, gevent.Timeout):
            return


def _linger(client: Any) -> None:
    """Take what is still on its way, so that the peer comes to read its answer.

    gunicorn would read it to its end in small pieces, and nobody else had a turn meanwhile.
    """
    left = BODY_LIMIT
    with suppress(OSError, gevent.Timeout), gevent.Timeout(LINGER_SECONDS):
        client.shutdown(socket.SHUT_WR)
        while left > 0 and (data := client.recv(UNREAD_BYTES)):
            left -= len(data)
            gevent.sleep(0)


def _hang_up(connections: set[Any]) -> None:
    """For both directions, by another descriptor: who waits there meets an ordinary end."""
    for client in tuple(connections):
        with suppress(OSError), client.dup() as same:
            same.shutdown(socket.SHUT_RDWR)


class QuietLogger(Logger):  # type: ignore[misc]
    """gunicorn's own events, through the one formatter of the root logger."""

    def setup(self, cfg: Any) -> None:
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        # On its debug level it would repeat the paths, and ids in them, that are asked for.
        self.error_log.setLevel(max(logging.INFO, logging.getLogger().level))
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.disabled = True

    def reopen_files(self) -> None:
        return


def unparsed(problem: Problem, status: HTTPStatus) -> bytes:
    """The response to a request that gunicorn could not read."""
    body = problem.body()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines.extend(f"{name}: {value}" for name, value in secured(headers, https=False))
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _problem(error: BaseException) -> tuple[Problem, HTTPStatus]:
    if isinstance(error, LimitRequestLine):
        return Problem("malformed", "line"), HTTPStatus.REQUEST_URI_TOO_LONG
    if isinstance(error, LimitRequestHeaders):
        return Problem("malformed", "headers"), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    if isinstance(error, UnknownLength):
        return Problem("malformed", "length"), HTTPStatus.LENGTH_REQUIRED
    if isinstance(error, TooLong):
        return Problem("too-large"), HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    own_fault = isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName)
    if isinstance(error, ParseException) and not own_fault:
        return Problem("malformed"), HTTPStatus.BAD_REQUEST
    if isinstance(error, Exception):
        log_failure(error)
    return Problem("internal"), HTTPStatus.INTERNAL_SERVER_ERROR
