"""An account's chain, entry by entry, for server and clients alike (docs/spec/e2ee.md section 1).

`open_account` takes entry 0, `apply_entry` each later one; both refuse what the section refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    KIND_CREDENTIAL,
    KIND_KEYS,
    KIND_PREKEY,
    KIND_PREKEY_BATCH,
    KIND_PREKEY_HANDED,
    MAX_STATEMENT,
    SUITE,
    TYPE_ACCOUNT,
    TYPE_KEYS,
    TYPE_POSSESSION,
    TYPE_PREKEY,
    TYPE_PREKEY_BATCH,
    AccountStatement,
    BatchEntry,
    BatchLeaf,
    BatchStatement,
    CredentialEvent,
    KeysEntry,
    KeysStatement,
    PrekeyHanded,
    PrekeyStatement,
)
from secure_msg.codec.errors import CodecError
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.codec.statement import open_statement, unverified_payload, verify_detached
from secure_msg.crypto.agreement import split_public
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.errors import LedgerError
from secure_msg.ledger.merkle import leaf_hash, root_of

T = TypeVar("T")


class AccountViolation(LedgerError):
    """An entry that an account's chain may not have; `rule` says which rule it breaks."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Keys:
    """A generation of working keys; `statement` is the SHA-256 of its COSE bytes."""

    generation: int
    statement: bytes
    signing: bytes
    agreement: bytes
    suites: tuple[str, ...]
    created: int


@dataclass(frozen=True, slots=True)
class SignedPrekey:
    id: int
    statement: bytes
    agreement: bytes
    created: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of one-time prekeys; `root` commits to the `count` keys."""

    batch: int
    statement: bytes
    count: int
    root: bytes
    created: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """What an account's verified entries say; each kind's items count up from 1."""

    server: bytes
    account: bytes
    name: str
    root: bytes
    created: int
    keys: tuple[Keys, ...] = ()
    prekeys: tuple[SignedPrekey, ...] = ()
    batches: tuple[Batch, ...] = ()
    handed: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def generation(self, number: int) -> Keys | None:
        return self.keys[number - 1] if 1 <= number <= len(self.keys) else None

    def prekey(self, number: int) -> SignedPrekey | None:
        return self.prekeys[number - 1] if 1 <= number <= len(self.prekeys) else None

    def batch(self, number: int) -> Batch | None:
        return self.batches[number - 1] if 1 <= number <= len(self.batches) else None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.root)


def fingerprint(root: bytes) -> bytes:
    """What contacts pin: SHA-256 over the root public key with its label."""
    return sha256(b"securemsg/fingerprint/1", root)


def batch_root(batch: int, keys: tuple[bytes, ...]) -> bytes:
    """The RFC 6962 root that a batch statement signs."""
    return root_of(
        leaf_hash(to_bytes(BatchLeaf(batch, index, key))) for index, key in enumerate(keys)
    )


def open_account(body: bytes, *, server: bytes, account: bytes) -> AccountView:
    """The view after entry 0. Raises AccountViolation.

    The statement is signed by the root it names: whose root that is, a pin must say.
    """

    def read() -> AccountStatement:
        claimed = from_bytes(AccountStatement, unverified_payload(body, limit=MAX_STATEMENT))
        payload = open_statement(claimed.root, TYPE_ACCOUNT, body, limit=MAX_STATEMENT)
        return from_bytes(AccountStatement, payload)

    statement = _checked("account statement", read)
    _require(statement.server == server, "the account is of another server")
    _require(statement.account == account, "the statement is another account's")
    return AccountView(server, account, statement.name, statement.root, statement.created)


def apply_entry(view: AccountView, kind: str, body: bytes) -> AccountView:
    """The view after one more entry. Raises AccountViolation; `view` stays what it was."""
    _require(kind != KIND_ACCOUNT, "an account statement stands at the beginning only")
    step = _STEPS.get(kind)
    if step is None:
        raise AccountViolation("a kind that account chains do not have")
    return step(view, body)


def apply_batch_statement(view: AccountView, statement: bytes) -> AccountView:
    """As a `prekey-batch` entry, for a reader to whom only the statement travels."""
    batch = open_batch(view, statement)
    _require(batch.batch == len(view.batches) + 1, "batches count up by one")
    return replace(view, batches=(*view.batches, batch))


def open_keys(view: AccountView, body: bytes) -> Keys:
    """The generation in a keys entry of this account, root signature and possession verified."""
    entry = _checked("keys entry", lambda: from_bytes(KeysEntry, body))
    signed = _signed(view, TYPE_KEYS, KeysStatement, entry.statement)
    _require(signed.generation >= 1, "generations count from 1")
    _require(SUITE in signed.suites, "no common suite")
    _checked("agreement key", lambda: split_public(signed.agreement))
    _checked(
        "possession of the working key",
        lambda: verify_detached(
            signed.signing, TYPE_POSSESSION, to_bytes(signed), entry.possession
        ),
    )
    return Keys(
        signed.generation,
        sha256(entry.statement),
        signed.signing,
        signed.agreement,
        signed.suites,
        signed.created,
    )


def open_prekey(view: AccountView, statement: bytes) -> SignedPrekey:
    """The signed prekey of this account's statement."""
    signed = _signed(view, TYPE_PREKEY, PrekeyStatement, statement)
    _require(signed.id >= 1, "prekeys count from 1")
    _checked("prekey", lambda: split_public(signed.agreement))
    return SignedPrekey(signed.id, sha256(statement), signed.agreement, signed.created)


def open_batch(view: AccountView, statement: bytes) -> Batch:
    """The batch of this account's statement."""
    signed = _signed(view, TYPE_PREKEY_BATCH, BatchStatement, statement)
    _require(signed.batch >= 1 and signed.count >= 1, "batches and their keys count from 1")
    return Batch(signed.batch, sha256(statement), signed.count, signed.root, signed.created)


def _apply_keys(view: AccountView, body: bytes) -> AccountView:
    keys = open_keys(view, body)
    _require(keys.generation == len(view.keys) + 1, "generations count up by one")
    return replace(view, keys=(*view.keys, keys))


def _apply_prekey(view: AccountView, body: bytes) -> AccountView:
    prekey = open_prekey(view, body)
    _require(prekey.id == len(view.prekeys) + 1, "prekey ids count up by one")
    return replace(view, prekeys=(*view.prekeys, prekey))


def _apply_batch(view: AccountView, body: bytes) -> AccountView:
    entry = _checked("prekey batch", lambda: from_bytes(BatchEntry, body))
    after = apply_batch_statement(view, entry.statement)
    batch = after.batches[-1]
    _require(batch.count == len(entry.keys), "the batch has another number of keys")
    _require(batch.root == batch_root(batch.batch, entry.keys), "the batch has another root")
    for key in entry.keys:
        _checked("one-time prekey", lambda key=key: split_public(key))  # type: ignore[misc]
    return after


def _apply_handed(view: AccountView, body: bytes) -> AccountView:
    event = _checked("prekey-handed", lambda: from_bytes(PrekeyHanded, body))
    batch = view.batch(event.batch)
    _require(batch is not None and event.index < batch.count, "no such one-time prekey")
    place = (event.batch, event.index)
    _require(place not in view.handed, "a one-time prekey is handed out once")
    return replace(view, handed=view.handed | {place})


def _apply_credential(view: AccountView, body: bytes) -> AccountView:
    _checked("credential", lambda: from_bytes(CredentialEvent, body))
    return view


_STEPS: dict[str, Callable[[AccountView, bytes], AccountView]] = {
    KIND_KEYS: _apply_keys,
    KIND_PREKEY: _apply_prekey,
    KIND_PREKEY_BATCH: _apply_batch,
    KIND_PREKEY_HANDED: _apply_handed,
    KIND_CREDENTIAL: _apply_credential,
}

Signed = TypeVar("Signed", KeysStatement, PrekeyStatement, BatchStatement)


def _signed(view: AccountView, type_name: str, cls: type[Signed], statement: bytes) -> Signed:
    """The payload of a statement under this account's root."""
    payload = _checked(
        type_name,
        lambda: open_statement(view.root, type_name, statement, limit=MAX_STATEMENT),
    )
    signed = _checked(type_name, lambda: from_bytes(cls, payload))
    _require(signed.account == view.account, "the statement is another account's")
    return signed


def _checked(what: str, step: Callable[[], T]) -> T:
    try:
        return step()
    except CodecError as error:
        raise AccountViolation(f"{what}: malformed ({error})") from None
    except CryptoError as error:
        raise AccountViolation(f"{what}: {error}") from None


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise AccountViolation(rule)
