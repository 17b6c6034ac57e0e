"""The benchmark of sending, small: that it runs, checks what it measured, and counts right."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from secure_msg.codec.http import EntriesPage, WireEntry
from secure_msg.codec.proofs import LEAF_SIZE, HeadProof, MapProof
from secure_msg.codec.schema import to_bytes

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))


def test_a_small_run_measures_everything(tmp_path: Path) -> None:
    bench = importlib.import_module("bench_realtime")
    small = bench.Scale((1, 2), members=4, speakers=2, idle=3, warm=0.2, seconds=0.6)
    found = bench.run(tmp_path, small)
    for name in ("socketio", "websocket", "room", "fan out"):
        assert found[name]["a_second"] > 0, name
    assert all(one["answers"] > 0 and one["told_a_second"] > 0 for one in found["send"].values())
    # Everybody in the room hears everything.
    for name in ("room", "fan out"):
        assert found[name]["told_a_second"] == pytest.approx(4 * found[name]["a_second"], rel=0.5)
    assert len(found["goals"]) == 9
    bench.show(found)


@pytest.mark.parametrize("hashes", [0, 1, 23, 24, 64])
@pytest.mark.parametrize("entries", [0, 1, 24, 100])
def test_entries_of_a_page_are_counted_by_its_first_bytes(hashes: int, entries: int) -> None:
    people: Any = importlib.import_module("bench_people")
    clients: Any = importlib.import_module("bench_clients")
    proof = HeadProof(bytes(32), 1, bytes(32), MapProof(()), 0, bytes(LEAF_SIZE), (), b"")
    page = EntriesPage(
        bytes(32), 70_000, (bytes(32),) * hashes, (WireEntry(b"h", b"s", b"b"),) * entries, proof
    )
    data = to_bytes(page)
    assert people.page_entries(data[: clients.HEAD_BYTES]) == entries
