"""Public tlog checkpoints, and the note verifier key that auditors use."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from secure_msg.crypto.errors import InvalidSignature
from secure_msg.crypto.signature import ED25519
from secure_msg.ledger import merkle
from secure_msg.ledger.checkpoint import (
    Checkpoint,
    ed25519_key_id,
    parse_checkpoint,
    verifier_key,
)
from tests.ledger.simulated import ORIGIN, SimulatedLedger

VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors" / "merkle" / "tlog_checkpoints.json").read_text()
)
NAME, KEY_ID, KEY = VECTORS["vkey"].split("+", 2)


@pytest.mark.parametrize("case", VECTORS["checkpoints"], ids=lambda case: str(case["size"]))
def test_public_checkpoints(case: dict[str, Any]) -> None:
    public = b64decode(KEY)[1:]
    key_id = ed25519_key_id(NAME, public)
    assert key_id.hex() == KEY_ID
    signed = parse_checkpoint(case["note"].encode())
    leaves = [merkle.leaf_hash(entry.encode()) for entry in VECTORS["entries"]]
    expected = merkle.root_of(leaves[: case["size"]])
    assert signed.checkpoint == Checkpoint(NAME, case["size"], expected)
    signature = signed.of_key(NAME, key_id)
    ED25519.verify(public, signed.text, signature)
    with pytest.raises(InvalidSignature):
        ED25519.verify(public, signed.text + b"\n", signature)


def test_verifier_key() -> None:
    ledger = SimulatedLedger()
    name, key_id, key = verifier_key(ORIGIN, ledger.public).split("+", 2)
    assert (name, b64decode(key)) == (ORIGIN, b"\x01" + ledger.public[:32])
    assert parse_checkpoint(ledger.checkpoint()).signatures[0].key_id.hex() == key_id


@pytest.mark.parametrize("origin", ["", "with space", "plus+sign", "line\nbreak", "é", "x" * 256])
def test_origins_are_key_names(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Checkpoint(origin, 0, merkle.EMPTY_ROOT).text()
