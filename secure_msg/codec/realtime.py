"""Messages of the socket (docs/spec/http.md, "Realtime"), as in static/src/net/frames.ts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from secure_msg.codec.errors import MalformedData

_HEAD = Struct(">BI")

NOBODY_WAITS = 0


class Asked(IntEnum):
    """What a client wants."""

    TRANSACT = 1
    SYNC = 2
    TYPING = 3


class Told(IntEnum):
    """What a client is answered or told."""

    DONE = 128
    REFUSED = 129
    ENTRIES = 144
    PRIVATE = 145
    MARK = 146
    TYPING = 147
    SIGNED_OUT = 148
    PULSE = 149


@dataclass(frozen=True, slots=True)
class Message:
    """`kind` may be one that nobody knows; `request` 0: nobody waits for an answer."""

    kind: int
    request: int
    payload: bytes


def pack(kind: int, payload: bytes = b"", request: int = NOBODY_WAITS) -> bytes:
    return _HEAD.pack(kind, request) + payload


def unpack(data: bytes) -> Message:
    """Raises MalformedData when there is no whole head."""
    if len(data) < _HEAD.size:
        raise MalformedData("a message without its head")
    kind, request = _HEAD.unpack_from(data)
    return Message(kind, request, data[_HEAD.size :])
