"""Figures of this machine: what a message costs on disk and to send, and what the page takes.

`make bench` prints tables and writes build/bench.json; `tools/bench.py realtime` and the like take
one part. Times depend on the machine and on what
else it does, so each stands beside a floor of the same run; the ratio is what compares.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bench_page  # noqa: E402  (it imports from the root)
import bench_realtime  # noqa: E402
import bench_scale  # noqa: E402
import bench_storage  # noqa: E402
import bench_verify  # noqa: E402

RESULT = ROOT / "build" / "bench.json"
FLOORS = {
    "first contentful paint, ms": "floor: empty page's first paint, ms",
    "registration, ms": "floor: key derivation, ms",
    "send to shown to its reader, ms": "floor: a fetch and its answer, ms",
    "send to shown to its writer, ms": "floor: a fetch and its answer, ms",
    "send to shown as stored, ms": "floor: a fetch and its answer, ms",
    "reload to readable, ms": "floor: empty page's first paint, ms",
    "sign-in to readable, ms": "floor: key derivation at sign-in, ms",
}


def machine() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def print_storage(found: dict[str, Any]) -> None:
    print(
        f"\nStorage: {found['messages']} texts of {found['text_bytes']} bytes in turns of "
        f"{found['turn']}, after a clean stop, beyond two empty accounts"
    )
    print(f"{'a message, in bytes':34}{'in files':>12}{'in blocks':>12}{'files':>8}")
    for name, use in found["parts"].items():
        print(
            f"{name:34}{use['bytes_a_message']:12.1f}{use['block_bytes_a_message']:12.1f}"
            f"{use['files']:8}"
        )
    total, goal = found["bytes_a_message"], found["goal_bytes_a_message"]
    print(f"{'together':34}{total:12.1f}{found['block_bytes_a_message']:12.1f}")
    print(f"{'goal: at most':34}{goal:12}   {'held' if total <= goal else 'MISSED'}")
    took = found["transaction_ms"]
    print(f"a durable transaction over HTTP: p50 {took['p50']:.1f} ms, p95 {took['p95']:.1f} ms")


def print_page(found: dict[str, Any]) -> None:
    script, figures = found["script"], found["figures"]
    print(
        f"\nPage in Chromium {found['chromium']}: {script['files']} script files, "
        f"{script['bytes']:,} bytes, {script['gzipped']:,} gzipped"
    )
    print(f"{'':44}{'n':>5}{'p50':>9}{'p95':>9}{'least':>9}{'to floor':>10}")
    for name, one in figures.items():
        floor = FLOORS.get(name)
        ratio = "" if floor is None else f"{one['p50'] / figures[floor]['p50']:.1f}"
        print(
            f"{name:44}{one['n']:5}{one['p50']:9.1f}{one['p95']:9.1f}{one['min']:9.1f}{ratio:>10}"
        )


def storage(folder: Path) -> dict[str, Any]:
    found = bench_storage.run(folder)
    print_storage(found)
    return found


def page(folder: Path) -> dict[str, Any]:
    found = bench_page.run(folder)
    print_page(found)
    return found


def realtime(folder: Path) -> dict[str, Any]:
    found = bench_realtime.run(folder, bench_realtime.Scale())
    bench_realtime.show(found)
    return found


def scale(folder: Path) -> dict[str, Any]:
    found = bench_scale.run(folder)
    bench_scale.print_result(found)
    return found


def verify(folder: Path) -> dict[str, Any]:
    found = bench_verify.run(folder)
    bench_verify.show(found)
    return found


PARTS = {
    "storage": storage,
    "realtime": realtime,
    "scale": scale,
    "verify": verify,
    "page": page,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of this machine, as ratios of one run.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all when none is named")
    asked = parser.parse_args().parts or list(PARTS)
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="secure-msg-bench-") as folder:
        for name in asked:
            result[name] = PARTS[name](Path(folder))
    result["load_after"] = machine()["load"]
    print(
        f"\nLoad of the machine: {result['machine']['load']} before, {result['load_after']} after"
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"Written to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
