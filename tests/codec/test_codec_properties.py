"""Canonicality, against a second reader written from RFC 8949 for this test alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_msg.codec import cbor, statement
from secure_msg.codec.errors import CodecError, MalformedData, Unencodable
from secure_msg.codec.schema import from_bytes, from_json, to_bytes, to_json
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.signature import HYBRID
from tests.codec.samples import FULL, PLAIN, Inner, Note, Nothing, Sample

LIMIT = 4096


class _Refused(Exception):
    pass


def _read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument in its shortest form, where the head ends (sections 3 and 4.2.1)."""
    if at >= len(data) or data[at] & 31 > 27:
        raise _Refused
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    size = 1 << (info - 24)
    argument = int.from_bytes(data[at : at + size], "big")
    if at + size > len(data) or major == 7 or argument < (24 if size == 1 else 1 << (4 * size)):
        raise _Refused
    return major, argument, at + size


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    major, argument, at = _read_head(data, at)
    match major:
        case 0 | 1 if argument <= 2**53 - 1 - major:
            return (argument if major == 0 else -1 - argument), at
        case 2 | 3 if at + argument <= len(data):
            raw = data[at : at + argument]
            return (raw if major == 2 else _utf8(raw)), at + argument
        case 4:
            return _read_items(data, at, argument, depth)
        case 7 if argument in (20, 21, 22):
            return {20: False, 21: True, 22: None}[argument], at
    raise _Refused


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _Refused from None


def _read_items(data: bytes, at: int, count: int, depth: int) -> tuple[Any, int]:
    if depth == 16 or count > len(data) - at:
        raise _Refused
    items = []
    for _ in range(count):
        item, at = _read(data, at, depth + 1)
        items.append(item)
    return items, at


def _second_opinion(data: bytes) -> Any:
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise _Refused
    return value


_ints = st.integers(-(2**53 - 1), 2**53 - 1)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_scalars = st.one_of(_ints, st.binary(max_size=300), _text, st.booleans(), st.none())
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=6), max_leaves=30)


@settings(max_examples=300, deadline=None)
@given(_values)
def test_round_trip(value: Any) -> None:
    data = cbor.encode(value)
    assert cbor.decode(data, limit=len(data)) == value
    assert _second_opinion(data) == value


def _damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.one_of(_values.map(cbor.encode), st.binary(max_size=40))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        byte = draw(st.integers(0, 255))
        match draw(st.sampled_from(("put", "insert", "drop"))):
            case "put":
                data[at : at + 1] = bytes([byte])
            case "insert":
                data.insert(at, byte)
            case _:
                del data[at : at + 1]
    return bytes(data)


@settings(max_examples=1500, deadline=None)
@given(st.composite(_damaged)())
def test_two_readers_accept_the_same(data: bytes) -> None:
    try:
        expected = _second_opinion(data)
    except _Refused:
        with pytest.raises(MalformedData):
            cbor.decode(data, limit=LIMIT)
        return
    value = cbor.decode(data, limit=LIMIT)
    assert value == expected
    assert cbor.encode(value) == data


@settings(max_examples=100, deadline=None)
@given(st.integers(24, 0xFFFF), st.binary(max_size=4))
def test_unknown_tags_are_refused_before_their_meaning(tag: int, rest: bytes) -> None:
    data = (b"\xd8" + bytes([tag]) if tag < 256 else b"\xd9" + tag.to_bytes(2, "big")) + rest
    with pytest.raises(MalformedData):
        cbor.decode(data, limit=LIMIT)


_notes = st.builds(Note, text=st.text(st.characters(exclude_categories=["Cs"]), max_size=16))
_inners = st.builds(Inner, level=st.integers(-5, 5))
_samples = st.builds(
    Sample,
    chain_id=st.binary(min_size=4, max_size=4),
    blob=st.binary(min_size=1, max_size=300),
    count=st.integers(0, 2**53 - 1),
    small=st.integers(0, 1000),
    wide=_ints,
    title=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10),
    flag=st.booleans(),
    colour=st.sampled_from(("red", "blue")),
    parts=st.lists(st.binary(min_size=2, max_size=2), max_size=3).map(tuple),
    notes=st.lists(st.one_of(st.none(), _notes), max_size=4).map(tuple),
    previous=st.one_of(st.none(), st.binary(max_size=32)),
    inner=_inners,
    body=st.one_of(_notes, _inners, st.just(Nothing())),
    reply=st.one_of(st.none(), _notes, _inners),
)


@settings(max_examples=200, deadline=None)
@given(_samples)
def test_records_come_back(sample: Sample) -> None:
    assert from_bytes(Sample, to_bytes(sample)) == sample
    assert from_json(Sample, json.loads(json.dumps(to_json(sample)))) == sample


@settings(max_examples=400, deadline=None)
@given(st.sampled_from((FULL, PLAIN)).map(to_bytes), st.data())
def test_a_mutated_record_is_refused_or_is_another_record(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    mutated = data[:at] + bytes([data[at] ^ draw.draw(st.integers(1, 255))]) + data[at + 1 :]
    try:
        sample = from_bytes(Sample, mutated)
    except MalformedData:
        return
    assert sample not in (FULL, PLAIN)
    assert to_bytes(sample) == mutated


@pytest.mark.parametrize(
    "bad",
    [2**53, -(2**53), 1.0, {}, {1: 2}, bytearray(b"x"), "\ud800", (set(),), object(), [[1.5]]],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_written_is_the_callers_misuse(bad: Any) -> None:
    with pytest.raises(Unencodable):
        cbor.encode(bad)


def test_depth_is_refused_when_writing_too() -> None:
    value: Any = 7
    for _ in range(16):
        value = [value]
    cbor.encode(value)
    with pytest.raises(Unencodable):
        cbor.encode([value])


def test_errors_never_hold_content() -> None:
    secret = "correct horse"
    with pytest.raises(CodecError) as caught:
        to_bytes(Note(secret * 10))
    assert str(caught.value) == "Note.text: not 0 to 64 bytes of UTF-8"
    with pytest.raises(CodecError) as caught:
        from_json(Note, {"text": "x", secret: 1})
    assert secret not in str(caught.value)


def test_attack_17_a_statement_with_any_bit_flipped_is_refused() -> None:
    key = HYBRID.generate(bytes(range(64)))
    data = statement.sign_statement(key, "securemsg/test/1", b"payload")
    for at in [*range(0, 80), *range(80, len(data), 97), len(data) - 1]:
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        with pytest.raises((MalformedData, CryptoError)):
            statement.open_statement(key.public, "securemsg/test/1", flipped)


@pytest.mark.parametrize("name", ["", "x" * 65, "with space", "é", "line\n"])
def test_type_names_are_printable_ascii(name: str) -> None:
    with pytest.raises(Unencodable):
        statement.sign_statement(HYBRID.generate(bytes(64)), name, b"")
