"""What a record's definition must be, held when it is defined; and what it then encodes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest

from secure_msg.codec import cbor
from secure_msg.codec.schema import (
    Bytes,
    Fixed,
    Int,
    Many,
    Maybe,
    Text,
    Uint,
    Unencodable,
    Union,
    from_bytes,
    record,
    to_bytes,
    to_value,
)


def _fields(**annotations: Any) -> type[Any]:
    return dataclass(frozen=True)(type("Bad", (), {"__annotations__": annotations}))


@pytest.mark.parametrize(
    "annotation",
    [
        bytes,
        Annotated[bytes, "no field type"],
        Annotated[str, Fixed(4)],
        Annotated[bytes, Maybe(Fixed(4))],
        Annotated[bytes | None, Fixed(4)],
        Annotated[list[bytes], Many(Fixed(4), 3)],
        Annotated[tuple[str, ...], Many(Fixed(4), 3)],
        Annotated[int | None, Maybe(Maybe(Uint()))],
    ],
    ids=repr,
)
def test_a_field_whose_types_disagree_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeError):
        record(_fields(field=annotation))


def test_only_dataclasses_are_records() -> None:
    with pytest.raises(TypeError):
        record(int)
    with pytest.raises(TypeError):
        to_bytes(object())


def test_a_union_needs_distinct_records_without_kind() -> None:
    kind = record(_fields(kind=Annotated[str, Text(8)]))
    plain = record(_fields(text=Annotated[str, Text(8)]))
    with pytest.raises(TypeError):
        Union({"a": kind})
    with pytest.raises(TypeError):
        Union({"a": plain, "b": plain})
    with pytest.raises(TypeError):
        Union({"a": int})


@record
@dataclass(frozen=True, slots=True)
class _Turn:
    number: Annotated[int, Int()]


@record
@dataclass(frozen=True, slots=True)
class _Path:
    hashes: Annotated[tuple[bytes, ...], Many(Fixed(2), 40)]
    siblings: Annotated[tuple[bytes | None, ...], Many(Maybe(Fixed(2)), 4)]
    note: Annotated[bytes, Bytes(70_000)]
    turn: Annotated[_Turn, Union({"turn": _Turn})]


PATHS = [
    _Path((), (), b"", _Turn(-1)),
    _Path((b"aa",), (None,), bytes(23), _Turn(23)),
    _Path((b"aa",) * 23, (b"bb", None), bytes(24), _Turn(24)),
    _Path((b"aa", b"bb") * 12, (None, b"bb", b"cc"), bytes(256), _Turn(255)),
    _Path((b"aa",) * 40, (b"bb", b"cc"), bytes(65_536), _Turn(65_536)),
]


@pytest.mark.parametrize("path", PATHS)
def test_the_pieces_are_the_encoding_of_the_value(path: _Path) -> None:
    assert to_bytes(path) == cbor.encode(to_value(path))
    assert from_bytes(_Path, to_bytes(path), limit=1 << 20) == path


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"hashes": (b"aa", b"bbb")}, "_Path.hashes[1]: not 2 bytes"),
        ({"hashes": (b"aa", "bb")}, "_Path.hashes[1]: not a byte string"),
        ({"hashes": (b"aa", None)}, "_Path.hashes[1]: not a byte string"),
        ({"hashes": (bytearray(b"aa"),)}, "_Path.hashes[0]: not a byte string"),
        ({"hashes": [b"aa"]}, "_Path.hashes: not a tuple"),
        ({"hashes": (b"aa",) * 41}, "_Path.hashes: not 0 to 40 items"),
        ({"siblings": (b"aa", b"")}, "_Path.siblings[1]: not 2 bytes"),
        ({"siblings": (None, b"aa", b"b")}, "_Path.siblings[2]: not 2 bytes"),
        ({"note": bytes(70_001)}, "_Path.note: not 0 to 70000 bytes"),
        ({"turn": _Turn(2**53)}, f"_Path.turn.number: not in {1 - 2**53} to {2**53 - 1}"),
        ({"turn": PATHS[0]}, "_Path.turn: not a member of the union"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(changed: dict[str, Any], place: str) -> None:
    bad = replace(PATHS[0], **changed)
    for write in (to_bytes, to_value):
        with pytest.raises(Unencodable, match=f"^{re.escape(place)}$"):
            write(bad)
