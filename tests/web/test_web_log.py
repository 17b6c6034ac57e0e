"""How the newest checkpoint follows on what somebody saw: open to all, and exact."""

from __future__ import annotations

import pytest

from secure_msg.codec.fields import from_base64url
from secure_msg.codec.proofs import LogNews
from secure_msg.ledger import merkle
from secure_msg.ledger.checkpoint import Checkpoint, verify_checkpoint
from tests.support.api import CBOR, Api, OverNetwork
from tests.support.people import Person


@pytest.fixture(scope="module")
def api(process):
    return Api(OverNetwork(process.base))


def news(api: Api, seen: int) -> tuple[LogNews, Checkpoint]:
    answer = api.get(f"/api/log?seen={seen}")
    assert answer.headers["content-type"] == CBOR
    found = answer.record(LogNews)
    server = api.get("/api/server").json
    public = from_base64url(server["public"])
    return found, verify_checkpoint(found.checkpoint, server["origin"], public)


def test_the_log_is_shown_to_follow_on_what_was_seen(api: Api) -> None:
    first, before = news(api, 0)
    assert first.consistency == ()
    assert first.restorations == ()
    for number in range(3):
        Api(OverNetwork(api.transport.origin)).register(Person(f"follows{number}"))
    later, now = news(api, before.size)
    assert now.size > before.size
    merkle.verify_consistency(before.size, now.size, before.root, now.root, later.consistency)
    with pytest.raises(merkle.ProofError):
        merkle.verify_consistency(
            before.size - 1, now.size, before.root, now.root, later.consistency
        )


def test_nothing_follows_on_what_is_not_there(api: Api) -> None:
    found, now = news(api, 2**53 - 1)
    assert found.consistency == ()
    assert now.size > 0


@pytest.mark.parametrize(
    "query", ["", "?seen=", "?seen=-1", "?seen=01", "?seen=1&seen=2", "?seen=9007199254740992"]
)
def test_a_size_that_is_none_is_malformed(api: Api, query: str) -> None:
    answer = api.get(f"/api/log{query}")
    assert (answer.status, answer.kind) == (400, "malformed")
