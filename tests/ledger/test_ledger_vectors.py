"""The vectors that Python and TypeScript share, and the checkpoint that TypeScript signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.proofs import HeadProof, MapProof, Receipt, Restoration, RestoredStatement
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.errors import InvalidSignature
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import errors
from secure_msg.ledger import map as sparse
from secure_msg.ledger.chain import ChainState, Head, check_content, read_header, verify_page
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.receipt import verify_head, verify_receipt
from secure_msg.ledger.restored import verify_restoration
from tests.tools import generate_ledger_vectors

PROJECT = Path(__file__).parent.parent / "vectors" / "project"
VECTORS: dict[str, Any] = json.loads((PROJECT / "ledger.json").read_text())
TYPESCRIPT: dict[str, Any] = json.loads((PROJECT / "typescript.json").read_text())
ORIGIN, SERVER = VECTORS["origin"], bytes.fromhex(VECTORS["server"])
KINDS: dict[str, type[Exception]] = {
    **{name: kind for name, kind in vars(errors).items() if isinstance(kind, type)},
    "MalformedData": MalformedData,
    "InvalidSignature": InvalidSignature,
}


def _cases(name: str) -> list[Any]:
    assert VECTORS[name]
    return [pytest.param(case, id=case["id"]) for case in VECTORS[name]]


def _bytes(items: list[str]) -> list[bytes]:
    return [bytes.fromhex(item) for item in items]


def _exactly(case: dict[str, Any], caught: pytest.ExceptionInfo[Exception]) -> None:
    assert type(caught.value).__name__ == case["error"]


def test_the_file_is_what_the_generator_writes() -> None:
    assert generate_ledger_vectors.vectors() == VECTORS


@pytest.mark.parametrize("case", _cases("chains"))
def test_chains(case: dict[str, Any]) -> None:
    state = ChainState.start(bytes.fromhex(case["chain"]))
    roots = [state.head.root.hex()]
    for header in _bytes(case["headers"]):
        state = state.next(read_header(header))
        roots.append(state.head.root.hex())
    assert roots == case["roots"]


def _follow(case: dict[str, Any]) -> ChainState:
    head = Head(case["size"], bytes.fromhex(case["root"]))
    headers = [read_header(header) for header in _bytes(case["headers"])]
    start = ChainState.start(bytes.fromhex(case["chain"]))
    return verify_page(start, headers, head, _bytes(case["consistency"]))


@pytest.mark.parametrize("case", _cases("pages"))
def test_pages(case: dict[str, Any]) -> None:
    assert _follow(case).frontier.size == len(case["headers"])


@pytest.mark.parametrize("case", _cases("chain_refusals"))
def test_chain_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(KINDS[case["error"]]) as caught:
        _follow(case)
    _exactly(case, caught)


@pytest.mark.parametrize("case", _cases("contents"))
def test_contents(case: dict[str, Any]) -> None:
    header = read_header(bytes.fromhex(case["header"]))
    salt, body = bytes.fromhex(case["salt"]), bytes.fromhex(case["body"])
    if case["error"] is None:
        check_content(header, salt, body)
        return
    with pytest.raises(KINDS[case["error"]]):
        check_content(header, salt, body)


def _map(case: dict[str, Any]) -> None:
    root, label = bytes.fromhex(case["root"]), bytes.fromhex(case["label"])
    proof = from_bytes(MapProof, bytes.fromhex(case["proof"]))
    if case["value"] is None:
        sparse.verify_absent(root, label, proof)
    else:
        sparse.verify_included(root, label, bytes.fromhex(case["value"]), proof)


@pytest.mark.parametrize("case", _cases("map_proofs"))
def test_map_proofs(case: dict[str, Any]) -> None:
    _map(case)


@pytest.mark.parametrize("case", _cases("map_refusals"))
def test_map_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(KINDS[case["error"]]) as caught:
        _map(case)
    _exactly(case, caught)


@pytest.mark.parametrize("case", _cases("checkpoints"))
def test_checkpoints(case: dict[str, Any]) -> None:
    checkpoint = verify_checkpoint(case["note"].encode(), ORIGIN, SERVER)
    assert (checkpoint.size, checkpoint.root.hex()) == (case["size"], case["root"])


@pytest.mark.parametrize("case", TYPESCRIPT["checkpoints"], ids=lambda case: case["id"])
def test_checkpoints_signed_by_typescript(case: dict[str, Any]) -> None:
    note, public = case["note"].encode(), bytes.fromhex(case["public"])
    checkpoint = verify_checkpoint(note, case["origin"], public)
    assert (checkpoint.size, checkpoint.root.hex()) == (case["size"], case["root"])


@pytest.mark.parametrize("case", _cases("checkpoint_refusals"))
def test_checkpoint_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(KINDS[case["error"]]) as caught:
        verify_checkpoint(case["note"].encode(), ORIGIN, SERVER)
    _exactly(case, caught)


@pytest.mark.parametrize("case", _cases("receipts"))
def test_receipts(case: dict[str, Any]) -> None:
    receipt = from_bytes(Receipt, bytes.fromhex(case["receipt"]))
    shown = verify_receipt(receipt, SERVER, ORIGIN)
    assert shown.header.chain.hex() == case["chain"]
    assert shown.header.sequence == case["sequence"]
    assert shown.head.size == case["chain_size"]
    assert (shown.time, shown.checkpoint.size) == (case["time"], case["log_size"])


@pytest.mark.parametrize("case", _cases("receipt_refusals"))
def test_receipt_refusals(case: dict[str, Any]) -> None:
    receipt = from_bytes(Receipt, bytes.fromhex(case["receipt"]))
    with pytest.raises(KINDS[case["error"]]) as caught:
        verify_receipt(receipt, SERVER, ORIGIN)
    _exactly(case, caught)


@pytest.mark.parametrize("case", _cases("heads"))
def test_heads(case: dict[str, Any]) -> None:
    proof = from_bytes(HeadProof, bytes.fromhex(case["proof"]))
    shown = verify_head(proof, SERVER, ORIGIN)
    assert shown.head == Head(proof.size, proof.root)
    assert (shown.time, shown.checkpoint.size) == (case["time"], case["log_size"])


@pytest.mark.parametrize("case", _cases("head_refusals"))
def test_head_refusals(case: dict[str, Any]) -> None:
    proof = from_bytes(HeadProof, bytes.fromhex(case["proof"]))
    with pytest.raises(KINDS[case["error"]]) as caught:
        verify_head(proof, SERVER, ORIGIN)
    _exactly(case, caught)


def _read_restoration(case: dict[str, Any]) -> RestoredStatement:
    restoration = from_bytes(Restoration, bytes.fromhex(case["restoration"]))
    checkpoint = verify_checkpoint(case["checkpoint"].encode(), ORIGIN, SERVER)
    server = sha256(b"securemsg/server-id/1", SERVER)
    return verify_restoration(restoration, checkpoint, SERVER, server)


@pytest.mark.parametrize("case", _cases("restorations"))
def test_restorations(case: dict[str, Any]) -> None:
    assert to_bytes(_read_restoration(case)).hex() == case["said"]


@pytest.mark.parametrize("case", _cases("restoration_refusals"))
def test_restoration_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(KINDS[case["error"]]) as caught:
        _read_restoration(case)
    _exactly(case, caught)


def test_a_head_may_stand_under_a_restored_leaf() -> None:
    case = VECTORS["restored_head"]
    proof = from_bytes(HeadProof, bytes.fromhex(case["proof"]))
    assert proof.log_leaf.startswith(b"SMREST")
    assert verify_head(proof, SERVER, ORIGIN).time == case["time"]
