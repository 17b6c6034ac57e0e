"""Reading what a request carries: the right type, within its limit, within its time, strictly."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import gevent
from flask import Response, request

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import from_bytes, from_json, to_bytes
from secure_msg.web.errors import WebProblem
from secure_msg.web.sessions import require_still_signed_in

T = TypeVar("T")

CBOR, JSON = "application/cbor", "application/json"
JSON_LIMIT = 4_096
READ_SECONDS = 30.0
READ_BYTES_A_SECOND = 64 * 1024


def read_record(cls: type[T], limit: int) -> T:
    """A CBOR record of at most `limit` bytes. Raises WebProblem, MalformedData."""
    return from_bytes(cls, _body(CBOR, limit), limit=limit)


def read_json(cls: type[T]) -> T:
    """A JSON object with exactly the record's fields. Raises WebProblem, MalformedData."""
    try:
        value = json.loads(
            _body(JSON, JSON_LIMIT).decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise MalformedData("not JSON") from None
    return from_json(cls, value)


def read_nothing() -> None:
    """A request that has no body. Raises WebProblem."""
    if _read(1):
        raise WebProblem("malformed", "body")


def read_id(text: str, size: int = 32) -> bytes:
    """An id in a path: lower-case hex of its exact length; anything else is not there."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        raise WebProblem("not-found") from None
    if len(found) != size or found.hex() != text:
        raise WebProblem("not-found")
    return found


def read_number(name: str, highest: int) -> int:
    """A whole number in the query. Raises WebProblem."""
    values = request.args.getlist(name)
    if len(values) != 1 or not values[0].isascii() or not values[0].isdigit():
        raise WebProblem("malformed", name)
    if len(values[0]) > 16 or str(int(values[0])) != values[0] or int(values[0]) > highest:
        raise WebProblem("malformed", name)
    return int(values[0])


def answer(record: object, status: int = 200) -> Response:
    """A CBOR record."""
    return Response(to_bytes(record), status=status, content_type=CBOR)


def _body(media_type: str, limit: int) -> bytes:
    if request.mimetype != media_type or "Content-Encoding" in request.headers:
        raise WebProblem("wrong-type")
    data = _read(limit)
    if not data:
        raise WebProblem("malformed", "body")
    return data


def _read(limit: int) -> bytes:
    """Raises WebProblem too-large or too-slow; a large body may take longer."""
    request.max_content_length = limit
    if request.content_length is not None and request.content_length > limit:
        raise WebProblem("too-large")
    try:
        with gevent.Timeout(READ_SECONDS + limit / READ_BYTES_A_SECOND):
            data = request.get_data(cache=False)
    except gevent.Timeout:
        raise WebProblem("too-slow") from None
    except OSError:
        raise WebProblem("malformed", "body") from None
    if len(data) > limit:
        raise WebProblem("too-large")
    require_still_signed_in()
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")
