"""The scalar types that a record's field can have; docs/spec/encoding.md is their meaning.

Each checks on the way out (Unencodable) as on the way in (MalformedData). Those that are made of
others are in compounds.py.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin

from secure_msg.codec.cbor import MAX_INT, bytes_head, check_text, encode_checked
from secure_msg.codec.errors import CodecError, MalformedData, Unencodable

Convert: TypeAlias = Callable[[Any], Any]

Emit: TypeAlias = Callable[[bytes], None]
"""Takes the next piece of an encoding. What is large is a piece of its own, and copied once."""

Encode: TypeAlias = Callable[[Any, Emit], None]


class Field:
    """Base of the field types; a scalar needs only `fits` and `checked`.

    A record asks each field once for its functions, when it is defined.
    """

    def fits(self, hint: object) -> bool:
        """Whether `hint` is the Python type that this field holds."""
        raise NotImplementedError

    def checked(self, fault: type[CodecError]) -> Convert:
        """A function that gives its argument back, or raises `fault`."""
        raise NotImplementedError

    def reader(self) -> Convert:
        """From a decoded CBOR value. The function raises MalformedData."""
        return self.checked(MalformedData)

    def writer(self) -> Convert:
        """To a CBOR value. The function raises Unencodable."""
        return self.checked(Unencodable)

    def encoder(self) -> Encode:
        """Emits the encoding of what `writer` gives. The function raises Unencodable."""
        write = self.writer()

        def encode(value: Any, emit: Emit) -> None:
            emit(encode_checked(write(value)))

        return encode

    def array_encoder(self) -> Encode:
        """As `encoder`, of a tuple's values one after the other; errors name the place."""
        return one_by_one(self.encoder())

    def to_json(self, value: Any) -> Any:
        return self.writer()(value)

    def from_json(self, value: Any) -> Any:
        return self.reader()(value)


def one_by_one(encode: Encode) -> Encode:
    def each(values: tuple[Any, ...], emit: Emit) -> None:
        done = 0
        try:
            for value in values:
                encode(value, emit)
                done += 1
        except CodecError as error:
            error.within(f"[{done}]")
            raise

    return each


Fields: TypeAlias = tuple[tuple[str, Field], ...]


class _BytesField(Field):
    def fits(self, hint: object) -> bool:
        return hint is bytes

    def to_json(self, value: Any) -> Any:
        return to_base64url(self.writer()(value))

    def from_json(self, value: Any) -> Any:
        return self.reader()(from_base64url(value))


@dataclass(frozen=True, slots=True)
class Fixed(_BytesField):
    """A byte string of exactly `size` bytes."""

    size: int

    def checked(self, fault: type[CodecError]) -> Convert:
        size = self.size

        def fixed(value: Any) -> Any:
            if type(value) is not bytes:
                raise fault("not a byte string")
            if len(value) != size:
                raise fault(f"not {size} bytes")
            return value

        return fixed

    def encoder(self) -> Encode:
        check, head = self.writer(), bytes_head(self.size)

        def fixed(value: Any, emit: Emit) -> None:
            emit(head + check(value))

        return fixed

    def array_encoder(self) -> Encode:
        size, head, refuse = self.size, bytes_head(self.size), one_by_one(self.encoder())

        def together(values: tuple[Any, ...], emit: Emit) -> None:
            # Proofs are hashes for the most part: no calls for each of them.
            for value in values:
                if type(value) is not bytes or len(value) != size:
                    refuse(values, emit)
            emit(head.join((b"", *values)))

        return together


@dataclass(frozen=True, slots=True)
class Bytes(_BytesField):
    """A byte string of `min` to `max` bytes."""

    max: int
    min: int = 0

    def checked(self, fault: type[CodecError]) -> Convert:
        low, high = self.min, self.max

        def bounded(value: Any) -> Any:
            if type(value) is not bytes:
                raise fault("not a byte string")
            if not low <= len(value) <= high:
                raise fault(f"not {low} to {high} bytes")
            return value

        return bounded

    def encoder(self) -> Encode:
        check = self.writer()

        def bounded(value: Any, emit: Emit) -> None:
            emit(bytes_head(len(check(value))))
            emit(value)

        return bounded


@dataclass(frozen=True, slots=True)
class Int(Field):
    """An integer in `min` to `max`, at most 53 bits."""

    min: int = -MAX_INT
    max: int = MAX_INT

    def fits(self, hint: object) -> bool:
        return hint is int

    def checked(self, fault: type[CodecError]) -> Convert:
        low, high = self.min, self.max

        def integer(value: Any) -> Any:
            if type(value) is not int:
                raise fault("not an integer")
            if not low <= value <= high:
                raise fault(f"not in {low} to {high}")
            return value

        return integer


@dataclass(frozen=True, slots=True)
class Uint(Field):
    """An unsigned integer up to `max`."""

    max: int = MAX_INT

    def fits(self, hint: object) -> bool:
        return hint is int

    def checked(self, fault: type[CodecError]) -> Convert:
        return Int(0, self.max).checked(fault)


@dataclass(frozen=True, slots=True)
class Text(Field):
    """Text of `min` to `max` UTF-8 bytes."""

    max: int
    min: int = 0

    def fits(self, hint: object) -> bool:
        return hint is str

    def checked(self, fault: type[CodecError]) -> Convert:
        low, high = self.min, self.max

        def text(value: Any) -> Any:
            if type(value) is not str:
                raise fault("not text")
            if not low <= check_text(value, fault) <= high:
                raise fault(f"not {low} to {high} bytes of UTF-8")
            return value

        return text


class Bool(Field):
    """True or false."""

    def fits(self, hint: object) -> bool:
        return hint is bool

    def checked(self, fault: type[CodecError]) -> Convert:
        def boolean(value: Any) -> Any:
            if type(value) is not bool:
                raise fault("not true or false")
            return value

        return boolean


class Choice(Field):
    """One of the given texts."""

    def __init__(self, *options: str) -> None:
        self.options = options

    def fits(self, hint: object) -> bool:
        return hint is str or (get_origin(hint) is Literal and get_args(hint) == self.options)

    def checked(self, fault: type[CodecError]) -> Convert:
        options = frozenset(self.options)

        def choice(value: Any) -> Any:
            if type(value) is not str or value not in options:
                raise fault("not one of the choices")
            return value

        return choice


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
