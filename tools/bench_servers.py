"""Bare servers that `make bench` takes as floors, and the room that threads of two do not show.

Each is a function for gunicorn ("bench_servers:websocket_echo()"), served as the product is: the
gevent worker, one process.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

ROOT = Path(__file__).resolve().parent.parent
MESSAGE_LIMIT = 16 * 1024 * 1024
RECEIVE_BYTES = 64 * 1024
START_SECONDS = 60.0
STOP_SECONDS = 10.0

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def socketio_echo() -> Any:
    """Flask-SocketIO as it comes, on gevent."""
    from flask import Flask  # noqa: PLC0415  the other floors shall not pay for it
    from flask_socketio import SocketIO  # noqa: PLC0415

    app = Flask("floor")
    io: Any = SocketIO(  # type: ignore[no-untyped-call]
        app, async_mode="gevent", transports=["websocket"], http_compression=False
    )
    io.on_event("echo", lambda data: data)
    return app


def websocket_echo() -> Wsgi:
    def serve(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        tcp, protocol = accepted(environ)
        for message in messages(tcp, protocol):
            protocol.send_binary(message)
            tcp.sendall(b"".join(protocol.data_to_send()))
        raise StopIteration

    return serve


def fan_out() -> Wsgi:
    """What anybody says is told to everybody, framed once for all."""
    here: dict[int, Any] = {}

    def serve(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        tcp, protocol = accepted(environ)
        here[id(tcp)] = tcp
        try:
            for message in messages(tcp, protocol):
                data = Frame(Opcode.BINARY, message).serialize(mask=False)
                for other in tuple(here.values()):
                    other.sendall(data)
        finally:
            del here[id(tcp)]
        raise StopIteration

    return serve


def accepted(environ: dict[str, Any]) -> tuple[Any, ServerProtocol]:
    from secure_msg.web.sockets import handshake  # noqa: PLC0415

    tcp = environ["gunicorn.socket"]
    tcp.sendall(handshake(environ))
    return tcp, ServerProtocol(state=OPEN, max_size=MESSAGE_LIMIT)


def messages(tcp: Any, protocol: ServerProtocol) -> Iterator[bytes]:
    try:
        while data := tcp.recv(RECEIVE_BYTES):
            protocol.receive_data(data)
            for frame in protocol.events_received():
                if isinstance(frame, Frame) and frame.opcode is Opcode.BINARY:
                    yield bytes(frame.data)
    except OSError:
        return


class Running:
    """A floor's server: its address, and the processor time of its worker so far."""

    def __init__(self, base: str, master: int) -> None:
        self.base = base
        self._master = master

    def busy(self) -> float:
        """Seconds of processor time."""
        return busy_seconds(self._master)


@contextmanager
def serving(app: str, log: Path, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """`app` is a function of this module, or "module:function()"."""
    name = app if ":" in app else f"bench_servers:{app}()"
    command = [sys.executable, "-m", "gunicorn", "-c", "/dev/null", "-k", "gevent", "-w", "1"]
    command += ["--bind", "127.0.0.1:0", "--no-control-socket", "--worker-connections", "4096"]
    command += ["--graceful-timeout", "1", "--pythonpath", f"{ROOT},{ROOT / 'tools'}", name]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Running(_address(process, log), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = log.read_text(errors="replace")
        found = re.search(r"Listening at: (http://\S+)", said)
        if found is not None and "Booting worker" in said:
            return found.group(1)
        time.sleep(0.05)
    raise RuntimeError(f"a bare server did not start: {log.read_text(errors='replace')[-2_000:]}")


def processes_of(session: int) -> list[Path]:
    """The /proc folders of a session's processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == session:
                    found.append(entry)
            except ProcessLookupError:
                continue
    return found


def busy_seconds(session: int) -> float:
    """Processor time of all processes of a session."""
    ticks = 0
    for entry in processes_of(session):
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(session: int) -> int:
    """Of the largest process of a session, which is the worker."""
    page = os.sysconf("SC_PAGE_SIZE")
    return max(
        int((entry / "statm").read_text().split()[1]) * page for entry in processes_of(session)
    )
