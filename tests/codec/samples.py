"""Records with every kind of field; tests/ts/codec/samples.ts has the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from secure_msg.codec.schema import (
    Bool,
    Bytes,
    Choice,
    Fixed,
    Int,
    Many,
    Maybe,
    Nested,
    Text,
    Uint,
    Union,
    record,
)


@record
@dataclass(frozen=True, slots=True)
class Inner:
    level: Annotated[int, Int(-5, 5)]


@record
@dataclass(frozen=True, slots=True)
class Note:
    text: Annotated[str, Text(64)]


@record
@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@record
@dataclass(frozen=True, slots=True)
class Sample:
    chain_id: Annotated[bytes, Fixed(4)]
    blob: Annotated[bytes, Bytes(300, min=1)]
    count: Annotated[int, Uint()]
    small: Annotated[int, Uint(1000)]
    wide: Annotated[int, Int()]
    title: Annotated[str, Text(40, min=1)]
    flag: Annotated[bool, Bool()]
    colour: Annotated[Literal["red", "blue"], Choice("red", "blue")]
    parts: Annotated[tuple[bytes, ...], Many(Fixed(2), 3)]
    notes: Annotated[tuple[Note | None, ...], Many(Maybe(Nested(Note)), 4)]
    previous: Annotated[bytes | None, Maybe(Bytes(32))]
    inner: Annotated[Inner, Nested(Inner)]
    body: Annotated[Note | Inner | Nothing, Union({"note": Note, "in": Inner, "none": Nothing})]
    reply: Annotated[Note | Inner | None, Maybe(Union({"note": Note, "in": Inner}))]


FULL = Sample(
    chain_id=b"abcd",
    blob=bytes(range(256)),
    count=2**53 - 1,
    small=1000,
    wide=-(2**53 - 1),
    title="\ufeffčaj 🍵",
    flag=True,
    colour="blue",
    parts=(b"xx", b"yy", b"zz"),
    notes=(Note("a"), None, Note("")),
    previous=b"",
    inner=Inner(-5),
    body=Nothing(),
    reply=Note("é" * 32),
)
PLAIN = Sample(
    chain_id=bytes(4),
    blob=b"\x00",
    count=0,
    small=24,
    wide=256,
    title="t",
    flag=False,
    colour="red",
    parts=(),
    notes=(),
    previous=None,
    inner=Inner(0),
    body=Inner(5),
    reply=None,
)
