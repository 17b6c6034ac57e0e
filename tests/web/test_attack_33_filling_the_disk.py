"""Attack 33: somebody fills the disk, a really small file system under the whole server.

What one account may store at all is in test_web_limits.py (`test_attack_33_…`).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from shutil import disk_usage
from time import sleep

import pytest

from secure_msg.codec.http import EntriesPage, PrivateList, Refusal, TransactRequest, TransactResult
from secure_msg.store.serverkeys import open_keys
from secure_msg.store.verify import verify
from tests.support.api import Api, OverNetwork
from tests.support.people import Person, put
from tests.support.server import ServerProcess
from tests.support.sockets import Live

SIZE_MIB, FLOOR_MIB = 32, 8
ATTEMPTS = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of SIZE_MIB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = mount(folder, f"size={SIZE_MIB}m")
    if mounted.returncode:
        pytest.skip("mounting a file system needs root: " + mounted.stderr.strip())
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(folder: Path, options: str) -> subprocess.CompletedProcess[str]:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        return subprocess.CompletedProcess(command, 1, "", str(missing))


def take_the_rest(folder: Path) -> Path:
    """A file over all that is free."""
    foreign = folder / "somebody-else-s"
    with foreign.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    assert disk_usage(folder).free == 0
    return foreign


def enlarge(folder: Path) -> None:
    assert mount(folder, f"remount,size={4 * SIZE_MIB}m").returncode == 0


def fill(live: Live) -> int:
    """Private files until one is refused; how many were taken."""
    for number in count():
        answer = live.transact(TransactRequest((), (put(f"fill-{number}", size=1_000_000),)))
        if isinstance(answer, Refusal):
            assert (answer.status, answer.kind) == (507, "storage-full")
            assert answer.retry_after
            return number
        assert number < SIZE_MIB, "the disk is never full"
    raise AssertionError


def until_taken(live: Live, request: TransactRequest) -> TransactResult:
    """What a client does: ask again, the same, as long as there is no room."""
    for _ in range(ATTEMPTS):
        answer = live.transact(request)
        if isinstance(answer, TransactResult):
            return answer
        assert answer.kind == "storage-full"
        sleep(0.3)
    raise AssertionError("it does not recover")


def sizes(api: Api) -> list[int]:
    return [item.size for item in api.get("/api/private").record(PrivateList).files]


def test_attack_33_a_full_disk_is_said_and_passes(small_disk):
    """Reads go on, sends get a clear answer, and all works again by itself once there is room."""
    settings = {"DISK_FLOOR_MIB": str(FLOOR_MIB)}
    with ServerProcess(small_disk / "storage", settings) as server:
        alice_api, alice = Api(OverNetwork(server.base)), Person("full-alice")
        alice_api.register(alice)
        bob_api, bob = Api(OverNetwork(server.base)), Person("full-bob")
        bob_api.register(bob)
        hog_api = Api(OverNetwork(server.base))
        hog_api.register(Person("full-hog"))
        thread, session = alice_api.begin_conversation(alice, bob)
        page = f"/api/threads/{thread.hex()}/entries?start=0&count=10"

        with Live(hog_api) as hog, Live(alice_api) as mine:
            taken = fill(hog)
            # What is refused for its size may leave room for less: somebody takes that, too.
            take_the_rest(small_disk)
            send = TransactRequest((alice.message(thread, session, seen=4),), ())

            refused = mine.transact(send)
            assert isinstance(refused, Refusal)
            assert (refused.status, refused.kind) == (507, "storage-full")
            assert alice_api.transact(send.appends).kind == "storage-full"
            assert sizes(hog_api) == [1_000_000] * taken
            assert len(bob_api.get(page).record(EntriesPage).entries) == 4
            assert alice_api.get("/healthz").json["status"] == "full"
            assert b"secure_msg_full 1.0" in alice_api.get("/metrics").body
            assert Api(OverNetwork(server.base)).sign_in(bob).kind == "storage-full"

            enlarge(small_disk)
            until_taken(mine, send)
            assert until_taken(mine, send).repeat
            assert alice_api.get("/healthz").json["status"] == "ok"
            assert len(bob_api.get(page).record(EntriesPage).entries) == 5
            assert isinstance(hog.transact(TransactRequest((), (put("more"),))), TransactResult)

        server.kill()
        server.start()
        assert len(bob_api.get(page).record(EntriesPage).entries) == 5
        assert len(sizes(hog_api)) == taken + 1
        server.stop()
        assert verify(server.storage, open_keys(server.storage, None)).clean


def test_attack_33_without_a_byte_left_reads_go_on(small_disk):
    """Somebody else's file takes even what the server keeps free for itself."""
    settings = {"DISK_FLOOR_MIB": str(FLOOR_MIB)}
    with ServerProcess(small_disk / "storage", settings) as server:
        api = Api(OverNetwork(server.base))
        api.register(Person("no-byte"))
        assert api.transact((), (put("kept", size=100_000),)).status == 200
        foreign = take_the_rest(small_disk)
        with Live(api) as live:
            assert api.transact((), (put("more"),)).kind == "storage-full"
            assert sizes(api) == [100_000]
            assert api.get(f"/api/private/{put('kept').path.hex()}").status == 200
            foreign.unlink()
            until_taken(live, TransactRequest((), (put("more"),)))
        server.restart()
        assert sorted(sizes(api)) == [1_024, 100_000]
