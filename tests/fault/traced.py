"""A whole server in one process, whose system calls can be made to fail one at a time.

    with TracedServers(folder) as servers:
        calls = servers.run("send", Fault())          # which calls there are
        servers.run("send", Fault("main", "openat", 3, "EIO"))

A nursery process has imported everything and made the folder that each server begins with; it forks
a server for each run. strace is attached to one thread of it, after all preparations.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CALLS = (
    *("openat", "pwrite64", "pwritev", "fsync", "fdatasync", "syncfs", "sync_file_range"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"),
    *("truncate", "ftruncate", "fallocate"),
)
ACTIONS = ("send", "registration", "sign-in")
KILL = "KILL"
PR_SET_PTRACER = 0x59616D61
PTRACER_ANY = ctypes.c_ulong(-1)


class NotTraceable(Exception):
    """strace is not here, or may not attach; the text says which."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The `number`th `call` of a thread ("main" or "committer") fails with `error`, or kills."""

    thread: str = ""
    call: str = ""
    number: int = 0
    error: str = ""

    def option(self) -> list[str]:
        if not self.call:
            return []
        how = "signal=KILL" if self.error == KILL else f"error={self.error}"
        return ["-e", f"inject={self.call}:{how}:when={self.number}"]


@dataclass(slots=True)
class Run:
    """What became of one action. `size` is that of the log when it was acknowledged."""

    status: int = 0
    kind: str = ""
    size: int = 0
    flushed: str = ""
    killed: bool = False
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    injected: bool = False

    @property
    def acknowledged(self) -> bool:
        return 200 <= self.status < 300


class TracedServers:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def __enter__(self) -> TracedServers:
        """Raises NotTraceable."""
        if shutil.which("strace") is None:
            raise NotTraceable("strace is not installed")
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.traced", str(self._folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._nursery:
            assert self._nursery.stdin is not None
            self._nursery.stdin.close()

    def run(self, action: str, fault: Fault) -> tuple[Run, Path]:
        """One action on a fresh copy of the folder, which is left as the process left it."""
        self._count += 1
        folder = self._folder / str(self._count)
        self._say([str(folder), action])
        threads: dict[str, int] = self._hear()["threads"]
        chosen = threads if not fault.thread else {fault.thread: threads[fault.thread]}
        log = folder.with_name(folder.name + ".strace")
        tracer = _attach(chosen, fault, log)
        self._say("go")
        run = self._follow()
        tracer.wait()
        named = {number: name for name, number in chosen.items()}
        run.calls, run.injected = _read_log(log, named)
        log.unlink()
        return run, folder

    def _follow(self) -> Run:
        run = Run()
        while "ended" not in (said := self._hear()):
            for name, value in said.items():
                setattr(run, name, value)
        run.killed = said["ended"] != 0
        return run

    def _say(self, value: Any) -> None:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(value) + "\n")
        self._nursery.stdin.flush()

    def _hear(self) -> Any:
        assert self._nursery.stdout is not None
        return json.loads(self._nursery.stdout.readline())


def _attach(threads: dict[str, int], fault: Fault, log: Path) -> subprocess.Popen[str]:
    """Raises NotTraceable."""
    wanted = [option for number in threads.values() for option in ("-p", str(number))]
    command = ["strace", "-o", str(log), "-e", "trace=" + ",".join(f"?{one}" for one in CALLS)]
    tracer = subprocess.Popen(
        [*command, *fault.option(), *wanted], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    for _ in threads:
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.kill()
            tracer.wait()
            raise NotTraceable(f"strace may not attach here: {said.strip()}")
    return tracer


_CALL = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")


def _read_log(log: Path, threads: dict[int, str]) -> tuple[Counter[tuple[str, str]], bool]:
    """(how often each thread made each call, whether the fault was met)"""
    calls: Counter[tuple[str, str]] = Counter()
    text = log.read_text(errors="replace")
    only = next(iter(threads.values())) if len(threads) == 1 else ""
    for line in text.splitlines():
        found = _CALL.match(line)
        if found is not None:
            calls[threads.get(int(found[1] or 0), only), found[2]] += 1
    return calls, "(INJECTED)" in text or "killed by SIGKILL" in text


# From here on: what runs in the nursery and in the servers that it forks.


def _nurse(root: Path) -> None:
    from secure_msg.bootstrap import build  # noqa: PLC0415 - the test's own process needs none of it
    from secure_msg.store import background  # noqa: PLC0415
    from secure_msg.store.files import run_here  # noqa: PLC0415
    from tests.support.api import Api, InProcess  # noqa: PLC0415
    from tests.support.people import Person  # noqa: PLC0415
    from tests.web.conftest import settings_for  # noqa: PLC0415

    background.FLUSH_SECONDS = 3600.0  # a flush comes when it is asked for, in the main thread
    template = root / "template"
    alice, bob = Person("alice"), Person("bob")
    server = build(settings_for(template), offload=run_here)
    for person in (alice, bob):
        Api(InProcess(server.web.flask)).register(person)
    server.close()

    def prepare(api: Api, action: str) -> Callable[[], Any]:
        if action == "registration":
            carol = Person("carol")
            api.session()
            return lambda: api.register(carol)
        api.sign_in(alice)
        if action == "sign-in":
            return lambda: api.sign_in(bob)
        thread, session = api.begin_conversation(alice, bob)
        return lambda: api.transact((alice.message(thread, session),))

    def serve(folder: Path, action: str) -> None:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, PTRACER_ANY, 0, 0, 0)
        server = build(settings_for(folder), offload=run_here)
        transport = InProcess(server.web.flask)
        act = prepare(Api(transport), action)
        server.store.flush()
        _tell(threads={one: number for one, number in _threads() if one in ("main", "committer")})
        _told()
        answered = _answer_of(act, transport)
        _tell(status=answered[0], kind=answered[1], size=server.store.stats().log_size)
        try:
            server.store.flush()
            _tell(flushed="ok")
        except Exception as error:  # noqa: BLE001 - told to the test
            _tell(flushed=type(error).__name__)

    while line := _told():
        folder, action = json.loads(line)
        shutil.copytree(template, folder)
        (Path(folder) / "server" / "seal.key").chmod(0o600)
        pid = os.fork()
        if not pid:
            code = 1
            try:
                serve(Path(folder), action)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        _tell(ended=status)


def _threads() -> list[tuple[str, int]]:
    """(name, number); the main thread's own note of its number is from before the fork."""
    others = [(one.name, one.native_id or 0) for one in threading.enumerate()]
    return [*others, ("main", threading.get_native_id())]


def _answer_of(act: Callable[[], Any], transport: Any) -> tuple[int, str]:
    """(status, problem kind) of the last changing request, whatever the client made of it."""
    answers: list[Any] = []
    send = transport.send

    def kept(*arguments: Any) -> Any:
        answers.append(send(*arguments))
        return answers[-1]

    transport.send = kept
    with suppress(AssertionError):  # the client did not like the answer; the test judges it
        act()
    return (answers[-1].status, answers[-1].kind) if answers else (0, "")


def _told() -> bytes:
    """The next line of standard input, and no byte more: the rest is for another process."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _tell(**values: Any) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    _nurse(Path(sys.argv[1]))
