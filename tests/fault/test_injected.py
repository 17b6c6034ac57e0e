"""Each system call of a send, a registration and a sign-in fails once, under strace."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_msg.store.serverkeys import open_keys
from secure_msg.store.verify import verify
from tests.fault.traced import ACTIONS, KILL, Fault, NotTraceable, Run, TracedServers
from tests.support.effort import amount, fresh_seed, full

ERRORS = ("EIO", "ENOSPC", KILL)
SYNCS = ("fsync", "fdatasync", "syncfs")
QUICK = 12


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedServers]:
    root = tmp_path_factory.mktemp("traced")
    try:
        with TracedServers(root) as servers:
            servers.run("sign-in", Fault())
            yield servers
    except NotTraceable as reason:
        pytest.skip(f"System calls cannot be made to fail here: {reason}.")


def faults_of(servers: TracedServers, action: str) -> list[Fault]:
    run, folder = servers.run(action, Fault())
    assert run.acknowledged
    assert run.flushed == "ok"
    shutil.rmtree(folder)
    counts = {key: count for key, count in run.calls.items() if key[0]}
    assert counts["committer", "fdatasync"] >= 1
    return [
        Fault(thread, call, number, error)
        for (thread, call), count in sorted(counts.items())
        for number in range(1, count + 1)
        for error in ERRORS
    ]


def check(fault: Fault, run: Run, folder: Path) -> None:
    """No acknowledgement without durability; what is left verifies and opens."""
    assert run.injected, fault
    assert run.killed == (fault.error == KILL), fault
    if fault.call in SYNCS and fault.error != KILL:
        # Whatever a sync says, the store stops at it: what comes after knows of it.
        assert run.flushed == "StorageFailed", fault
    if not run.acknowledged and not run.killed:
        assert run.status >= 500, fault
    report = verify(folder, open_keys(folder, None))
    assert report.clean, (fault, [one.sentence() for one in report.damage])
    if run.acknowledged:
        assert report.log_size >= run.size, fault


def test_no_acknowledgement_without_durability_whatever_call_fails(servers: TracedServers) -> None:
    rng = random.Random(fresh_seed("injected"))
    cases = [(action, fault) for action in ACTIONS for fault in faults_of(servers, action)]
    assert len(cases) > 100
    chosen = cases if full() else rng.sample(cases, amount(QUICK, len(cases)))
    for action, fault in chosen:
        run, folder = servers.run(action, fault)
        check(fault, run, folder)
        shutil.rmtree(folder)
    print(f"{len(chosen)} of {len(cases)} calls failed, one at a time")
