"""Records: frozen dataclasses whose fields say how they are written (docs/spec/encoding.md).

    @record
    @dataclass(frozen=True, slots=True)
    class Greeting:
        to: Annotated[bytes, Fixed(32)]
        note: Annotated[str | None, Maybe(Text(64))]

    to_bytes(greeting); from_bytes(Greeting, data, limit=4096)

Records are defined at module level (their annotations are resolved when @record runs).
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from secure_msg.codec import cbor
from secure_msg.codec.compounds import (
    Many,
    Maybe,
    Nested,
    Union,
    an_array,
    define,
    encode_record,
    read_object,
    read_record,
    write_object,
    write_record,
)
from secure_msg.codec.errors import CodecError, MalformedData, Unencodable
from secure_msg.codec.fields import (
    Bool,
    Bytes,
    Choice,
    Field,
    Fields,
    Fixed,
    Int,
    Text,
    Uint,
)

__all__ = [
    "Bool",
    "Bytes",
    "Choice",
    "CodecError",
    "Fixed",
    "Int",
    "MalformedData",
    "Many",
    "Maybe",
    "Nested",
    "Text",
    "Uint",
    "Unencodable",
    "Union",
    "from_bytes",
    "from_json",
    "from_value",
    "record",
    "to_bytes",
    "to_json",
    "to_value",
]

T = TypeVar("T")

DEFAULT_LIMIT = 65_536


def record(cls: type[T]) -> type[T]:
    """Read the field types of a frozen dataclass once; a field without one is a TypeError."""
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    hints = get_type_hints(cls, include_extras=True)
    found: Fields = tuple((f.name, _field_type(cls, f.name, hints[f.name])) for f in fields(cls))
    define(cls, found)
    return cls


def _field_type(cls: type[Any], name: str, hint: object) -> Field:
    if get_origin(hint) is Annotated:
        plain, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Field):
                if not extra.fits(plain):
                    raise TypeError(f"{cls.__name__}.{name}: its Python type does not fit {extra}")
                return extra
    raise TypeError(f"{cls.__name__}.{name} has no field type")


def to_value(obj: object) -> list[cbor.Value]:
    """The record as a CBOR array, every field checked. Raises Unencodable."""
    try:
        return write_record(obj)
    except CodecError as error:
        error.within(type(obj).__name__)
        raise


def from_value(cls: type[T], value: object) -> T:
    """The record of a decoded CBOR array. Raises MalformedData."""
    try:
        return read_record(cls, an_array(value))
    except CodecError as error:
        error.within(cls.__name__)
        raise


def to_bytes(obj: object) -> bytes:
    """The one encoding of a record. Raises Unencodable."""
    try:
        return encode_record(obj)
    except CodecError as error:
        error.within(type(obj).__name__)
        raise


def from_bytes(cls: type[T], data: bytes, *, limit: int = DEFAULT_LIMIT) -> T:
    """The record whose one encoding is `data`. Raises MalformedData."""
    try:
        value = cbor.well_formed(data, limit=limit)
        found = read_record(cls, an_array(value))
        cbor.require_deterministic(value, data)
    except CodecError as error:
        error.within(cls.__name__)
        raise
    return found


def to_json(obj: object) -> dict[str, Any]:
    """The record as a JSON object, every field checked. Raises Unencodable."""
    try:
        return write_object(obj)
    except CodecError as error:
        error.within(type(obj).__name__)
        raise


def from_json(cls: type[T], value: object) -> T:
    """The record of a parsed JSON object with exactly its fields. Raises MalformedData."""
    try:
        return read_object(cls, value, extra=0)
    except CodecError as error:
        error.within(cls.__name__)
        raise
