"""More requests than the queue holds: a clear answer at once, nothing stored, and room again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from secure_msg.bootstrap import build
from tests.support.api import Answer, Api, InProcess
from tests.support.people import Person, put
from tests.web.conftest import settings_for

PATIENCE_SECONDS = 60.0


def test_a_full_queue_answers_busy_and_when_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_msg.store.sequencer.QUEUE_LIMIT", 2)
    slow, inside, go_on = threading.Event(), threading.Event(), threading.Event()

    def offload(work: Callable[[], Any]) -> Any:
        if slow.is_set() and threading.current_thread().name == "committer":
            inside.set()
            assert go_on.wait(30)
        return work()

    server = build(settings_for(tmp_path / "storage"), offload=offload)
    api = Api(InProcess(server.web.flask))
    api.register(Person("alice"))
    size = server.store.stats().log_size
    slow.set()

    def save(number: int) -> Answer:
        mine = Api(InProcess(server.web.flask))
        mine.transport.set_cookie(api.transport.cookie())
        mine.csrf = api.csrf
        return mine.transact(puts=(put(f"file {number}"),))

    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(save, 0)]
        assert inside.wait(30)
        answers += [pool.submit(save, number) for number in range(1, 12)]
        until(lambda: sum(one.done() for one in answers) >= 9)
        go_on.set()
        results = [one.result(30) for one in answers]
    busy = [one for one in results if one.status == 503]
    assert len(busy) >= 9
    assert {one.kind for one in busy} == {"busy"}
    assert {one.headers["retry-after"] for one in busy} == {"1"}
    assert all(one.status == 200 for one in results if one not in busy)
    slow.clear()
    for number, result in enumerate(results):
        assert save(number).status == (409 if result.status == 200 else 200)
    assert server.store.stats().log_size > size
    server.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
