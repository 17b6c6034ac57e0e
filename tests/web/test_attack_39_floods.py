"""Attack 39: floods of log-ins, of passwords of a megabyte, of statements to verify."""

from __future__ import annotations

from statistics import median
from time import perf_counter, sleep

import pytest

from secure_msg.codec.http import TransactRequest, TransactResult, WireAppend
from secure_msg.web.limits import SIGN_INS_A_NAME, STATEMENTS
from secure_msg.web.pacing import LONGEST_SECONDS, MOST_ADDRESSES, Pace
from tests.support.api import Api, OverNetwork
from tests.support.flood import BODIES, Flood
from tests.support.people import Person, put
from tests.support.server import ServerProcess
from tests.support.sockets import Live
from tests.web.test_web_metrics import figures

ROUNDS, EACH = 5, 12
CONNECTIONS = 4
TRIES = 3
PAUSE_SECONDS = 0.025
"""Who keeps to the rate of one account's transactions is honest."""


def seconds_of(live: Live, version: int) -> float:
    began = perf_counter()
    result = live.transact(TransactRequest((), (put("honest", version, 2_000),)))
    assert isinstance(result, TransactResult)
    return perf_counter() - began


def test_attack_39_refusals_to_one_address_wait_for_each_other():
    pace = Pace(1)
    waits = [pace.wait("10.0.0.1", 100.0) for _ in range(80)]
    assert waits[:3] == pytest.approx([0.0, 0.1, 0.2])
    assert waits[-1] == pytest.approx(LONGEST_SECONDS)
    assert pace.wait("10.0.0.2", 100.0) == 0.0
    assert pace.wait("10.0.0.1", 200.0) == 0.0


def test_attack_39_addresses_are_forgotten():
    pace = Pace(1)
    for number in range(3 * MOST_ADDRESSES):
        assert pace.wait(f"address {number}", float(number)) == 0.0
    assert len(pace._due) <= MOST_ADDRESSES


def ratio_of_waits(live: Live, flood: Flood, version: int) -> float:
    """Of medians, calm and flood in turns, so that the machine's other load is in both."""
    waited: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * ROUNDS):
        flooded = bool(turn % 2)
        flood.go_on() if flooded else flood.hold()
        for _ in range(EACH):
            sleep(PAUSE_SECONDS)
            waited[flooded].append(seconds_of(live, version))
            version += 1
    flood.hold()
    return median(waited[True]) / median(waited[False])


@pytest.mark.parametrize("kind", BODIES)
def test_attack_39_a_flood_leaves_others_their_turn(tmp_path, kind):
    """At most twice the wait. The flood's own client shares the processors with all other tests:
    what that adds is not the server's, so that the least of a few measurements counts.
    """
    with ServerProcess(tmp_path / "storage", {"RATE_FACTOR": "1"}) as server:
        api = Api(OverNetwork(server.base))
        api.register(Person("honest"))
        ratios: list[float] = []
        with Live(api) as live, Flood(server.base, kind, CONNECTIONS) as flood:
            while len(ratios) < TRIES and min(ratios, default=3.0) > 2:
                ratios.append(ratio_of_waits(live, flood, len(ratios) * 2 * ROUNDS * EACH))
            counted = figures(api.get("/metrics").body)
        print(f"{kind}: others wait {min(ratios):.2f} times as long")
        refused = {
            problem: counted[f'secure_msg_problems_total{{kind="{problem}"}}']
            for problem in ("slow-down", "too-large", "sign-in-failed")
        }
        assert refused["too-large" if "MB" in kind else "slow-down"] > CONNECTIONS
        assert refused["sign-in-failed"] <= int(SIGN_INS_A_NAME.split()[0])
        assert min(ratios) <= 2, ratios


def test_attack_39_a_megabyte_is_not_read(process, join_process):
    api, _ = join_process("not-read")
    answer = api.send("POST", "/api/sign-in", BODIES["passwords of 1 MB"], "application/json")
    assert (answer.status, answer.kind) == (413, "too-large")


def test_attack_39_signatures_are_verified_for_so_many_statements_an_hour(tmp_path):
    """Whatever an account sends, no more than its hour's share is even looked at."""
    with ServerProcess(tmp_path / "storage", {"RATE_FACTOR": "1"}) as server:
        api, person = Api(OverNetwork(server.base)), Person("signs-junk")
        api.register(person)
        junk = tuple(
            WireAppend(person.account, "prekey", person.prekey(9)[:-1] + b"x", None)
            for _ in range(8)
        )
        allowed = int(STATEMENTS.split()[0])
        kinds = []
        with Live(api) as live:
            for _ in range(2 * allowed // 8):
                kinds.append(live.transact(TransactRequest(junk, ())).kind)
        assert kinds.count("statement-refused") == allowed // 8
        assert kinds.count("slow-down") == allowed // 8
