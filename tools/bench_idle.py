"""What an idle client costs: resident memory before and after they connected."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench_clients import opened
from bench_people import served, socket_of
from bench_servers import resident_bytes

from secure_msg.web.realtime import MAX_SOCKETS
from tests.support.api import Api, OverNetwork
from tests.support.people import Person

SETTLE_SECONDS = 2.0


def run(folder: Path, clients: int) -> dict[str, Any]:
    """Each account has as many sockets as it may."""
    with served(folder / "idle") as server:
        apis = [Api(OverNetwork(server.base)) for _ in range(-(-clients // MAX_SOCKETS))]
        for number, api in enumerate(apis):
            api.register(Person(f"idle-{number}"))
        time.sleep(SETTLE_SECONDS)
        before = resident_bytes(server.process_id)
        sockets = [opened(server.base, socket_of(apis[at % len(apis)])) for at in range(clients)]
        time.sleep(SETTLE_SECONDS)
        after = resident_bytes(server.process_id)
        for tcp in sockets:
            tcp.close()
    return {
        "clients": clients,
        "before_mib": before / 2**20,
        "after_mib": after / 2**20,
        "kb_each": (after - before) / clients / 1_000,
    }
