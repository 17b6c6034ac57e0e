"""The files "contacts" and "settings" (docs/spec/e2ee.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from secure_msg.codec.accounts import ID_SIZE
from secure_msg.codec.schema import Bool, Choice, Fixed, Many, Nested, Text, Uint, record

MAX_CONTACTS = 5_000

ContactState: TypeAlias = Literal["request", "accepted", "blocked", "deleted"]


@record
@dataclass(frozen=True, slots=True)
class Contact:
    """`fingerprint` pins the root; only a change of root warns and blocks."""

    account: Annotated[bytes, Fixed(ID_SIZE)]
    name: Annotated[str, Text(128)]
    fingerprint: Annotated[bytes, Fixed(32)]
    state: Annotated[ContactState, Choice(*get_args(ContactState))]
    verified: Annotated[bool, Bool()]
    thread: Annotated[bytes, Fixed(ID_SIZE)]
    added: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class Contacts:
    """The file "contacts"."""

    contacts: Annotated[tuple[Contact, ...], Many(Nested(Contact), MAX_CONTACTS)]


@record
@dataclass(frozen=True, slots=True)
class Settings:
    """The file "settings": the server's pin, the last checkpoint seen, and preferences."""

    server_fingerprint: Annotated[bytes, Fixed(32)]
    checkpoint_size: Annotated[int, Uint()]
    checkpoint_root: Annotated[bytes, Fixed(32)]
    send_read_marks: Annotated[bool, Bool()]
    language: Annotated[str, Text(8)]
    theme: Annotated[str, Text(8)]
