"""Refusals to one address follow each other at a distance: a flood waits for itself.

A refusal costs as much as many an answer. Who comes again at once would take the turns of others,
from as many connections as it has; spaced, all of them together get so many a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any

import gevent

from secure_msg.web.limits import address_key
from secure_msg.web.outer import Environ, StartResponse, Wsgi

PACED = ("413", "429")
SPACING_SECONDS = 0.1
LONGEST_SECONDS = 5.0
MOST_ADDRESSES = 10_000


class Pace:
    """When the next refusal of an address is due; `factor` is that of all rates."""

    def __init__(self, factor: int) -> None:
        self._spacing = SPACING_SECONDS / factor
        self._due: dict[str, float] = {}

    def wait(self, address: str, now: float) -> float:
        """Seconds, none for the first one."""
        if len(self._due) >= MOST_ADDRESSES:
            self._due = {one: due for one, due in self._due.items() if due > now}
        due = min(max(now, self._due.get(address, now)), now + LONGEST_SECONDS)
        self._due[address] = due + self._spacing
        return due - now


class Paced:
    """The WSGI layer that holds such answers back; their connections wait with them."""

    def __init__(self, app: Wsgi, factor: int) -> None:
        self._app = app
        self._pace = Pace(factor)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        status = ""

        def start(line: str, *rest: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, *rest)

        answer = self._app(environ, start)
        if status in PACED:
            address = address_key(str(environ.get("REMOTE_ADDR", "")))
            gevent.sleep(self._pace.wait(address, monotonic()))
        return answer
