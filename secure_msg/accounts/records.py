"""What the accounts room keeps in a private folder's two files that clients cannot touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec.schema import Bool, Fixed, Many, Maybe, Nested, Text, Uint, record

MAX_SESSIONS = 32
MAX_BROWSER = 64


@record
@dataclass(frozen=True, slots=True)
class Credential:
    """`login` and `recovery` are hashes of keys that only the client has."""

    stored_random: Annotated[bytes, Fixed(32)]
    login: Annotated[bytes, Fixed(32)]
    recovery: Annotated[bytes | None, Maybe(Fixed(32))]


@record
@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One sign-in; `token` is the hash of the cookie, times are milliseconds since the epoch."""

    id: Annotated[bytes, Fixed(16)]
    token: Annotated[bytes, Fixed(32)]
    created: Annotated[int, Uint()]
    last_seen: Annotated[int, Uint()]
    browser: Annotated[str, Text(MAX_BROWSER)]
    recovering: Annotated[bool, Bool()]


@record
@dataclass(frozen=True, slots=True)
class SessionFile:
    sessions: Annotated[tuple[SessionRecord, ...], Many(Nested(SessionRecord), MAX_SESSIONS)]
