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
# The machine on which the goals in milliseconds were set did so many echoes of PAYLOAD a second;
# in echoes of the machine at hand they are those of a machine as fast as that one.
REFERENCE_ECHOES = 6_700


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
    send = {str(many): bench_send.run(folder, many, **times) for many in scale.senders}
    # Once more after the most, as the machine is not equally fast for minutes.
    send[f"{several} again"] = bench_send.run(folder / "again", several, **times)
    bytes_of_a_send = send[str(several)]["request_bytes"]
    found: dict[str, Any] = {
        "fdatasync_ms": 1_000 * bench_floors.fdatasync(folder),
        "signature_ms": 1_000 * bench_floors.signature(),
        "socketio": bench_floors.socketio(folder, several, PAYLOAD, **times),
        "websocket": bench_floors.websocket(folder, several, PAYLOAD, **times),
        "send": send,
        "socketio, a send's bytes": bench_floors.socketio(
            folder, several, bytes_of_a_send, **times
        ),
        "room": bench_room.run(folder, scale.members, scale.speakers, **times),
        "fan out": bench_room.floor(folder, scale.members, scale.speakers, **times),
        "idle": bench_idle.run(folder, scale.idle),
    }
    found["goals"] = goals(found, scale)
    return found


def goals(found: dict[str, Any], scale: Scale) -> list[dict[str, Any]]:
    """Each with its `figure`, its `bound`, and whether it is `held`."""
    send = found["send"]
    result = [
        *_of_one(found, send[str(scale.senders[0])]),
        _least("deliveries a second in a room, to a bare fan-out",
               found["room"]["told_a_second"] / found["fan out"]["told_a_second"], 0.6),
        _most("an idle client, KB", found["idle"]["kb_each"], 150),
    ]  # fmt: skip
    if len(scale.senders) > 1:
        result += _of_many(found, scale.senders[1])
    if len(scale.senders) > 2:
        several, most = scale.senders[1:3]
        before, after = (send[name]["a_second"] for name in (f"{several}", f"{several} again"))
        more = 2 * send[str(most)]["a_second"] / (before + after)
        result.append(_least(f"sends of {most} to those of {several}", more, 1))
    return result


def _of_one(found: dict[str, Any], one: dict[str, Any]) -> list[dict[str, Any]]:
    durable = found["fdatasync_ms"] + found["signature_ms"]
    echoes = (one["p50_ms"] - durable) / _echo_ms(found)
    name = "one sender's p50 beyond fdatasync + signature"
    return [
        _most(f"{name}, ms", one["p50_ms"] - durable, 0.8),
        _most(f"{name}, in echoes", echoes, 0.8 * REFERENCE_ECHOES / 1_000),
    ]


def _of_many(found: dict[str, Any], many: int) -> list[dict[str, Any]]:
    at, same = found["send"][str(many)], found["socketio, a send's bytes"]
    small = found["socketio"]
    name = f"sends of {many} to Socket.IO echoes of"
    return [
        _least(f"{name} the same bytes, a second", at["a_second"] / same["a_second"], 0.5),
        _least(f"{name} the same bytes, processor time", same["busy_us"] / at["busy_us"], 0.5),
        _least(f"{name} {PAYLOAD} bytes, a second", at["a_second"] / small["a_second"], 0.5),
        _most(f"p99 of {many} senders, ms", at["p99_ms"], 30),
        _most(f"p99 of {many} senders, in echoes", at["p99_ms"] / _echo_ms(found),
              30 * REFERENCE_ECHOES / 1_000),
    ]  # fmt: skip


def _echo_ms(found: dict[str, Any]) -> float:
    return float(1_000 / found["socketio"]["a_second"])


def _least(name: str, figure: float, bound: float) -> dict[str, Any]:
    return {"name": name, "figure": figure, "bound": bound, "held": figure >= bound, "at": "least"}


def _most(name: str, figure: float, bound: float) -> dict[str, Any]:
    return {"name": name, "figure": figure, "bound": bound, "held": figure <= bound, "at": "most"}


def show(found: dict[str, Any]) -> None:
    print(
        f"\nfdatasync of 8 KiB {found['fdatasync_ms']:.2f} ms, "
        f"ML-DSA-65 signature {found['signature_ms']:.2f} ms"
    )
    floors = ("socketio", "socketio, a send's bytes", "websocket")
    rows = {name: found[name] for name in floors}
    rows.update({f"send, {many}": one for many, one in found["send"].items()})
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
