"""The vectors that Python and TypeScript share, and those that TypeScript signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secure_msg.codec import cbor, statement
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes, from_json, to_bytes, to_json
from secure_msg.crypto.errors import InvalidSignature
from tests.codec.samples import Sample
from tests.tools import generate_codec_vectors

PROJECT = Path(__file__).parent.parent / "vectors" / "project"
VECTORS: dict[str, Any] = json.loads((PROJECT / "codec.json").read_text())
TYPESCRIPT: dict[str, Any] = json.loads((PROJECT / "typescript.json").read_text())


def _cases(name: str) -> list[Any]:
    assert VECTORS[name]
    return [pytest.param(case, id=case["id"]) for case in VECTORS[name]]


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        return bytes.fromhex(plain["hex"])
    return [_value(item) for item in plain] if isinstance(plain, list) else plain


def test_the_file_is_what_the_generator_writes() -> None:
    assert generate_codec_vectors.vectors() == VECTORS


@pytest.mark.parametrize("case", _cases("values"))
def test_values(case: dict[str, Any]) -> None:
    value, data = _value(case["value"]), bytes.fromhex(case["cbor"])
    assert cbor.encode(value) == data
    assert cbor.decode(data, limit=len(data)) == value
    with pytest.raises(MalformedData):
        cbor.decode(data, limit=len(data) - 1)


@pytest.mark.parametrize("case", _cases("refusals"))
def test_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedData):
        cbor.decode(bytes.fromhex(case["data"]), limit=65_536)


@pytest.mark.parametrize("case", _cases("records"))
def test_records(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["cbor"])
    sample = from_bytes(Sample, data)
    assert to_bytes(sample) == data
    assert to_json(sample) == case["json"]
    assert from_json(Sample, case["json"]) == sample


@pytest.mark.parametrize("case", _cases("record_refusals"))
def test_record_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedData) as caught:
        from_bytes(Sample, bytes.fromhex(case["data"]))
    assert caught.value.path.startswith(case["path"])


@pytest.mark.parametrize("case", _cases("json_refusals"))
def test_json_refusals(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedData):
        from_json(Sample, case["json"])


def _open(case: dict[str, Any]) -> bytes:
    public, data = bytes.fromhex(case["public"]), bytes.fromhex(case["statement"])
    return statement.open_statement(public, case["type_name"], data)


@pytest.mark.parametrize("case", _cases("statement_refusals"))
def test_statement_refusals(case: dict[str, Any]) -> None:
    expected = {"MalformedData": MalformedData, "InvalidSignature": InvalidSignature}
    with pytest.raises(expected[case["error"]]):
        _open(case)


@pytest.mark.parametrize(
    "case", [*VECTORS["statements"], *TYPESCRIPT["statements"]], ids=lambda case: case["id"]
)
def test_statements_of_both_languages(case: dict[str, Any]) -> None:
    public, payload = bytes.fromhex(case["public"]), bytes.fromhex(case["payload"])
    assert _open(case) == payload
    assert statement.statement_key_id(bytes.fromhex(case["statement"])).hex() == case["key_id"]
    detached = bytes.fromhex(case["detached"])
    statement.verify_detached(public, case["type_name"], payload, detached)
    with pytest.raises(InvalidSignature):
        statement.verify_detached(public, case["type_name"] + "x", payload, detached)
    with pytest.raises(InvalidSignature):
        statement.verify_detached(public, case["type_name"], payload + b"x", detached)
