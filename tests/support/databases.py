"""PostgreSQL and Redis for tests: real servers of the tests' own, on free ports.

A server that happens to run is never used. As root they run as another user, which PostgreSQL asks.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import redis

START_SECONDS = 30.0


class NoServer(Exception):
    """A server that the tests need is not installed or does not start; the text says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, package: str) -> str:
    """The path of a server's program, also where Debian keeps it off PATH."""
    found = shutil.which(name)
    if found is None:
        installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        found = str(installed[-1]) if installed else None
    if found is None:
        raise NoServer(f"{name} is not installed; on Debian: apt-get install {package}")
    return found


def unprivileged() -> pwd.struct_passwd | None:
    """Whom to run servers as; None: as ourselves."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


class Daemon:
    """A server process in a folder of its own, which goes with it."""

    def __init__(self) -> None:
        # Unix sockets have short paths, and the tests' own temporary folders long ones.
        self.folder = Path(tempfile.mkdtemp(prefix="secure-msg-db-"))
        self.port = free_port()
        self.user = unprivileged()
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command, check=False, capture_output=True, user=self._uid, cwd=self.folder
        )
        if done.returncode:
            raise NoServer(f"{command[0]} failed: {done.stderr.decode(errors='replace')}")

    def launch(self, *command: str, answers: Callable[[], object]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                user=self._uid,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                answers()
            except (psycopg.Error, redis.RedisError) as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    said = (self.folder / "log").read_text(errors="replace")
                    raise NoServer(f"{command[0]} does not start: {said}") from error
                time.sleep(0.05)
            else:
                return

    def end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def remove(self) -> None:
        self.end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _uid(self) -> int | None:
        return None if self.user is None else self.user.pw_uid


class Postgres(Daemon):
    def __init__(self) -> None:
        super().__init__()
        data = self.folder / "data"
        options = ("-U", "secure_msg", "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
        self.run(program("initdb", "postgresql"), "-D", str(data), *options)
        self.made = 0
        self.start()

    def start(self) -> None:
        self.launch(
            program("postgres", "postgresql"),
            *("-D", str(self.folder / "data"), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"),
            *("-c", "max_connections=200"),
            answers=lambda: psycopg.connect(self.url("postgres")).close(),
        )

    def url(self, database: str) -> str:
        return f"postgresql://secure_msg:a-secret@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        self.made += 1
        name = f"test_{self.made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def emptied_database(self) -> str:
        """The URL of the one database that tests share, one after the other."""
        if not self.made:
            self.new_database()
        with psycopg.connect(self.url("test_1"), autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS securemsg CASCADE")
        return self.url("test_1")

    def stop(self) -> None:
        """At once, as when the machine goes down in order: sessions end with an error."""
        self.end(signal.SIGINT)


class Redis(Daemon):
    def __init__(self) -> None:
        super().__init__()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.launch(
            program("redis-server", "redis-server"),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"),
            str(self.folder),
            answers=lambda: redis.Redis(port=self.port).ping(),
        )

    def stop(self) -> None:
        self.end(signal.SIGTERM)
