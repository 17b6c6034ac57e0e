"""A flood from a process of its own, which can be held and let go on.

python -m tests.support.flood BASE KIND CONNECTIONS
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType

from secure_msg.codec.fields import to_base64url
from tests.support.api import COOKIE, JSON, Api, OverNetwork
from tests.support.server import ROOT

KEY = to_base64url(b"k" * 32)
BODIES = {
    "log-ins": json.dumps({"name": "honest", "login_key": KEY}).encode(),
    "unknown log-ins": json.dumps({"name": "nobody-here", "login_key": KEY}).encode(),
    "passwords of 1 MB": json.dumps({"name": "honest", "login_key": "x" * 1_000_000}).encode(),
}


class Flood:
    """Held at first. It has the lowest priority: the machine's processors are not what it takes."""

    def __init__(self, base: str, kind: str, connections: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.flood", base, kind, str(connections)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"flooding\n"
        self.hold()

    def hold(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Flood:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def flood(base: str, body: bytes) -> None:
    """One connection, which asks as fast as it is answered, and comes again when it is closed."""
    api = Api(OverNetwork(base))
    api.session()
    headers = {
        "Cookie": f"{COOKIE}={api.transport.cookie()}",
        "X-CSRF-Token": api.csrf,
        "Origin": base,
        "Content-Type": JSON,
    }
    connection = http.client.HTTPConnection(base.removeprefix("http://"))
    while True:
        try:
            connection.request("POST", "/api/sign-in", body, headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()


def main() -> None:
    base, kind, connections = sys.argv[1:]
    with suppress(AttributeError):
        os.nice(19)
    for _ in range(int(connections)):
        threading.Thread(target=flood, args=(base, BODIES[kind]), daemon=True).start()
    print("flooding", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
