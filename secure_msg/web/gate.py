"""In front of /socket.io: who may open a socket is settled before it exists."""

from __future__ import annotations

from collections.abc import Iterable

from secure_msg.web.errors import Problem
from secure_msg.web.origins import Origins
from secure_msg.web.outer import Environ, StartResponse, Wsgi, note
from secure_msg.web.realtime import WHO, Realtime
from secure_msg.web.services import Services
from secure_msg.web.sessions import who_connects
from secure_msg.web.sockets import LINE

PATH = "/socket.io"


class Gate:
    def __init__(self, app: Wsgi, services: Services, origins: Origins, live: Realtime) -> None:
        self._app = app
        self._services = services
        self._origins = origins
        self._live = live

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path != PATH and not path.startswith(PATH + "/"):
            return self._app(environ, start_response)
        note(environ, "route", PATH)
        problem = self._problem(environ)
        if problem is None:
            # Returns when the socket ends.
            with self._live.held(environ[WHO]) as environ[LINE]:
                return self._app(environ, start_response)
        body = problem.body()
        headers = [
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
        ]
        start_response(f"{problem.status} {problem.kind}", headers)
        return [body]

    def _problem(self, environ: Environ) -> Problem | None:
        upgrades = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        if environ["REQUEST_METHOD"] != "GET" or not upgrades:
            return Problem("malformed", "websocket")
        if not self._origins.ours_by_name(environ):
            return Problem("cross-site", "origin")
        who = who_connects(self._services, environ)
        if who is None:
            return Problem("not-signed-in")
        if who.recovering:
            return Problem("refused", "recovering")
        environ[WHO] = who
        note(environ, "account", who.account[:4].hex())
        return None
