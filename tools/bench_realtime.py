"""Sending, a room and idle clients, each beside the bare servers of the same run; the goals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_floors
import bench_idle
import bench_room
import bench_send

PAYLOAD = 2_048


@dataclass(frozen=True)
class Scale:
    """How much is measured; the tests run a small one."""

    senders: tuple[int, ...] = (1, 32, 200)
    members: int = 50
    speakers: int = 32
    idle: int = 1_000
    warm: float = 2.0
    seconds: float = 8.0


def run(folder: Path, scale: Scale) -> dict[str, Any]:
    times = {"warm": scale.warm, "seconds": scale.seconds}
    several = scale.senders[min(1, len(scale.senders) - 1)]
    found: dict[str, Any] = {
        "fdatasync_ms": 1_000 * bench_floors.fdatasync(folder),
        "signature_ms": 1_000 * bench_floors.signature(),
        "socketio": bench_floors.socketio(folder, several, PAYLOAD, **times),
        "websocket": bench_floors.websocket(folder, several, PAYLOAD, **times),
        "send": {str(many): bench_send.run(folder, many, **times) for many in scale.senders},
        "socketio again": bench_floors.socketio(folder, several, PAYLOAD, **times),
        "room": bench_room.run(folder, scale.members, scale.speakers, **times),
        "fan out": bench_room.floor(folder, scale.members, scale.speakers, **times),
        "idle": bench_idle.run(folder, scale.idle),
    }
    found["goals"] = goals(found, scale)
    return found


def goals(found: dict[str, Any], scale: Scale) -> list[dict[str, Any]]:
    """Each with its `figure`, its `bound`, and whether it is `held`."""
    send = found["send"]
    one = send[str(scale.senders[0])]
    echoes = [found[name]["a_second"] for name in ("socketio", "socketio again")]
    floor = sum(echoes) / len(echoes)
    result = [
        _most("one sender's acknowledgement, p50 ms, to fdatasync + signature + 0.8",
              one["p50_ms"], found["fdatasync_ms"] + found["signature_ms"] + 0.8),
        _least("deliveries a second in a room, to a bare fan-out",
               found["room"]["told_a_second"] / found["fan out"]["told_a_second"], 0.6),
        _most("an idle client, KB", found["idle"]["kb_each"], 150),
    ]  # fmt: skip
    for many in scale.senders[1:]:
        at = send[str(many)]
        ratio = at["a_second"] / floor
        result.append(_least(f"sends a second of {many}, to Socket.IO echoes", ratio, 0.5))
    if len(scale.senders) > 1:
        several = send[str(scale.senders[1])]
        result.append(_most(f"p99 ms of {scale.senders[1]} senders", several["p99_ms"], 30))
        busy = found["socketio"]["busy_us"] / several["busy_us"]
        result.append(_least("the same by the servers' processor time", busy, 0.5))
    if len(scale.senders) > 2:
        more = send[str(scale.senders[2])]["a_second"] / send[str(scale.senders[1])]["a_second"]
        result.append(
            _least(f"sends of {scale.senders[2]} to those of {scale.senders[1]}", more, 1)
        )
    return result


def _least(name: str, figure: float, bound: float) -> dict[str, Any]:
    return {"name": name, "figure": figure, "bound": bound, "held": figure >= bound, "at": "least"}


def _most(name: str, figure: float, bound: float) -> dict[str, Any]:
    return {"name": name, "figure": figure, "bound": bound, "held": figure <= bound, "at": "most"}


def show(found: dict[str, Any]) -> None:
    print(
        f"\nfdatasync of 8 KiB {found['fdatasync_ms']:.2f} ms, "
        f"ML-DSA-65 signature {found['signature_ms']:.2f} ms"
    )
    rows = {name: found[name] for name in ("socketio", "socketio again", "websocket")}
    rows.update({f"send, {many} senders": one for many, one in found["send"].items()})
    rows.update({name: found[name] for name in ("room", "fan out")})
    print(f"{'':24}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}{'told/s':>10}{'server µs':>11}")
    for name, one in rows.items():
        told = f"{one['told_a_second']:10.0f}" if "told_a_second" in one else f"{'':10}"
        print(
            f"{name:24}{one['a_second']:10.0f}{one['p50_ms']:9.1f}{one['p99_ms']:9.1f}"
            f"{told}{one['busy_us']:11.0f}"
        )
    idle = found["idle"]
    print(f"{idle['clients']} idle clients: {idle['kb_each']:.1f} KB each")
    for goal in found["goals"]:
        held = "held" if goal["held"] else "MISSED"
        print(
            f"{goal['name']:72}{goal['figure']:9.2f}  at {goal['at']} {goal['bound']:.2f}  {held}"
        )
