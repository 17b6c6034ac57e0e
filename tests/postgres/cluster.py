"""Two server processes on one database and one Redis."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.databases import Redis
from tests.support.server import ServerProcess

EPOCH = re.compile(r"this process is the sequencer, epoch (\d+)")


class Cluster:
    """Two server processes with the same keys, one database and one Redis."""

    def __init__(self, folder: Path, url: str, redis_server: Redis) -> None:
        self.folder, self.url = folder, url
        settings = {"DATABASE_URL": url, "REDIS_URL": redis_server.url}
        self.processes = []
        for name in ("one", "two"):
            process = ServerProcess(folder / "storage", settings)
            process.log = folder / f"{name}.log"
            process.start()
            self.processes.append(process)

    def epoch(self, process: ServerProcess) -> int:
        """The last one in which this process was the sequencer, by what it says."""
        return max((int(found) for found in EPOCH.findall(process.output())), default=0)

    def sequencer(self) -> ServerProcess:
        return max(self.processes, key=self.epoch)

    def other(self) -> ServerProcess:
        return min(self.processes, key=self.epoch)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()


@contextmanager
def stopped(cluster: Cluster) -> Iterator[ServerProcess]:
    """The sequencer, stopped, once the other one has taken its office; then it goes on."""
    paused, other = cluster.sequencer(), cluster.other()
    os.killpg(paused.process_id, signal.SIGSTOP)
    try:
        until(lambda: cluster.epoch(other) > cluster.epoch(paused))
        yield paused
    finally:
        os.killpg(paused.process_id, signal.SIGCONT)


def until(holds: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
