"""Identities: new accounts, own statements, the peer's bundle (docs/spec/e2ee.md section 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    KIND_KEYS,
    SUITE,
    TYPE_ACCOUNT,
    TYPE_KEYS,
    TYPE_POSSESSION,
    AccountStatement,
    BatchLeaf,
    Bundle,
    KeysEntry,
    KeysStatement,
    OneTime,
)
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.codec.statement import sign_detached, sign_statement
from secure_msg.crypto.agreement import AgreementKey as LocalKey
from secure_msg.crypto.agreement import split_public
from secure_msg.crypto.hash import sha512
from secure_msg.crypto.random import RandomBytes
from secure_msg.crypto.signature import HYBRID, SigningKey
from secure_msg.e2ee.accountkeys import AccountSecrets, GenerationSecrets
from secure_msg.e2ee.errors import NeedsAccount, PeerViolation, ServerViolation, peers_fault
from secure_msg.e2ee.prekeys import EMPTY as NO_PREKEYS
from secure_msg.e2ee.prekeys import Prekeys, add_batch, add_signed
from secure_msg.ledger.accountchain import (
    AccountView,
    Batch,
    Keys,
    SignedPrekey,
    apply_entry,
    open_account,
    open_batch,
    open_keys,
    open_prekey,
)
from secure_msg.ledger.merkle import leaf_hash, verify_inclusion

MAX_BUNDLE = 65_536


class AgreementKey(Protocol):
    """A private X25519 + ML-KEM-1024 pair, wherever it is held."""

    @property
    def public(self) -> bytes:
        """x(32) ‖ kem(1568)."""
        ...

    def dh(self, peer_x: bytes) -> bytes: ...
    def decapsulate(self, ciphertext: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The own account with the keys that speak for it.

    `signing` is the working key of `generation`; `agreement` holds every generation still kept.
    """

    view: AccountView
    generation: int
    signing: SigningKey
    agreement: Mapping[int, AgreementKey]

    @property
    def account(self) -> bytes:
        return self.view.account

    @property
    def keys(self) -> Keys:
        """The view's entry of the current generation. Raises NeedsAccount."""
        return keys_of(self.view, self.generation)


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """Fresh working keys with their private parts, and the body of their `keys` entry."""

    signing: SigningKey
    agreement: AgreementKey
    secrets: GenerationSecrets
    body: bytes


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A fresh account; `entries` are the (kind, body) with which its chain begins."""

    own: OwnKeys
    root: SigningKey
    secrets: AccountSecrets
    prekeys: Prekeys
    entries: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class PeerOneTime:
    batch: Batch
    index: int
    key: bytes


@dataclass(frozen=True, slots=True)
class PeerBundle:
    """A verified bundle. Without `one_time` the signed prekey is the last resort."""

    view: AccountView
    keys: Keys
    prekey: SignedPrekey
    one_time: PeerOneTime | None


def new_account(
    *, server: bytes, account: bytes, name: str, batch: int, now: int, random: RandomBytes
) -> NewAccount:
    """Root, first generation, first signed prekey and a batch of `batch` one-time prekeys."""
    seed = random(64)
    root = HYBRID.generate(seed)
    opened = account_statement(root, server=server, account=account, name=name, now=now)
    first = new_generation(root, account=account, generation=1, now=now, random=random)
    signed = add_signed(NO_PREKEYS, root, account=account, now=now, random=random)
    added = add_batch(signed.prekeys, root, account=account, now=now, random=random, count=batch)
    entries = ((KIND_ACCOUNT, opened), (KIND_KEYS, first.body), *signed.entries, *added.entries)
    view = view_of(entries, server=server, account=account)
    own = OwnKeys(view, 1, first.signing, {1: first.agreement})
    secrets = AccountSecrets(seed, (first.secrets,))
    return NewAccount(own, root, secrets, added.prekeys, entries)


def new_generation(
    root: SigningKey, *, account: bytes, generation: int, now: int, random: RandomBytes
) -> NewGeneration:
    """Randomness: working signing key 64, agreement key 96."""
    signing_seed, private = random(64), random(96)
    signing, agreement = HYBRID.generate(signing_seed), LocalKey(private)
    body = keys_entry(
        root, signing, agreement.public, account=account, generation=generation, now=now
    )
    secrets = GenerationSecrets(generation, signing_seed, private, now)
    return NewGeneration(signing, agreement, secrets, body)


def view_of(entries: Iterable[tuple[str, bytes]], *, server: bytes, account: bytes) -> AccountView:
    """The view of a whole account chain. Raises PeerViolation."""
    with peers_fault("account chain"):
        (kind, body), *rest = list(entries) or [("", b"")]
        if kind != KIND_ACCOUNT:
            raise PeerViolation("account chain: no account statement")
        view = open_account(body, server=server, account=account)
        for kind, body in rest:
            view = apply_entry(view, kind, body)
    return view


def account_statement(
    root: SigningKey, *, server: bytes, account: bytes, name: str, now: int
) -> bytes:
    """Body of the chain's entry 0."""
    payload = to_bytes(AccountStatement(server, account, name, root.public, now))
    return sign_statement(root, TYPE_ACCOUNT, payload)


def keys_entry(
    root: SigningKey,
    signing: SigningKey,
    agreement: bytes,
    *,
    account: bytes,
    generation: int,
    now: int,
) -> bytes:
    """Body of a `keys` entry; `agreement` is the public pair."""
    statement = KeysStatement(account, generation, signing.public, agreement, (SUITE,), now)
    payload = to_bytes(statement)
    signed = sign_statement(root, TYPE_KEYS, payload)
    return to_bytes(KeysEntry(signed, sign_detached(signing, TYPE_POSSESSION, payload)))


def open_bundle(
    data: bytes, *, server: bytes, account: bytes, pinned: bytes | None = None
) -> PeerBundle:
    """The bundle of `account` under the pinned fingerprint, or any root on first contact.

    Raises PeerViolation when anything in it is missing, malformed, unsigned or another account's.
    """
    with peers_fault("bundle"):
        bundle = from_bytes(Bundle, data, limit=MAX_BUNDLE)
        view = open_account(bundle.account, server=server, account=account)
        if pinned is not None and view.fingerprint != pinned:
            raise PeerViolation("bundle: another root than the pinned one")
        keys = open_keys(view, bundle.keys)
        prekey = open_prekey(view, bundle.prekey)
        one_time = None if bundle.one_time is None else _open_one_time(view, bundle.one_time)
    return PeerBundle(view, keys, prekey, one_time)


def _open_one_time(view: AccountView, one_time: OneTime) -> PeerOneTime:
    batch = open_batch(view, one_time.batch)
    split_public(one_time.key)
    leaf = leaf_hash(to_bytes(BatchLeaf(batch.batch, one_time.index, one_time.key)))
    verify_inclusion(leaf, one_time.index, batch.count, one_time.path, batch.root)
    return PeerOneTime(batch, one_time.index, one_time.key)


def check_bundle_is_current(bundle: PeerBundle, view: AccountView) -> None:
    """Refuse a bundle that is older than what the account's chain already showed.

    Raises PeerViolation for another root, ServerViolation for superseded keys.
    """
    if bundle.view.root != view.root:
        raise PeerViolation("bundle: another root than the account's")
    if bundle.keys.generation < len(view.keys) or bundle.prekey.id < len(view.prekeys):
        raise ServerViolation("bundle: keys that were superseded")
    known = view.generation(bundle.keys.generation)
    if known is not None and known.statement != bundle.keys.statement:
        raise PeerViolation("bundle: other keys than the account's chain has")


def keys_of(view: AccountView, generation: int) -> Keys:
    """The account's keys of that generation. Raises NeedsAccount."""
    keys = view.generation(generation)
    if keys is None:
        raise NeedsAccount(view.account, generation)
    return keys


def safety_number(fingerprint: bytes, other: bytes) -> str:
    """Twelve groups of five digits, the same for both sides."""
    lower, higher = sorted((fingerprint, other))
    digest = sha512(b"securemsg/safety/1", lower, higher)
    groups = (int.from_bytes(digest[at : at + 5], "big") % 100_000 for at in range(0, 60, 5))
    return " ".join(f"{group:05d}" for group in groups)
