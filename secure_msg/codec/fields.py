"""The types that a record's field can have; the table in docs/spec/encoding.md is their meaning.

Each field type checks on the way out (Unencodable) as on the way in (MalformedData).
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin
from typing import Union as TypingUnion

from secure_msg.codec.cbor import MAX_INT, check_text
from secure_msg.codec.errors import CodecError, MalformedData, Unencodable

T = TypeVar("T")


class Field:
    """Base of the field types; a scalar needs only `check`."""

    def fits(self, hint: object) -> bool:
        """Whether `hint` is the Python type that this field holds."""
        raise NotImplementedError

    def check(self, value: Any, fault: type[CodecError]) -> None:
        raise NotImplementedError

    def to_value(self, value: Any) -> Any:
        self.check(value, Unencodable)
        return value

    def from_value(self, value: Any) -> Any:
        self.check(value, MalformedData)
        return value

    def to_json(self, value: Any) -> Any:
        return self.to_value(value)

    def from_json(self, value: Any) -> Any:
        return self.from_value(value)


Fields: TypeAlias = tuple[tuple[str, Field], ...]


class _BytesField(Field):
    def fits(self, hint: object) -> bool:
        return hint is bytes

    def to_json(self, value: Any) -> Any:
        return to_base64url(self.to_value(value))

    def from_json(self, value: Any) -> Any:
        return self.from_value(from_base64url(value))


@dataclass(frozen=True, slots=True)
class Fixed(_BytesField):
    """A byte string of exactly `size` bytes."""

    size: int

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not bytes:
            raise fault("not a byte string")
        if len(value) != self.size:
            raise fault(f"not {self.size} bytes")


@dataclass(frozen=True, slots=True)
class Bytes(_BytesField):
    """A byte string of `min` to `max` bytes."""

    max: int
    min: int = 0

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not bytes:
            raise fault("not a byte string")
        if not self.min <= len(value) <= self.max:
            raise fault(f"not {self.min} to {self.max} bytes")


@dataclass(frozen=True, slots=True)
class Int(Field):
    """An integer in `min` to `max`, at most 53 bits."""

    min: int = -MAX_INT
    max: int = MAX_INT

    def fits(self, hint: object) -> bool:
        return hint is int

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not int:
            raise fault("not an integer")
        if not self.min <= value <= self.max:
            raise fault(f"not in {self.min} to {self.max}")


@dataclass(frozen=True, slots=True)
class Uint(Field):
    """An unsigned integer up to `max`."""

    max: int = MAX_INT

    def fits(self, hint: object) -> bool:
        return hint is int

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not int:
            raise fault("not an integer")
        if not 0 <= value <= self.max:
            raise fault(f"not in 0 to {self.max}")


@dataclass(frozen=True, slots=True)
class Text(Field):
    """Text of `min` to `max` UTF-8 bytes."""

    max: int
    min: int = 0

    def fits(self, hint: object) -> bool:
        return hint is str

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not str:
            raise fault("not text")
        if not self.min <= check_text(value, fault) <= self.max:
            raise fault(f"not {self.min} to {self.max} bytes of UTF-8")


class Bool(Field):
    """True or false."""

    def fits(self, hint: object) -> bool:
        return hint is bool

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not bool:
            raise fault("not true or false")


class Choice(Field):
    """One of the given texts."""

    def __init__(self, *options: str) -> None:
        self.options = options

    def fits(self, hint: object) -> bool:
        return hint is str or (get_origin(hint) is Literal and get_args(hint) == self.options)

    def check(self, value: Any, fault: type[CodecError]) -> None:
        if type(value) is not str or value not in self.options:
            raise fault("not one of the choices")


@dataclass(frozen=True, slots=True)
class Many(Field):
    """An array of `min` to `max` items; a tuple in Python."""

    item: Field
    max: int
    min: int = 0

    def fits(self, hint: object) -> bool:
        inner = get_args(hint)
        return get_origin(hint) is tuple and inner[1:] == (...,) and self.item.fits(inner[0])

    def _each(
        self, values: Any, convert: Callable[[Any], Any], fault: type[CodecError]
    ) -> list[Any]:
        if not self.min <= len(values) <= self.max:
            raise fault(f"not {self.min} to {self.max} items")
        result = []
        for index, value in enumerate(values):
            try:
                result.append(convert(value))
            except CodecError as error:
                error.within(f"[{index}]")
                raise
        return result

    def to_value(self, value: Any) -> Any:
        return self._each(_exactly(tuple, value), self.item.to_value, Unencodable)

    def from_value(self, value: Any) -> Any:
        return tuple(self._each(_an_array(value), self.item.from_value, MalformedData))

    def to_json(self, value: Any) -> Any:
        return self._each(_exactly(tuple, value), self.item.to_json, Unencodable)

    def from_json(self, value: Any) -> Any:
        return tuple(self._each(_an_array(value), self.item.from_json, MalformedData))


@dataclass(frozen=True, slots=True)
class Maybe(Field):
    """Null, or the field."""

    item: Field

    def fits(self, hint: object) -> bool:
        if get_origin(hint) not in (UnionType, TypingUnion) or isinstance(self.item, Maybe):
            return False
        inner = tuple(part for part in get_args(hint) if part is not type(None))
        return len(inner) < len(get_args(hint)) and self.item.fits(reduce(or_, inner))

    def to_value(self, value: Any) -> Any:
        return None if value is None else self.item.to_value(value)

    def from_value(self, value: Any) -> Any:
        return None if value is None else self.item.from_value(value)

    def to_json(self, value: Any) -> Any:
        return None if value is None else self.item.to_json(value)

    def from_json(self, value: Any) -> Any:
        return None if value is None else self.item.from_json(value)


@dataclass(frozen=True, slots=True)
class Nested(Field):
    """Another record's array (in JSON, its object)."""

    cls: type[Any]

    def fits(self, hint: object) -> bool:
        return hint is self.cls

    def to_value(self, value: Any) -> Any:
        return write_record(_exactly(self.cls, value), json=False)

    def from_value(self, value: Any) -> Any:
        return read_record(self.cls, _an_array(value))

    def to_json(self, value: Any) -> Any:
        written = write_record(_exactly(self.cls, value), json=True)
        return {name: item for (name, _), item in zip(fields_of(self.cls), written, strict=True)}

    def from_json(self, value: Any) -> Any:
        return read_object(self.cls, value, extra=0)


class Union(Field):
    """One of several records, by a text tag before the first field (in JSON: `kind`)."""

    def __init__(self, members: dict[str, type[Any]]) -> None:
        self._by_tag = dict(members)
        self._by_class = {cls: tag for tag, cls in members.items()}
        if len(self._by_class) != len(self._by_tag):
            raise TypeError("a union names each record once")
        for cls in self._by_class:
            if "kind" in dict(fields_of(cls)):
                raise TypeError(f"{cls.__name__} is in a union and has a field named kind")

    def fits(self, hint: object) -> bool:
        return set(get_args(hint) or (hint,)) == set(self._by_class)

    def _tag_of(self, value: Any) -> str:
        tag = self._by_class.get(type(value))
        if tag is None:
            raise Unencodable("not a member of the union")
        return tag

    def _class_of(self, tag: Any) -> type[Any]:
        cls = self._by_tag.get(tag) if type(tag) is str else None
        if cls is None:
            raise MalformedData("unknown kind")
        return cls

    def to_value(self, value: Any) -> Any:
        return [self._tag_of(value), *write_record(value, json=False)]

    def from_value(self, value: Any) -> Any:
        if not _an_array(value):
            raise MalformedData("a union without its kind")
        return read_record(self._class_of(value[0]), value[1:])

    def to_json(self, value: Any) -> Any:
        return {"kind": self._tag_of(value), **Nested(type(value)).to_json(value)}

    def from_json(self, value: Any) -> Any:
        if type(value) is not dict:
            raise MalformedData("not an object")
        return read_object(self._class_of(value.get("kind")), value, extra=1)


def fields_of(cls: type[Any]) -> Fields:
    """The (name, type) pairs that @record found, in order."""
    found: Fields | None = getattr(cls, "__record_fields__", None)
    if found is None:
        raise TypeError(f"{cls.__name__} is not a record")
    return found


def write_record(obj: Any, *, json: bool) -> list[Any]:
    """The fields' values in order. Raises Unencodable."""
    result = []
    for name, field in fields_of(type(obj)):
        value = getattr(obj, name)
        try:
            result.append(field.to_json(value) if json else field.to_value(value))
        except CodecError as error:
            error.within(f".{name}")
            raise
    return result


def read_record(cls: type[T], values: list[Any]) -> T:
    """The record of its fields' values in order. Raises MalformedData."""
    expected = fields_of(cls)
    if len(values) != len(expected):
        raise MalformedData(f"not an array of {len(expected)} fields")
    result = []
    for (name, field), value in zip(expected, values, strict=True):
        try:
            result.append(field.from_value(value))
        except CodecError as error:
            error.within(f".{name}")
            raise
    return cls(*result)


def read_object(cls: type[T], value: Any, *, extra: int) -> T:
    """The record of a JSON object with its fields and `extra` keys that the caller has read."""
    if type(value) is not dict:
        raise MalformedData("not an object")
    expected = fields_of(cls)
    if len(value) != len(expected) + extra or any(name not in value for name, _ in expected):
        raise MalformedData("missing or unknown keys")
    result = []
    for name, field in expected:
        try:
            result.append(field.from_json(value[name]))
        except CodecError as error:
            error.within(f".{name}")
            raise
    return cls(*result)


def _exactly(cls: type[Any], value: Any) -> Any:
    if type(value) is not cls:
        raise Unencodable(f"not a {cls.__name__}")
    return value


def _an_array(value: Any) -> Any:
    if type(value) is not list:
        raise MalformedData("not an array")
    return value


def to_base64url(data: bytes) -> str:
    """RFC 4648 section 5, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: object) -> bytes:
    """Canonical unpadded base64url only. Raises MalformedData."""
    if type(text) is not str or not text.isascii() or "=" in text:
        raise MalformedData("not base64url")
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise MalformedData("not base64url") from None
    if to_base64url(data) != text:
        raise MalformedData("not canonical base64url")
    return data
