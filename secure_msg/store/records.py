"""What the store's own files hold, as records of docs/spec/storage.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec.proofs import MAX_STATEMENT
from secure_msg.codec.schema import (
    Bytes,
    Choice,
    Fixed,
    Many,
    Maybe,
    Nested,
    Text,
    Uint,
    record,
)
from secure_msg.ledger.log import LEAF_SIZE

MAX_BODY = 1 << 20
MAX_BLOB = 1 << 20
MAX_LABEL = 128
MAX_KIND = 32
MAX_SKELETON = 1_024
MAX_IN_BATCH = 1 << 16
MAX_LOG_INDEX = 2**48 - 1


@record
@dataclass(frozen=True, slots=True)
class BatchAppend:
    """`salt` is empty when the entry is not erasable; `unique` when it has none."""

    chain: Annotated[bytes, Fixed(32)]
    sequence: Annotated[int, Uint()]
    kind: Annotated[str, Text(MAX_KIND, 1)]
    body: Annotated[bytes, Bytes(MAX_BODY)]
    salt: Annotated[bytes, Bytes(32)]
    unique: Annotated[bytes, Bytes(16)]
    label: Annotated[bytes, Bytes(MAX_LABEL)]


@record
@dataclass(frozen=True, slots=True)
class BatchPut:
    account: Annotated[bytes, Fixed(32)]
    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    blob: Annotated[bytes | None, Maybe(Bytes(MAX_BLOB))]


@record
@dataclass(frozen=True, slots=True)
class BatchRegister:
    chain: Annotated[bytes, Fixed(32)]
    value: Annotated[bytes, Bytes(32)]


@record
@dataclass(frozen=True, slots=True)
class BatchName:
    skeleton: Annotated[str, Text(MAX_SKELETON, 1)]
    account: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class Batch:
    """All that became durable together; the payload of one journal record.

    `restored` is the statement that the server was set back to a copy, of the first batch after it.
    """

    time: Annotated[int, Uint()]
    appends: Annotated[tuple[BatchAppend, ...], Many(Nested(BatchAppend), MAX_IN_BATCH)]
    puts: Annotated[tuple[BatchPut, ...], Many(Nested(BatchPut), MAX_IN_BATCH)]
    registers: Annotated[tuple[BatchRegister, ...], Many(Nested(BatchRegister), MAX_IN_BATCH)]
    names: Annotated[tuple[BatchName, ...], Many(Nested(BatchName), MAX_IN_BATCH)]
    restored: Annotated[bytes | None, Maybe(Bytes(MAX_STATEMENT))] = None


@record
@dataclass(frozen=True, slots=True)
class PutBody:
    """The body of a `put` entry; a deletion has length 0 and 32 zeros."""

    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    content: Annotated[bytes, Fixed(32)]
    length: Annotated[int, Uint(MAX_BLOB)]


@record
@dataclass(frozen=True, slots=True)
class IndexedFile:
    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    content: Annotated[bytes, Fixed(32)]
    length: Annotated[int, Uint(MAX_BLOB)]
    sequence: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class FolderIndex:
    """The files of a private folder when its chain had `size` entries and `root`."""

    size: Annotated[int, Uint()]
    root: Annotated[bytes, Fixed(32)]
    files: Annotated[tuple[IndexedFile, ...], Many(Nested(IndexedFile), 1 << 20)]


@record
@dataclass(frozen=True, slots=True)
class HeadRecord:
    """`owner` is the account of a private folder; `begun` the kind of the chain's first entry."""

    chain: Annotated[bytes, Fixed(32)]
    owner: Annotated[bytes | None, Maybe(Fixed(32))]
    size: Annotated[int, Uint()]
    frontier: Annotated[tuple[bytes, ...], Many(Fixed(32), 53)]
    register: Annotated[bytes, Bytes(32)]
    label: Annotated[bytes, Bytes(MAX_LABEL)]
    begun: Annotated[str, Choice("account", "opened", "put")]


@record
@dataclass(frozen=True, slots=True)
class NameRecord:
    skeleton: Annotated[str, Text(MAX_SKELETON, 1)]
    account: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class MarkRecord:
    """All records before it belong together: the state at log size `log_size`.

    `frontier` is the log's, `leaf` its newest leaf, `path` that leaf's inclusion path.
    """

    log_size: Annotated[int, Uint(MAX_LOG_INDEX)]
    frontier: Annotated[tuple[bytes, ...], Many(Fixed(32), 53)]
    leaf: Annotated[bytes, Bytes(LEAF_SIZE)]
    path: Annotated[tuple[bytes, ...], Many(Fixed(32), 53)]
    time: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class SealedKeys:
    identity: Annotated[bytes, Bytes(4096)]
    signing: Annotated[bytes, Fixed(64)]
    master: Annotated[bytes, Fixed(32)]
