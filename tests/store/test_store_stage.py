"""A batch before it is durable: what the journal holds of it makes the same batch again."""

from __future__ import annotations

import pytest

from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.mac import HmacSha256
from secure_msg.crypto.random import SeededRandom
from secure_msg.ledger.map import SparseMap
from secure_msg.ledger.transaction import (
    Append,
    Conflict,
    NameClaim,
    Put,
    Register,
    Transaction,
)
from secure_msg.store.journal import MAX_PAYLOAD
from secure_msg.store.records import Batch
from secure_msg.store.stage import Base, Stage, StageKeys
from tests.store.contract import ALICE, OTHER, PATH, START, THREAD, account, ident, message, opened

NOTHING = Base(
    chain=lambda _chain: None,
    name=lambda _skeleton: None,
    file=lambda _account, _path: None,
    find=lambda _chain, _unique, _seen: None,
)
KEYS = StageKeys(
    HmacSha256(ident("salt")), HmacSha256(ident("blind")), ident("names"), ident("public")
)


def new_stage() -> Stage:
    return Stage(NOTHING, KEYS, SeededRandom(b"stage"), 7, START)


@pytest.fixture
def filled() -> Stage:
    stage = new_stage()
    stage.transact(account(ALICE, "alice"))
    stage.transact(opened())
    stage.transact(
        Transaction(
            (message(b"m" * 2048, unique=b"u" * 16), Append(THREAD, "plain", b"")),
            (Put(ALICE, PATH, 0, b"blob"), Put(ALICE, OTHER, 0, b"")),
            (Register(THREAD, b"", ident("session")), Register(ALICE, b"")),
        )
    )
    stage.transact(Transaction(puts=(Put(ALICE, PATH, 1, None), Put(ALICE, OTHER, 1, b"next"))))
    stage.transact(Transaction(tuple(message(b"n") for _ in range(300))))
    stage.transact(Transaction(names=(NameClaim("alice", ALICE), NameClaim("álias", ALICE))))
    return stage


def test_the_payload_is_the_one_encoding_of_the_batch(filled: Stage) -> None:
    assert filled.payload() == to_bytes(filled.batch())
    filled.restored = b"statement"
    assert filled.payload() == to_bytes(filled.batch())


def test_a_replayed_payload_has_the_same_effects(filled: Stage) -> None:
    again = new_stage()
    again.replay(from_bytes(Batch, filled.payload(), limit=MAX_PAYLOAD))
    assert again.leaf(SparseMap())[0] == filled.leaf(SparseMap())[0]
    assert again.chains == filled.chains
    assert again.files == filled.files
    assert again.blobs == filled.blobs
    assert again.names == filled.names
    assert again.payload() == filled.payload()


def test_every_256th_entry_completes_a_level(filled: Stage) -> None:
    new = filled.chains[THREAD].new
    assert len(new.entries) == len(new.before) == 303
    assert [(node.level, node.index) for node in new.levels] == [(8, 0)]
    assert [frontier.size for frontier in new.before] == list(range(303))


def test_a_refused_transaction_leaves_the_batch_as_it_was(filled: Stage) -> None:
    before, leaf = filled.payload(), filled.leaf(SparseMap())[0]
    refused = [
        Transaction((message(b"m"), Append(THREAD, "message", b"", expected_size=1))),
        Transaction((message(b"m"),), (Put(ALICE, OTHER, 1, b"stale"),)),
        Transaction((message(b"m"),), (), (Register(THREAD, b"", ident("other")),)),
        Transaction((message(b"m"),), (), (), (NameClaim("alice", ident("bob")),)),
        Transaction((message(b"m"), Append(ident("new"), "message", b""))),
    ]
    for transaction in refused:
        with pytest.raises((Conflict, ValueError)):
            filled.transact(transaction)
        assert filled.payload() == before
        assert filled.leaf(SparseMap())[0] == leaf


def test_a_repeat_within_the_batch_counts_from_seen_on(filled: Stage) -> None:
    sent = Transaction((message(b"once", unique=b"v" * 16, seen=300),))
    first, before = filled.transact(sent), filled.payload()
    second = filled.transact(sent)
    assert (first.repeat, second.repeat) == (False, True)
    assert second.placed == first.placed
    assert filled.payload() == before
    later = filled.transact(Transaction((message(b"once", unique=b"v" * 16, seen=304),)))
    assert not later.repeat
