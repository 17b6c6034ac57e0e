"""The own prekeys' private parts: handing in, taking out, replenishing (e2ee.md sections 2, 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from secure_msg.codec.accounts import (
    KIND_PREKEY,
    KIND_PREKEY_BATCH,
    MAX_BATCH,
    TYPE_PREKEY,
    TYPE_PREKEY_BATCH,
    BatchEntry,
    BatchStatement,
    PrekeyStatement,
)
from secure_msg.codec.messages import OneTimeRef
from secure_msg.codec.schema import Fixed, Many, Maybe, Nested, Uint, from_bytes, record, to_bytes
from secure_msg.codec.statement import sign_statement
from secure_msg.crypto.agreement import PRIVATE_SIZE, AgreementKey
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.random import RandomBytes
from secure_msg.crypto.signature import SigningKey
from secure_msg.e2ee.errors import PeerViolation
from secure_msg.ledger.accountchain import batch_root

DAY = 86_400_000
PREKEY_AGE = 7 * DAY
PREKEY_KEPT = 30 * DAY
MIN_UNUSED = 8
MAX_SIGNED = 4
MAX_BATCHES = 8


@record
@dataclass(frozen=True, slots=True)
class SignedPrekey:
    id: Annotated[int, Uint()]
    private: Annotated[bytes, Fixed(PRIVATE_SIZE)]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class Batch:
    """`statement` is the SHA-256 of the batch statement; a spent key is None."""

    batch: Annotated[int, Uint()]
    statement: Annotated[bytes, Fixed(32)]
    keys: Annotated[tuple[bytes | None, ...], Many(Maybe(Fixed(PRIVATE_SIZE)), MAX_BATCH)]


@record
@dataclass(frozen=True, slots=True)
class Prekeys:
    """The vault file "prekeys"."""

    signed: Annotated[tuple[SignedPrekey, ...], Many(Nested(SignedPrekey), MAX_SIGNED)]
    batches: Annotated[tuple[Batch, ...], Many(Nested(Batch), MAX_BATCHES)]
    next_prekey: Annotated[int, Uint()]
    next_batch: Annotated[int, Uint()]


EMPTY = Prekeys((), (), 1, 1)


@dataclass(frozen=True, slots=True)
class Published:
    """The prekeys after a step, and the (kind, body) entries for the account's chain."""

    prekeys: Prekeys
    entries: tuple[tuple[str, bytes], ...]


def prekey_statement(
    root: SigningKey, agreement: bytes, *, account: bytes, number: int, now: int
) -> bytes:
    """Body of a `prekey` entry."""
    payload = to_bytes(PrekeyStatement(account, number, agreement, now))
    return sign_statement(root, TYPE_PREKEY, payload)


def batch_entry(
    root: SigningKey, keys: tuple[bytes, ...], *, account: bytes, batch: int, now: int
) -> bytes:
    """Body of a `prekey-batch` entry over the public pairs `keys`."""
    statement = BatchStatement(account, batch, len(keys), batch_root(batch, keys), now)
    signed = sign_statement(root, TYPE_PREKEY_BATCH, to_bytes(statement))
    return to_bytes(BatchEntry(signed, keys))


def signed_private(prekeys: Prekeys, number: int) -> bytes:
    """The private part of a signed prekey. Raises PeerViolation."""
    for prekey in prekeys.signed:
        if prekey.id == number:
            return prekey.private
    raise PeerViolation("an unknown signed prekey")


def one_time_private(prekeys: Prekeys, place: OneTimeRef) -> tuple[bytes, bytes]:
    """(private part, statement hash) of a one-time prekey. Raises PeerViolation."""
    for batch in prekeys.batches:
        if batch.batch == place.batch and place.index < len(batch.keys):
            private = batch.keys[place.index]
            if private is not None:
                return private, batch.statement
    raise PeerViolation("a spent or unknown one-time prekey")


def spend(prekeys: Prekeys, place: OneTimeRef) -> Prekeys:
    """Without that one-time key; its place stays, empty."""
    batches = tuple(
        replace(batch, keys=(*batch.keys[: place.index], None, *batch.keys[place.index + 1 :]))
        if batch.batch == place.batch
        else batch
        for batch in prekeys.batches
    )
    return replace(prekeys, batches=batches)


def add_signed(
    prekeys: Prekeys, root: SigningKey, *, account: bytes, now: int, random: RandomBytes
) -> Published:
    """One more signed prekey; beyond four the oldest goes."""
    number = prekeys.next_prekey
    private = random(PRIVATE_SIZE)
    body = prekey_statement(
        root, AgreementKey(private).public, account=account, number=number, now=now
    )
    signed = (*prekeys.signed[1 - MAX_SIGNED :], SignedPrekey(number, private, now))
    after = replace(prekeys, signed=signed, next_prekey=number + 1)
    return Published(after, ((KIND_PREKEY, body),))


def add_batch(
    prekeys: Prekeys,
    root: SigningKey,
    *,
    account: bytes,
    now: int,
    random: RandomBytes,
    count: int = MAX_BATCH,
) -> Published:
    """A new batch of one-time keys; beyond eight batches the oldest goes."""
    number = prekeys.next_batch
    privates = tuple(random(PRIVATE_SIZE) for _ in range(count))
    publics = tuple(AgreementKey(private).public for private in privates)
    body = batch_entry(root, publics, account=account, batch=number, now=now)
    batch = Batch(number, sha256(from_bytes(BatchEntry, body).statement), privates)
    batches = (*prekeys.batches[1 - MAX_BATCHES :], batch)
    after = replace(prekeys, batches=batches, next_batch=number + 1)
    return Published(after, ((KIND_PREKEY_BATCH, body),))


def unused(prekeys: Prekeys, handed: frozenset[tuple[int, int]]) -> int:
    """One-time keys that are neither spent nor, by the account's chain, handed out."""
    return sum(
        1
        for batch in prekeys.batches
        for index, key in enumerate(batch.keys)
        if key is not None and (batch.batch, index) not in handed
    )


def drop_old(prekeys: Prekeys, now: int) -> Prekeys:
    """Without signed prekeys over 30 days old; the newest two always stay."""
    last = len(prekeys.signed) - 2
    kept = tuple(
        prekey
        for index, prekey in enumerate(prekeys.signed)
        if index >= last or now - prekey.created < PREKEY_KEPT
    )
    return replace(prekeys, signed=kept)


def replenish(
    prekeys: Prekeys,
    root: SigningKey,
    *,
    account: bytes,
    handed: frozenset[tuple[int, int]],
    now: int,
    random: RandomBytes,
) -> Published:
    """What is due: a signed prekey after 7 days, a batch when fewer than 8 keys are unused."""
    prekeys = drop_old(prekeys, now)
    entries: tuple[tuple[str, bytes], ...] = ()
    if not prekeys.signed or prekeys.signed[-1].created <= now - PREKEY_AGE:
        step = add_signed(prekeys, root, account=account, now=now, random=random)
        prekeys, entries = step.prekeys, entries + step.entries
    if unused(prekeys, handed) < MIN_UNUSED:
        step = add_batch(prekeys, root, account=account, now=now, random=random)
        prekeys, entries = step.prekeys, entries + step.entries
    return Published(prekeys, entries)
