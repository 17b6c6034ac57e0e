"""What a record's definition must be, held when it is defined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from secure_msg.codec.schema import Fixed, Many, Maybe, Text, Uint, Union, record, to_bytes


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
