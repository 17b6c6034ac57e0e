"""What the tables hold, as records of docs/spec/storage.md, "In PostgreSQL"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec.schema import (
    Bool,
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
from secure_msg.ledger.transaction import (
    Append,
    Busy,
    Committed,
    Conflict,
    Damaged,
    NameClaim,
    Placed,
    Put,
    Register,
    Stale,
    StoreError,
    Transaction,
)
from secure_msg.store.records import (
    MAX_BLOB,
    MAX_BODY,
    MAX_IN_BATCH,
    MAX_KIND,
    MAX_LABEL,
    MAX_SKELETON,
    HeadRecord,
    NameRecord,
)

MAX_OPERATIONS = 1024
MAX_CHANGES = 64 << 20
MAX_REQUEST = 20 << 20
MAX_OUTCOME = 1 << 20


@record
@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A private file after a commit; `version` 0 and no content: it was deleted."""

    account: Annotated[bytes, Fixed(32)]
    path: Annotated[bytes, Fixed(32)]
    version: Annotated[int, Uint()]
    content: Annotated[bytes, Fixed(32)]
    length: Annotated[int, Uint(MAX_BLOB)]
    sequence: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class Changes:
    """What one commit changed: heads after it, names, files. No body and no salt is in it."""

    time: Annotated[int, Uint()]
    heads: Annotated[tuple[HeadRecord, ...], Many(Nested(HeadRecord), MAX_IN_BATCH)]
    names: Annotated[tuple[NameRecord, ...], Many(Nested(NameRecord), MAX_IN_BATCH)]
    files: Annotated[tuple[ChangedFile, ...], Many(Nested(ChangedFile), MAX_IN_BATCH)]


@record
@dataclass(frozen=True, slots=True)
class AskedAppend:
    chain: Annotated[bytes, Fixed(32)]
    kind: Annotated[str, Text(MAX_KIND, 1)]
    body: Annotated[bytes, Bytes(MAX_BODY)]
    erasable: Annotated[bool, Bool()]
    expected_size: Annotated[int | None, Maybe(Uint())]
    unique: Annotated[bytes | None, Maybe(Fixed(16))]
    seen: Annotated[int, Uint()]
    label: Annotated[bytes, Bytes(MAX_LABEL)]


@record
@dataclass(frozen=True, slots=True)
class AskedRegister:
    chain: Annotated[bytes, Fixed(32)]
    expected: Annotated[bytes, Bytes(32)]
    new: Annotated[bytes | None, Maybe(Bytes(32))]


@record
@dataclass(frozen=True, slots=True)
class AskedPut:
    account: Annotated[bytes, Fixed(32)]
    path: Annotated[bytes, Fixed(32)]
    expected_version: Annotated[int, Uint()]
    blob: Annotated[bytes | None, Maybe(Bytes(MAX_BLOB))]


@record
@dataclass(frozen=True, slots=True)
class AskedName:
    skeleton: Annotated[str, Text(MAX_SKELETON, 1)]
    account: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class Asked:
    """One transaction on its way to the sequencer; `at` is when it was asked, in ms."""

    at: Annotated[int, Uint()]
    appends: Annotated[tuple[AskedAppend, ...], Many(Nested(AskedAppend), MAX_OPERATIONS)]
    puts: Annotated[tuple[AskedPut, ...], Many(Nested(AskedPut), MAX_OPERATIONS)]
    registers: Annotated[tuple[AskedRegister, ...], Many(Nested(AskedRegister), MAX_OPERATIONS)]
    names: Annotated[tuple[AskedName, ...], Many(Nested(AskedName), MAX_OPERATIONS)]


@record
@dataclass(frozen=True, slots=True)
class PlacedRecord:
    chain: Annotated[bytes, Fixed(32)]
    sequence: Annotated[int, Uint()]
    time: Annotated[int, Uint()]
    header: Annotated[bytes, Bytes(256)]


@record
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction, decided when the log had `seen` leaves (its own included)."""

    kind: Annotated[str, Choice("committed", "conflict", "stale", "damaged", "invalid", "busy")]
    detail: Annotated[str, Text(512)]
    seen: Annotated[int, Uint()]
    placed: Annotated[tuple[PlacedRecord, ...], Many(Nested(PlacedRecord), MAX_OPERATIONS)]
    versions: Annotated[tuple[int, ...], Many(Uint(), MAX_OPERATIONS)]
    repeat: Annotated[bool, Bool()]
    log_index: Annotated[int, Uint()]


def asked(transaction: Transaction, at: int) -> Asked:
    return Asked(
        at,
        tuple(
            AskedAppend(
                one.chain,
                one.kind,
                one.body,
                one.erasable,
                one.expected_size,
                one.unique,
                one.seen,
                one.label,
            )
            for one in transaction.appends
        ),
        tuple(
            AskedPut(one.account, one.path, one.expected_version, one.blob)
            for one in transaction.puts
        ),
        tuple(AskedRegister(one.chain, one.expected, one.new) for one in transaction.registers),
        tuple(AskedName(one.skeleton, one.account) for one in transaction.names),
    )


def transaction_of(record: Asked) -> Transaction:
    return Transaction(
        tuple(
            Append(
                one.chain,
                one.kind,
                one.body,
                erasable=one.erasable,
                expected_size=one.expected_size,
                unique=one.unique,
                seen=one.seen,
                label=one.label,
            )
            for one in record.appends
        ),
        tuple(Put(one.account, one.path, one.expected_version, one.blob) for one in record.puts),
        tuple(Register(one.chain, one.expected, one.new) for one in record.registers),
        tuple(NameClaim(one.skeleton, one.account) for one in record.names),
    )


def outcome_of(committed: Committed, seen: int) -> Outcome:
    placed = tuple(
        PlacedRecord(one.chain, one.sequence, one.time, one.header) for one in committed.placed
    )
    return Outcome(
        "committed", "", seen, placed, committed.versions, committed.repeat, committed.log_index
    )


def refusal_of(error: Exception, seen: int) -> Outcome:
    kind, detail = _refused(error)
    return Outcome(kind, detail[:512], seen, (), (), False, 0)


def committed_of(outcome: Outcome) -> Committed:
    """Raises what the sequencer refused the transaction with."""
    if outcome.kind == "conflict":
        raise Conflict(outcome.detail)
    refused = _REFUSALS.get(outcome.kind)
    if refused is not None:
        raise refused(outcome.detail)
    placed = tuple(Placed(one.chain, one.sequence, one.time, one.header) for one in outcome.placed)
    return Committed(placed, outcome.versions, outcome.repeat, outcome.log_index)


_REFUSALS: dict[str, type[Exception]] = {
    "stale": Stale,
    "damaged": Damaged,
    "invalid": ValueError,
    "busy": Busy,
}


def _refused(error: Exception) -> tuple[str, str]:
    if isinstance(error, Conflict):
        return "conflict", error.what
    for kind, cls in _REFUSALS.items():
        if isinstance(error, cls):
            return kind, str(error)
    if isinstance(error, StoreError):
        return "busy", str(error)
    raise error
