"""The figures: who may read them, what they count, what they never name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from secure_msg.bootstrap import build
from secure_msg.codec.http import TransactRequest
from secure_msg.store.files import run_here
from secure_msg.web.errors import STATUS
from tests.support.api import Api, InProcess, OverNetwork
from tests.support.people import Person, put
from tests.support.server import ROOT
from tests.support.sockets import Live
from tests.web.conftest import settings_for

TOKEN = "a-token-of-some-length"
DASHBOARD = ROOT / "docs" / "grafana.json"


def figures(text: bytes) -> dict[str, float]:
    """Each sample by its name and labels, as `name{a="b"}`."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


@pytest.fixture
def started(tmp_path):
    """Starts a server in this process with some settings; all are closed at the end."""
    running = []

    def start(**settings: str):
        folder = tmp_path / f"storage-{len(running)}"
        running.append(build(settings_for(folder, **settings), offload=run_here))
        return running[-1]

    yield start
    for server in running:
        server.close()


def status(server, address: str = "127.0.0.1", **headers: str) -> int:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    api = Api(InProcess(server.web.flask, address))
    answer = api.get("/metrics", headers=sent)
    assert answer.kind == ("" if answer.status == 200 else "not-found")
    return answer.status


def test_without_a_token_this_machine_alone_is_answered(started):
    server = started()
    for own in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"):
        assert status(server, own) == 200
    for other in ("10.0.0.1", "192.168.1.7", "2001:db8::1", "::ffff:10.0.0.1", "0.0.0.0", ""):
        assert status(server, other) == 404


@pytest.mark.parametrize(
    "header",
    [
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_Proto": "https"},
        {"X_Forwarded_Host": "localhost"},
        {"X_Real_IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
    ids=lambda header: next(iter(header.items())),
)
def test_who_asks_through_somebody_else_is_not_answered(started, header):
    assert status(started(), **header) == 404


def test_behind_trusted_proxies_nobody_is_answered_without_a_token(started):
    server = started(TRUSTED_PROXIES="1")
    assert status(server) == 404
    assert status(server, X_Forwarded_For="127.0.0.1") == 404


def test_with_a_token_whoever_shows_it_is_answered_and_nobody_else(started):
    server = started(METRICS_TOKEN=TOKEN, TRUSTED_PROXIES="1")
    for address in ("127.0.0.1", "10.0.0.1"):
        assert status(server, address) == 404
        assert status(server, address, Authorization=f"Bearer {TOKEN}") == 200
        assert status(server, address, Authorization=f"bearer {TOKEN}") == 200
        for wrong in (TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
                      "Bearer ", f"Bearer  {TOKEN}", "Bearer \u00e4" + TOKEN[1:]):  # fmt: skip
            assert status(server, address, Authorization=wrong) == 404


def test_the_token_is_shown_nowhere(started):
    settings = settings_for(Path("nowhere"), METRICS_TOKEN=TOKEN)
    assert TOKEN not in repr(settings)


def test_what_happens_is_counted(process, join_process):
    api, _ = join_process("counted")
    before = figures(api.get("/metrics").body)
    with Live(api) as live:
        for version in range(3):
            live.transact(TransactRequest((), (put("file", version),)))
        live.transact(TransactRequest((), (put("file", 9),)))
        live.refused(77)
        now = figures(api.get("/metrics").body)
        assert now["secure_msg_sockets"] == before["secure_msg_sockets"] + 1
    assert api.get("/api/nothing").status == 404

    after = figures(api.get("/metrics").body)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more("secure_msg_commit_transactions_count") >= 3
    assert more("secure_msg_commit_transactions_sum") >= 3
    assert more("secure_msg_entries_total") >= 3
    for step in ("fdatasync", "signature"):
        name = f"secure_msg_commit_{step}_seconds"
        assert more(f"{name}_count") == more("secure_msg_commit_transactions_count")
        assert more(f"{name}_sum") > 0
    assert more("secure_msg_log_leaves") == more("secure_msg_commit_transactions_count")
    assert more('secure_msg_socket_request_seconds_count{kind="transact"}') == 4
    assert more('secure_msg_socket_request_seconds_count{kind="unknown"}') == 1
    assert more('secure_msg_problems_total{kind="conflict"}') == 1
    assert more('secure_msg_problems_total{kind="malformed"}') == 1
    assert more('secure_msg_problems_total{kind="not-found"}') == 1
    assert more('secure_msg_requests_total{room="none",status="404"}') == 1
    assert more('secure_msg_requests_total{room="operation",status="200"}') == 2
    assert more('secure_msg_requests_total{room="socket",status="101"}') >= 0
    assert after["secure_msg_read_only"] == 0
    assert after["secure_msg_connections"] >= 1
    assert 0 < after["secure_msg_storage_free_bytes"] <= after["secure_msg_storage_size_bytes"]
    assert after["process_resident_memory_bytes"] > 10_000_000
    assert {name for name in after if name.startswith("secure_msg_problems")} == {
        f'secure_msg_problems_total{{kind="{kind}"}}' for kind in STATUS
    }


def test_what_is_no_request_is_counted_too(process, join_process):
    api, _ = join_process("beside-junk")
    name = 'secure_msg_problems_total{kind="malformed"}'
    before = figures(api.get("/metrics").body)[name]
    junk = Api(OverNetwork(process.base)).get("/" + "x" * 5_000)
    assert junk.status == 414
    assert figures(api.get("/metrics").body)[name] == before + 1


def test_a_flush_is_counted(server, join):
    api, _ = join("flushed")
    before = figures(api.get("/metrics").body)
    api.transact((), (put("flushed"),))
    server.store.flush()
    after = figures(api.get("/metrics").body)
    assert after["secure_msg_flush_seconds_count"] > before["secure_msg_flush_seconds_count"]
    assert after["secure_msg_flush_bytes_total"] > before["secure_msg_flush_bytes_total"]
    assert after["secure_msg_unflushed_bytes"] == 0


def test_damage_is_counted(started):
    server = started()
    api, person = Api(InProcess(server.web.flask)), Person("damaged")
    api.register(person)
    api.transact((), (put("hurt"),))
    server.store.flush()
    (blob,) = server.store._layout.root.glob(f"local/*/{put('hurt').path.hex()}.1")
    blob.write_bytes(b"something else")
    before = figures(api.get("/metrics").body)
    assert api.get(f"/api/private/{put('hurt').path.hex()}").status == 500
    after = figures(api.get("/metrics").body)
    assert after["secure_msg_damaged_total"] == before["secure_msg_damaged_total"] + 1
    assert after['secure_msg_problems_total{kind="internal"}'] == 1


def test_labels_name_nobody(process, join_process):
    """Whatever was asked for: the values of all labels come from lists of our own."""
    api, person = join_process("nameless-one")
    _, peer = join_process("nameless-two")
    api.begin_conversation(person, peer)
    for path in (f"/api/accounts/{peer.account.hex()}", "/api/directory?q=nameless", "/../etc"):
        api.get(path)
    api.send("BREW", "/tea")
    text = api.get("/metrics").body.decode()
    for secret in (person.account.hex(), peer.account.hex(), "nameless", "127.0.0", "/api", "etc"):
        assert secret not in text
    allowed = {
        "room": {"accounts", "messages", "operation", "pages", "socket", "none"},
        "kind": {*STATUS, "transact", "sync", "typing", "unknown"},
    }
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label in allowed:
                    assert value in allowed[label]
                else:
                    assert label in ("status", "le")
                    assert re.fullmatch(
                        r"\d{3}" if label == "status" else r"[\d.e+-]+|\+Inf", value
                    )


def queried(expression: str) -> set[str]:
    """The metrics that a PromQL expression names."""
    return set(re.findall(r"\b(?:secure_msg|process)_[a-z_]+", expression))


def test_every_figure_of_the_dashboard_is_exported(process, join_process):
    api, _ = join_process("dashboard")
    exported = {name.partition("{")[0] for name in figures(api.get("/metrics").body)}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    targets = [target for panel in panels for target in panel.get("targets", ())]
    assert len(targets) > 15
    for target in targets:
        named = queried(target["expr"])
        assert named, target
        assert named <= exported, named - exported


def test_every_figure_is_explained(process, join_process):
    api, _ = join_process("explained")
    text = (ROOT / "docs" / "operations.md").read_text()
    for family in text_string_to_metric_families(api.get("/metrics").body.decode()):
        if family.name.startswith("secure_msg"):
            assert f"`{family.name}`" in text, family.name
