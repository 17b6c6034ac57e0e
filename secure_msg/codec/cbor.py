"""Deterministic CBOR (RFC 8949 section 4.2.1) in the subset of docs/spec/encoding.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import cbor2

from secure_msg.codec.errors import CodecError, MalformedData, Unencodable

MAX_INT = 2**53 - 1
MAX_DEPTH = 16

Value: TypeAlias = "int | bytes | str | bool | list[Value] | tuple[Value, ...] | None"


class _NoTags(Mapping[int, Callable[[object, bool], object]]):
    """Answers every tag number with a refusal.

    The library's own tags could build cycles (28, 29) or huge numbers (4, 5), or compile patterns.
    """

    def __getitem__(self, tag: int) -> Callable[[object, bool], object]:
        return self._refuse

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 1

    @staticmethod
    def _refuse(_value: object, _immutable: bool) -> object:
        raise cbor2.CBORDecodeError("tags are not used")


_NO_TAGS = _NoTags()


def encode(value: Value) -> bytes:
    """The one encoding of `value`; lists and tuples are arrays. Raises Unencodable."""
    _check(value, Unencodable, MAX_DEPTH)
    return cbor2.dumps(value)


def encode_checked(value: Value) -> bytes:
    """As `encode`, of a value that its maker, or the record that it comes from, checked before."""
    return cbor2.dumps(value)


def array_head(count: int) -> bytes:
    """What the encodings of an array's items follow on."""
    return _head(4, count)


def bytes_head(size: int) -> bytes:
    """What the bytes of a byte string follow on."""
    return _head(2, size)


@lru_cache(1024)
def _head(major: int, argument: int) -> bytes:
    """RFC 8949 section 3: as that of an unsigned integer, but for the major type in three bits."""
    first, *rest = cbor2.dumps(argument)
    return bytes((major << 5 | first, *rest))


def decode(data: bytes, *, limit: int) -> Value:
    """The value whose one encoding is `data`, arrays as lists. Raises MalformedData.

    Nothing is read of an input longer than `limit` bytes.
    """
    value = well_formed(data, limit=limit)
    _check(value, MalformedData, MAX_DEPTH)
    require_deterministic(value, data)
    return value


def well_formed(data: bytes, *, limit: int) -> Value:
    """The value that `data` encodes, for who checks its types and calls `require_deterministic`.

    Raises MalformedData.
    """
    if len(data) > limit:
        raise MalformedData(f"longer than {limit} bytes")
    try:
        value: Value = cbor2.loads(
            data, allow_indefinite=False, max_depth=MAX_DEPTH, semantic_decoders=_NO_TAGS
        )
    except cbor2.CBORDecodeError:
        raise MalformedData("not well-formed CBOR of the permitted types") from None
    return value


def require_deterministic(value: Value, data: bytes) -> None:
    """Raises MalformedData unless `data` is the one encoding of a value of checked types."""
    if cbor2.dumps(value) != data:
        raise MalformedData("not the deterministic encoding")


def decode_checked(data: bytes) -> Any:
    """As `decode`, of bytes that a MAC shows to be an encoding made here."""
    return cbor2.loads(data)


def _check(value: object, fault: type[CodecError], depth: int) -> None:
    kind = type(value)
    if kind is list or kind is tuple:
        if depth == 0:
            raise fault(f"nested deeper than {MAX_DEPTH}")
        for item in value:  # type: ignore[attr-defined]
            _check(item, fault, depth - 1)
    elif kind is int:
        if not -MAX_INT <= value <= MAX_INT:  # type: ignore[operator]
            raise fault("integer beyond 53 bits")
    elif kind is str:
        check_text(value, fault)  # type: ignore[arg-type]
    elif kind is not bytes and kind is not bool and value is not None:
        raise fault("not one of the permitted types")


def check_text(text: str, fault: type[CodecError]) -> int:
    """The length of `text` in UTF-8 bytes; a lone surrogate has none and is refused."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise fault("text with a lone surrogate") from None
