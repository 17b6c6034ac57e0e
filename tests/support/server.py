"""A real server process for tests: started on a free port, killed, started again.

with ServerProcess(folder) as server:
    server.base            # "http://127.0.0.1:43121"
    server.kill(); server.start()
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_ADDRESS = re.compile(r"listening at (http://\S+)")


class ServerFailed(Exception):
    """The server did not start; the text is what it said."""


class ServerProcess:
    """`python app.py` over a storage folder of the test's own, with rate limits out of the way.

    `settings` are SECURE_MSG_ names without the prefix, as {"REGISTRATION": "closed"}. `command`
    replaces the interpreter's command line, for a tracer in front of it.
    """

    def __init__(
        self,
        storage: Path,
        settings: Mapping[str, str] | None = None,
        command: tuple[str, ...] = (sys.executable,),
    ) -> None:
        self.storage = storage
        self.settings = {"RATE_FACTOR": "1000", **(settings or {})}
        self.log = storage.with_name(storage.name + ".log")
        self.base = ""
        self._command = command
        self._port = "0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> str:
        """The base URL; the same port again after the first start. Raises ServerFailed."""
        if self._process is not None:
            raise RuntimeError("the server runs already")
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, str(ROOT / "app.py")],
                cwd=ROOT,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.base = self._await_address(before)
        self._port = self.base.rpartition(":")[2]
        return self.base

    def stop(self) -> None:
        """SIGTERM, and wait until all is written; kills what does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_group(process)

    def kill(self) -> None:
        """SIGKILL to all of it at once, as when the power goes."""
        process, self._process = self._process, None
        if process is not None:
            self._kill_group(process)

    def restart(self) -> str:
        self.stop()
        return self.start()

    def output(self) -> str:
        """All that it has printed and logged so far."""
        return self.log.read_text(errors="replace")

    @property
    def process_id(self) -> int:
        """Of the master; the worker is in the same session. Raises RuntimeError."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SECURE_MSG_")}
        own = {"STORAGE": str(self.storage), "HOST": "127.0.0.1", "PORT": self._port}
        own.update(self.settings)
        return {**inherited, **{f"SECURE_MSG_{name}": value for name, value in own.items()}}

    def _await_address(self, before: int) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with self.log.open("rb") as log:
                log.seek(before)
                said = log.read().decode(errors="replace")
            found = _ADDRESS.search(said)
            if found is not None:
                return found.group(1)
            if not self.running:
                self._process = None
                raise ServerFailed(said)
            time.sleep(0.05)
        self.kill()
        raise ServerFailed("no address within the time")

    def _kill_group(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
