"""In front of /socket: who may open a socket is settled before it exists."""

from __future__ import annotations

from collections.abc import Iterable

from secure_msg.accounts.sessions import SignedIn
from secure_msg.web.errors import Problem, WebProblem
from secure_msg.web.origins import Origins
from secure_msg.web.outer import Environ, StartResponse, Wsgi, note
from secure_msg.web.realtime import Realtime
from secure_msg.web.services import Services
from secure_msg.web.sessions import who_connects
from secure_msg.web.sockets import NoHandshake

PATH = "/socket"


class Gate:
    def __init__(self, app: Wsgi, services: Services, origins: Origins, live: Realtime) -> None:
        self._app = app
        self._services = services
        self._origins = origins
        self._live = live

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "") != PATH:
            return self._app(environ, start_response)
        note(environ, "route", PATH)
        note(environ, "room", "socket")
        try:
            who = self._who_opens(environ)
            # Returns when the socket ends.
            self._live.serve(environ, who)
        except WebProblem as refused:
            return _answer(refused.problem, environ, start_response)
        except NoHandshake:
            return _answer(Problem("malformed", "websocket"), environ, start_response)
        # To gunicorn: the connection was taken over, and there is no response.
        raise StopIteration

    def _who_opens(self, environ: Environ) -> SignedIn:
        """Raises WebProblem."""
        upgrades = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        if environ["REQUEST_METHOD"] != "GET" or not upgrades:
            raise WebProblem("malformed", "websocket")
        if not self._origins.ours_by_name(environ):
            raise WebProblem("cross-site", "origin")
        who = who_connects(self._services, environ)
        if who is None:
            raise WebProblem("not-signed-in")
        if who.recovering:
            raise WebProblem("refused", "recovering")
        note(environ, "account", who.account[:4].hex())
        return who


def _answer(problem: Problem, environ: Environ, start_response: StartResponse) -> list[bytes]:
    note(environ, "problem", problem.kind)
    body = problem.body()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
    ]
    start_response(f"{problem.status} {problem.kind}", headers)
    return [body]
