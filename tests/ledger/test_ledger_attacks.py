"""A lying server against the ledger's readers; numbers are those of docs/threats.md."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from secure_msg.codec.errors import CodecError
from secure_msg.codec.proofs import Receipt
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import merkle
from secure_msg.ledger.chain import ChainHeader, ChainState, read_header, verify_page
from secure_msg.ledger.errors import ChainError, HeadMismatch, LedgerError, ProofError
from secure_msg.ledger.map import SparseMap, chain_label, head_value
from secure_msg.ledger.receipt import verify_head, verify_receipt
from tests.ledger.simulated import ORIGIN, SimulatedLedger, busy_ledger, chain_id

CHAIN = chain_id(0)
LEDGER = busy_ledger()
HEADERS = [read_header(header) for header in LEDGER.headers[CHAIN]]
HEAD = LEDGER.head(CHAIN)


def _follow(headers: list[ChainHeader]) -> ChainState:
    return verify_page(ChainState.start(CHAIN), headers, HEAD)


def test_attack_09_reordering() -> None:
    assert _follow(HEADERS).head == HEAD
    shuffled, draw = list(HEADERS), random.Random(9)
    refused = 0
    for _ in range(2000):
        draw.shuffle(shuffled)
        if shuffled != HEADERS:
            with pytest.raises(ChainError):
                _follow(shuffled)
            refused += 1
    assert refused > 1900


def test_attack_09_renumbering() -> None:
    """Entries moved, then renumbered so that no gap shows: the head does not fit."""
    moved = [HEADERS[1], HEADERS[0], *HEADERS[2:]]
    renumbered = [replace(h, sequence=n, time=HEADERS[n].time) for n, h in enumerate(moved)]
    with pytest.raises(HeadMismatch):
        _follow(renumbered)


def test_attack_10_dropping_each_in_turn() -> None:
    for at in range(len(HEADERS) - 1):
        with pytest.raises(ChainError):
            _follow(HEADERS[:at] + HEADERS[at + 1 :])
    with pytest.raises(ProofError):
        _follow(HEADERS[:-1])


def test_a_refused_page_leaves_the_state_as_it_was() -> None:
    state = _follow(HEADERS)
    before = (state, state.head)
    with pytest.raises(ChainError):
        verify_page(state, [HEADERS[0]], HEAD)
    assert (state, state.head) == before


def test_attack_17_a_receipt_with_any_bit_flipped_is_refused() -> None:
    data = to_bytes(LEDGER.receipt(CHAIN, 4))
    verify_receipt(from_bytes(Receipt, data), LEDGER.public, ORIGIN)
    notes_at = data.index(ORIGIN.encode())
    for at in [*range(notes_at + 120), *range(notes_at + 120, len(data), 53)]:
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        with pytest.raises((CodecError, LedgerError, CryptoError)):
            verify_receipt(from_bytes(Receipt, flipped), LEDGER.public, ORIGIN)


def test_attack_18_an_older_head_does_not_pass_under_a_newer_checkpoint() -> None:
    ledger = busy_ledger()
    old = ledger.head_proof(CHAIN)
    verify_head(old, ledger.public, ORIGIN)
    ledger.append(CHAIN, "message", b"newer")
    ledger.commit()
    size = ledger.log.frontier.size
    path = merkle.inclusion_path(old.log_index, size, ledger.log.node)
    revived = replace(old, log_path=path, checkpoint=ledger.checkpoint())
    with pytest.raises(ProofError, match="newest"):
        verify_head(revived, ledger.public, ORIGIN)
    with pytest.raises(ProofError):
        verify_head(replace(revived, log_index=size - 1), ledger.public, ORIGIN)


def test_attack_02_two_branches_are_not_consistent() -> None:
    fork = busy_ledger()
    size, root = fork.log.frontier.size, fork.log.frontier.root()
    fork.append(CHAIN, "message", b"for one client")
    fork.commit()
    other = busy_ledger()
    other.append(CHAIN, "message", b"for the other")
    other.commit()
    other.commit()
    path = merkle.consistency_path(size, size + 2, other.log.node)
    newest = other.log.frontier.root()
    merkle.verify_consistency(size, size + 2, root, newest, path)
    seen = fork.log.frontier.root()
    path = merkle.consistency_path(size + 1, size + 2, other.log.node)
    with pytest.raises(ProofError):
        merkle.verify_consistency(size + 1, size + 2, seen, newest, path)


def test_attack_01_a_chain_that_exists_cannot_be_denied() -> None:
    proof = LEDGER.head_proof(CHAIN)
    denied = replace(proof, size=0, root=merkle.EMPTY_ROOT)
    with pytest.raises(ProofError):
        verify_head(denied, LEDGER.public, ORIGIN)
    for other in (LEDGER.head_proof(chain_id(n)).map_proof for n in range(1, 12)):
        with pytest.raises(ProofError):
            verify_head(replace(denied, map_proof=other), LEDGER.public, ORIGIN)


def test_a_receipt_stays_small() -> None:
    """At 100,000 chains, 1,000 entries in this one, a million commits: well under 3 KiB."""
    tree = SparseMap(
        (chain_label(sha256(number.to_bytes(4, "big"))), head_value(1, bytes(32)))
        for number in range(100_000)
    )
    receipt = LEDGER.receipt(CHAIN, 4)
    hash_ = sha256(b"a hash")
    sizes = []
    for number in range(200):
        large = replace(
            receipt,
            chain_path=(hash_,) * 10,
            map_proof=tree.prove(chain_label(sha256(number.to_bytes(4, "big")))),
            log_path=(hash_,) * 20,
            checkpoint=b"",
        )
        sizes.append(len(to_bytes(large)))
    assert max(sizes) < 2200
    assert len(SimulatedLedger().checkpoint()) < 5000
