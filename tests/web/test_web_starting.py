"""Starting and ending: what is said, what is refused, what goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep

import pytest

from tests.support.api import Api, OverNetwork
from tests.support.people import Person, put
from tests.support.server import ROOT, ServerFailed, ServerProcess
from tests.support.sockets import Live


def test_the_first_start_says_what_it_made_and_what_to_back_up(tmp_path):
    with ServerProcess(tmp_path / "storage") as server:
        said = server.output()
        assert f"A new server was made in {tmp_path / 'storage'}" in said
        assert "Back up the whole folder" in said
        assert f"SECURE-MSG is listening at {server.base}" in said
        identity = Api(OverNetwork(server.base)).server_id()
        assert identity.hex() in said
        before = len(said)
        server.restart()
        assert "A new server was made" not in server.output()[before:]
        assert Api(OverNetwork(server.base)).server_id() == identity


def test_a_second_process_is_refused_in_a_sentence(tmp_path):
    with ServerProcess(tmp_path / "storage") as first:
        second = ServerProcess(tmp_path / "storage")
        second.log = tmp_path / "second.log"
        with pytest.raises(ServerFailed, match="in use by another process"):
            second.start()
        assert "Traceback" not in second.output()
        assert Api(OverNetwork(first.base)).get("/healthz").status == 200


def test_a_wrong_setting_ends_it_with_a_sentence(tmp_path):
    server = ServerProcess(tmp_path / "storage", {"REGISTRATION": "perhaps"})
    with pytest.raises(ServerFailed, match="SECURE_MSG_REGISTRATION must be one of open, closed"):
        server.start()
    assert "Traceback" not in server.output()
    assert not (tmp_path / "storage").exists()


def test_a_wrong_passphrase_ends_it_with_a_sentence(tmp_path):
    with ServerProcess(tmp_path / "storage", {"PASSPHRASE": "right"}) as server:
        assert "sealed by your passphrase" in server.output()
        assert not (tmp_path / "storage" / "server" / "seal.key").exists()
    wrong = ServerProcess(tmp_path / "storage", {"PASSPHRASE": "wrong"})
    with pytest.raises(ServerFailed, match="the passphrase is wrong"):
        wrong.start()
    assert "right" not in wrong.output().replace("bright", "")


def test_ending_closes_open_sockets_and_keeps_what_was_said(tmp_path):
    with ServerProcess(tmp_path / "storage") as server:
        api = Api(OverNetwork(server.base))
        api.register(Person("stays-on"))
        live = Live(api)
        api.transact((), (put("kept"),))
        server.stop()
        # Said at the end of a worker that ended by itself: one that still waits is killed instead.
        assert "Worker exiting" in server.output()
        live.closed.get(timeout=60)
        server.start()
        assert api.session()["signed_in"]
        assert api.get(f"/api/private/{put('kept').path.hex()}").status == 200


def test_a_worker_that_dies_is_replaced(tmp_path):
    with ServerProcess(tmp_path / "storage") as server:
        api = Api(OverNetwork(server.base))
        api.register(Person("outlives"))
        master = server._process.pid
        workers = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and parent_of(entry) == master
        ]
        assert len(workers) == 1
        os.kill(workers[0], signal.SIGKILL)
        for _ in range(600):
            with suppress(OSError):
                assert Api(OverNetwork(server.base)).get("/healthz").status == 200
                break
            sleep(0.1)
        assert api.session()["signed_in"]


def parent_of(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def test_gunicorn_alone_serves_the_same(tmp_path):
    environment = {
        **os.environ,
        "SECURE_MSG_STORAGE": str(tmp_path / "storage"),
        "SECURE_MSG_PORT": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        base = ""
        while not base:
            line = process.stdout.readline()
            assert line, "gunicorn ended"
            base = line.partition("listening at ")[2].strip()
        api = Api(OverNetwork(base))
        api.register(Person("by-gunicorn"))
        with Live(api) as live:
            assert live.connected
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
