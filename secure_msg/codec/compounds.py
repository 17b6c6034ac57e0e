"""Fields that are made of others, and the records that are made of fields.

What reads and writes a record is put together once, when the record is defined; every value of
every field goes through its check, so that what was read or written needs no second look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin
from typing import Union as TypingUnion

from secure_msg.codec.cbor import array_head, encode_checked
from secure_msg.codec.errors import CodecError, MalformedData, Unencodable
from secure_msg.codec.fields import Convert, Emit, Encode, Field, Fields, one_by_one

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Many(Field):
    """An array of `min` to `max` items; a tuple in Python."""

    item: Field
    max: int
    min: int = 0

    def fits(self, hint: object) -> bool:
        inner = get_args(hint)
        return get_origin(hint) is tuple and inner[1:] == (...,) and self.item.fits(inner[0])

    def reader(self) -> Convert:
        each = self._each(self.item.reader(), MalformedData)
        return lambda values: tuple(each(an_array(values)))

    def writer(self) -> Convert:
        each = self._each(self.item.writer(), Unencodable)
        return lambda values: each(_exactly(tuple, values))

    def encoder(self) -> Encode:
        encode, low, high = self.item.array_encoder(), self.min, self.max

        def many(values: Any, emit: Emit) -> None:
            if type(values) is not tuple:
                raise Unencodable("not a tuple")
            if not low <= len(values) <= high:
                raise Unencodable(f"not {low} to {high} items")
            emit(array_head(len(values)))
            encode(values, emit)

        return many

    def to_json(self, value: Any) -> Any:
        return self._each(self.item.to_json, Unencodable)(_exactly(tuple, value))

    def from_json(self, value: Any) -> Any:
        return tuple(self._each(self.item.from_json, MalformedData)(an_array(value)))

    def _each(self, convert: Convert, fault: type[CodecError]) -> Callable[[Any], list[Any]]:
        low, high = self.min, self.max

        def each(values: Any) -> list[Any]:
            if not low <= len(values) <= high:
                raise fault(f"not {low} to {high} items")
            result: list[Any] = []
            try:
                for value in values:
                    result.append(convert(value))
            except CodecError as error:
                error.within(f"[{len(result)}]")
                raise
            return result

        return each


@dataclass(frozen=True, slots=True)
class Maybe(Field):
    """Null, or the field."""

    item: Field

    def fits(self, hint: object) -> bool:
        if get_origin(hint) not in (UnionType, TypingUnion) or isinstance(self.item, Maybe):
            return False
        inner = tuple(part for part in get_args(hint) if part is not type(None))
        return len(inner) < len(get_args(hint)) and self.item.fits(reduce(or_, inner))

    def reader(self) -> Convert:
        return _or_null(self.item.reader())

    def writer(self) -> Convert:
        return _or_null(self.item.writer())

    def encoder(self) -> Encode:
        encode, null = self.item.encoder(), encode_checked(None)

        def maybe(value: Any, emit: Emit) -> None:
            if value is None:
                emit(null)
            else:
                encode(value, emit)

        return maybe

    def array_encoder(self) -> Encode:
        together, each = self.item.array_encoder(), one_by_one(self.encoder())

        def maybe(values: tuple[Any, ...], emit: Emit) -> None:
            encode = each if None in values else together
            encode(values, emit)

        return maybe

    def to_json(self, value: Any) -> Any:
        return _or_null(self.item.to_json)(value)

    def from_json(self, value: Any) -> Any:
        return _or_null(self.item.from_json)(value)


def _or_null(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


@dataclass(frozen=True, slots=True)
class Nested(Field):
    """Another record's array (in JSON, its object)."""

    cls: type[Any]

    def fits(self, hint: object) -> bool:
        return hint is self.cls

    def reader(self) -> Convert:
        read = _of(self.cls).read
        return lambda values: read(an_array(values))

    def writer(self) -> Convert:
        cls, write = self.cls, _of(self.cls).write
        return lambda value: write(_exactly(cls, value))

    def encoder(self) -> Encode:
        cls, encode = self.cls, _of(self.cls).encode

        def nested(value: Any, emit: Emit) -> None:
            if type(value) is not cls:
                raise Unencodable(f"not a {cls.__name__}")
            encode(value, emit)

        return nested

    def to_json(self, value: Any) -> Any:
        return write_object(_exactly(self.cls, value))

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

    def reader(self) -> Convert:
        def union(value: Any) -> Any:
            if not an_array(value):
                raise MalformedData("a union without its kind")
            return _of(self._class_of(value[0])).read(value[1:])

        return union

    def writer(self) -> Convert:
        return lambda value: [self._tag_of(value), *_of(type(value)).write(value)]

    def encoder(self) -> Encode:
        members = {
            cls: _encoder(fields_of(cls), array_head(1 + len(fields_of(cls))) + encode_checked(tag))
            for tag, cls in self._by_tag.items()
        }

        def union(value: Any, emit: Emit) -> None:
            encode = members.get(type(value))
            if encode is None:
                raise Unencodable("not a member of the union")
            encode(value, emit)

        return union

    def to_json(self, value: Any) -> Any:
        return {"kind": self._tag_of(value), **write_object(value)}

    def from_json(self, value: Any) -> Any:
        if type(value) is not dict:
            raise MalformedData("not an object")
        return read_object(self._class_of(value.get("kind")), value, extra=1)


@dataclass(frozen=True, slots=True)
class Record:
    """What a record's class carries: its fields in order, and what reads and writes their values.

    `read` takes a list and raises MalformedData, `write` gives one and raises Unencodable, and so
    does `encode`, which emits the bytes of what `write` gives.
    """

    fields: Fields
    read: Callable[[list[Any]], Any]
    write: Callable[[Any], list[Any]]
    encode: Encode


def define(cls: type[Any], fields: Fields) -> None:
    """Make `cls` a record of these fields."""
    encoder = _encoder(fields, array_head(len(fields)))
    cls.__record__ = Record(fields, _reader(cls, fields), _writer(fields), encoder)


def _reader(cls: type[Any], fields: Fields) -> Callable[[list[Any]], Any]:
    names = [name for name, _ in fields]
    readers = [field.reader() for _, field in fields]
    count = len(fields)

    def read(values: list[Any]) -> Any:
        if len(values) != count:
            raise MalformedData(f"not an array of {count} fields")
        result: list[Any] = []
        try:
            for one, value in zip(readers, values, strict=True):
                result.append(one(value))
        except CodecError as error:
            error.within(f".{names[len(result)]}")
            raise
        return cls(*result)

    return read


def _writer(fields: Fields) -> Callable[[Any], list[Any]]:
    writers = [(name, field.writer()) for name, field in fields]

    def write(obj: Any) -> list[Any]:
        result: list[Any] = []
        try:
            for name, one in writers:
                result.append(one(getattr(obj, name)))
        except CodecError as error:
            error.within(f".{writers[len(result)][0]}")
            raise
        return result

    return write


def _encoder(fields: Fields, head: bytes) -> Encode:
    encoders = [(name, field.encoder()) for name, field in fields]

    def encode(obj: Any, emit: Emit) -> None:
        emit(head)
        name = ""
        try:
            for name, one in encoders:
                one(getattr(obj, name), emit)
        except CodecError as error:
            error.within(f".{name}")
            raise

    return encode


def _of(cls: type[Any]) -> Record:
    found: Record | None = getattr(cls, "__record__", None)
    if found is None:
        raise TypeError(f"{cls.__name__} is not a record")
    return found


def fields_of(cls: type[Any]) -> Fields:
    """The (name, type) pairs that @record found, in order."""
    return _of(cls).fields


def write_record(obj: Any) -> list[Any]:
    """The fields' values in order. Raises Unencodable."""
    return _of(type(obj)).write(obj)


def encode_record(obj: Any) -> bytes:
    """The encoding of `write_record(obj)`. Raises Unencodable."""
    pieces: list[bytes] = []
    _of(type(obj)).encode(obj, pieces.append)
    return b"".join(pieces)


def read_record(cls: type[T], values: list[Any]) -> T:
    """The record of its fields' values in order. Raises MalformedData."""
    result: T = _of(cls).read(values)
    return result


def write_object(obj: Any) -> dict[str, Any]:
    """The record as a JSON object. Raises Unencodable."""
    result: dict[str, Any] = {}
    for name, field in fields_of(type(obj)):
        try:
            result[name] = field.to_json(getattr(obj, name))
        except CodecError as error:
            error.within(f".{name}")
            raise
    return result


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


def an_array(value: Any) -> Any:
    if type(value) is not list:
        raise MalformedData("not an array")
    return value
