"""Records of the HTTP and realtime API (docs/spec/http.md), as in static/src/codec/http.ts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec.accounts import ID_SIZE, MAX_STATEMENT
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.proofs import HeadProof, Receipt
from secure_msg.codec.schema import Bool, Bytes, Fixed, Many, Maybe, Nested, Text, Uint, record
from secure_msg.crypto.hash import sha256

MAX_BLOB = 1_048_576
MAX_BODY = 65_535
MAX_HEADER = 256
MAX_APPENDS = 8
MAX_PUTS = 16
MAX_CREDENTIAL_PUTS = 512
MAX_PAGE = 100
MAX_CHAIN = 10_000
MAX_LIST = 100_000
MAX_MARK = 4_096

ANSWER_LIMIT = 32 * 1024 * 1024

# The two files of a private folder that clients can neither read nor put.
CREDENTIAL_PATH = sha256(b"securemsg/file/credential/1")
SESSIONS_PATH = sha256(b"securemsg/file/sessions/1")
SERVER_PATHS = frozenset({CREDENTIAL_PATH, SESSIONS_PATH})


@record
@dataclass(frozen=True, slots=True)
class PutFile:
    """One private file's next version; `blob` is empty when it is deleted."""

    path: Annotated[bytes, Fixed(32)]
    expected: Annotated[int, Uint()]
    blob: Annotated[bytes, Bytes(MAX_BLOB)]
    delete: Annotated[bool, Bool()]


@record
@dataclass(frozen=True, slots=True)
class WireAppend:
    chain: Annotated[bytes, Fixed(32)]
    kind: Annotated[str, Text(32)]
    body: Annotated[bytes, Bytes(MAX_BODY)]
    expected: Annotated[int | None, Maybe(Uint())]


@record
@dataclass(frozen=True, slots=True)
class TransactRequest:
    appends: Annotated[tuple[WireAppend, ...], Many(Nested(WireAppend), MAX_APPENDS)]
    puts: Annotated[tuple[PutFile, ...], Many(Nested(PutFile), MAX_PUTS)]


@record
@dataclass(frozen=True, slots=True)
class PlacedEntry:
    chain: Annotated[bytes, Fixed(32)]
    header: Annotated[bytes, Bytes(MAX_HEADER)]


@record
@dataclass(frozen=True, slots=True)
class TransactResult:
    """`receipt` is the last append's; a repeat has the original places and no versions."""

    entries: Annotated[tuple[PlacedEntry, ...], Many(Nested(PlacedEntry), MAX_APPENDS)]
    versions: Annotated[tuple[int, ...], Many(Uint(), MAX_CREDENTIAL_PUTS)]
    repeat: Annotated[bool, Bool()]
    receipt: Annotated[Receipt | None, Maybe(Nested(Receipt))]


@record
@dataclass(frozen=True, slots=True)
class Registration:
    ticket: Annotated[bytes, Bytes(2_048)]
    account_statement: Annotated[bytes, Bytes(MAX_STATEMENT)]
    keys_entry: Annotated[bytes, Bytes(16_384)]
    prekey_statement: Annotated[bytes, Bytes(MAX_STATEMENT)]
    batch_entry: Annotated[bytes, Bytes(MAX_BODY)]
    login_key: Annotated[bytes, Fixed(32)]
    recovery_login_key: Annotated[bytes | None, Maybe(Fixed(32))]
    puts: Annotated[tuple[PutFile, ...], Many(Nested(PutFile), MAX_PUTS)]


@record
@dataclass(frozen=True, slots=True)
class RegistrationResult:
    account: Annotated[bytes, Fixed(ID_SIZE)]
    csrf: Annotated[str, Text(256)]
    committed: Annotated[TransactResult, Nested(TransactResult)]


@record
@dataclass(frozen=True, slots=True)
class CredentialChange:
    """`proof` is the current login key, or 32 zero bytes in a recovering session."""

    proof: Annotated[bytes, Fixed(32)]
    stored_random: Annotated[bytes, Fixed(32)]
    login_key: Annotated[bytes, Fixed(32)]
    recovery_login_key: Annotated[bytes | None, Maybe(Fixed(32))]
    puts: Annotated[tuple[PutFile, ...], Many(Nested(PutFile), MAX_CREDENTIAL_PUTS)]


@record
@dataclass(frozen=True, slots=True)
class ThreadItem:
    thread: Annotated[bytes, Fixed(ID_SIZE)]
    peer: Annotated[bytes, Fixed(ID_SIZE)]
    peer_name: Annotated[str, Text(128)]
    size: Annotated[int, Uint()]
    last_time: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class ThreadList:
    threads: Annotated[tuple[ThreadItem, ...], Many(Nested(ThreadItem), MAX_LIST)]


@record
@dataclass(frozen=True, slots=True)
class WireEntry:
    """`body` is None when it was erased, and for the batches of an account's chain."""

    header: Annotated[bytes, Bytes(MAX_HEADER)]
    salt: Annotated[bytes, Bytes(32)]
    body: Annotated[bytes | None, Maybe(Bytes(MAX_BODY))]


@record
@dataclass(frozen=True, slots=True)
class EntriesPage:
    """`frontier` is the compact range of the chain's first `start` entries."""

    thread: Annotated[bytes, Fixed(ID_SIZE)]
    start: Annotated[int, Uint()]
    frontier: Annotated[tuple[bytes, ...], Many(Fixed(32), 64)]
    entries: Annotated[tuple[WireEntry, ...], Many(Nested(WireEntry), MAX_PAGE)]
    head: Annotated[HeadProof, Nested(HeadProof)]


@record
@dataclass(frozen=True, slots=True)
class AccountChain:
    account: Annotated[bytes, Fixed(ID_SIZE)]
    entries: Annotated[tuple[WireEntry, ...], Many(Nested(WireEntry), MAX_CHAIN)]
    head: Annotated[HeadProof, Nested(HeadProof)]


@record
@dataclass(frozen=True, slots=True)
class Mark:
    account: Annotated[bytes, Fixed(ID_SIZE)]
    blob: Annotated[bytes, Bytes(MAX_MARK)]


@record
@dataclass(frozen=True, slots=True)
class Marks:
    marks: Annotated[tuple[Mark, ...], Many(Nested(Mark), 64)]


@record
@dataclass(frozen=True, slots=True)
class PrivateItem:
    """A private file's newest version; size 0 when it was deleted."""

    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    size: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class PrivateList:
    files: Annotated[tuple[PrivateItem, ...], Many(Nested(PrivateItem), MAX_LIST)]


@record
@dataclass(frozen=True, slots=True)
class PrivateBlob:
    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    blob: Annotated[bytes, Bytes(MAX_BLOB)]


@record
@dataclass(frozen=True, slots=True)
class Refusal:
    """What a socket's acknowledgement says after its first byte 1."""

    status: Annotated[int, Uint(599)]
    kind: Annotated[str, Text(64)]
    detail: Annotated[str, Text(64)]
    retry_after: Annotated[int | None, Maybe(Uint())]


@record
@dataclass(frozen=True, slots=True)
class MarkAnnounced:
    thread: Annotated[bytes, Fixed(ID_SIZE)]
    account: Annotated[bytes, Fixed(ID_SIZE)]
    blob: Annotated[bytes, Bytes(MAX_MARK)]


@record
@dataclass(frozen=True, slots=True)
class TypingAnnounced:
    thread: Annotated[bytes, Fixed(ID_SIZE)]
    account: Annotated[bytes, Fixed(ID_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class TypingSent:
    thread: Annotated[bytes, Fixed(ID_SIZE)]


def check_puts(puts: tuple[PutFile, ...]) -> None:
    """The rules between a put's fields, and between puts. Raises MalformedData."""
    paths = set()
    for put in puts:
        if put.delete != (not put.blob):
            raise MalformedData("PutFile.blob: empty exactly when the file is deleted")
        if put.delete and put.expected == 0:
            raise MalformedData("PutFile.expected: what is deleted has a version")
        if put.path in SERVER_PATHS:
            raise MalformedData("PutFile.path: belongs to the server")
        if put.path in paths:
            raise MalformedData("PutFile.path: twice in one request")
        paths.add(put.path)
