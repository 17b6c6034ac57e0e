"""The vault: wraps of its key, and private files (docs/spec/e2ee.md section 6).

What the files hold: `accountkeys`, `prekeys`, `vaultfiles`, `state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

from secure_msg.codec import cbor
from secure_msg.codec.accounts import ID_SIZE
from secure_msg.codec.schema import Fixed, Many, Maybe, Nested, Uint, from_bytes, record, to_bytes
from secure_msg.crypto.aead import AES_256_GCM
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.mac import hmac_sha256
from secure_msg.crypto.random import RandomBytes
from secure_msg.e2ee.errors import AuthenticationFailed, Misuse, ServerViolation, peers_fault

MIN_BLOB = 1_024
MAX_BLOB = 1_048_576
MAX_PREVIOUS = 256
MAX_WRAPS = 65_536

WRAPS_PATH = sha256(b"securemsg/file/wraps/1")

LABEL_KEYS = "keys"
LABEL_PREKEYS = "prekeys"
LABEL_CONTACTS = "contacts"
LABEL_SETTINGS = "settings"

_NONCE = bytes(12)
_FORMAT = 1
_HEAD = 1 + 4 + 32
_OVERHEAD = _HEAD + 16 + 4
_ALWAYS_REWRITTEN = frozenset({LABEL_KEYS, LABEL_PREKEYS, LABEL_CONTACTS, LABEL_SETTINGS})

Which: TypeAlias = Literal["password", "recovery"]


def label_session(thread: bytes) -> str:
    return f"session/{thread.hex()}"


def label_archive(thread: bytes, number: int) -> str:
    return f"archive/{thread.hex()}/{number}"


@record
@dataclass(frozen=True, slots=True)
class Wrap:
    """The vault key under what a person knows."""

    salt: Annotated[bytes, Fixed(32)]
    sealed: Annotated[bytes, Fixed(48)]


@record
@dataclass(frozen=True, slots=True)
class PreviousKey:
    """The vault key of an earlier epoch under this epoch's."""

    epoch: Annotated[int, Uint()]
    salt: Annotated[bytes, Fixed(32)]
    sealed: Annotated[bytes, Fixed(48)]


@record
@dataclass(frozen=True, slots=True)
class Wraps:
    """The one file that is not vault-encrypted; `names` is salt(32) ‖ sealed(48)."""

    account: Annotated[bytes, Fixed(ID_SIZE)]
    epoch: Annotated[int, Uint()]
    password: Annotated[Wrap, Nested(Wrap)]
    recovery: Annotated[Wrap | None, Maybe(Nested(Wrap))]
    names: Annotated[bytes, Fixed(80)]
    previous: Annotated[tuple[PreviousKey, ...], Many(Nested(PreviousKey), MAX_PREVIOUS)]


@dataclass(frozen=True, slots=True)
class Vault:
    """An open vault: the key of this epoch and of earlier ones, and the key of file names."""

    account: bytes
    epoch: int
    key: bytes
    names: bytes
    previous: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """A vault that was just made, and its wraps file."""

    wraps: Wraps
    vault: Vault


def new_vault(
    account: bytes, *, personal_key: bytes, recovery_key: bytes | None, random: RandomBytes
) -> NewEpoch:
    """Epoch 1."""
    key, names = random(32), random(32)
    vault = Vault(account, 1, key, names, {})
    return _wrapped(vault, personal_key, recovery_key, random)


def next_epoch(
    vault: Vault, *, personal_key: bytes, recovery_key: bytes | None, random: RandomBytes
) -> NewEpoch:
    """A new vault key; the old ones stay readable. The caller re-encrypts what the spec lists."""
    if len(vault.previous) >= MAX_PREVIOUS:
        raise Misuse("no more epochs")
    previous = {**vault.previous, vault.epoch: vault.key}
    after = Vault(vault.account, vault.epoch + 1, random(32), vault.names, previous)
    return _wrapped(after, personal_key, recovery_key, random)


def with_recovery(wraps: Wraps, vault: Vault, recovery_key: bytes, salt: bytes) -> Wraps:
    """The wraps with another recovery wrap, the same epoch."""
    return replace(wraps, recovery=_wrap(vault, "recovery", recovery_key, salt))


def open_wraps(data: bytes, *, account: bytes, which: Which, key: bytes) -> Vault:
    """The vault by the personal or the recovery key. Raises AuthenticationFailed, PeerViolation."""
    with peers_fault("wraps"):
        wraps = from_bytes(Wraps, data, limit=MAX_WRAPS)
    if wraps.account != account:
        raise AuthenticationFailed("wraps: another account's")
    wrap = wraps.password if which == "password" else wraps.recovery
    if wrap is None:
        raise AuthenticationFailed("wraps: no recovery is set up")
    ad = cbor.encode([account, wraps.epoch, which])
    vault_key = _unwrap(_wrap_key(key, wrap.salt), wrap.sealed, ad)
    names = _unwrap(
        _previous_key(vault_key, wraps.names[:32]), wraps.names[32:], _previous_ad(account, 0)
    )
    previous = {
        old.epoch: _unwrap(
            _previous_key(vault_key, old.salt), old.sealed, _previous_ad(account, old.epoch)
        )
        for old in wraps.previous
    }
    if tuple(old.epoch for old in wraps.previous) != tuple(range(1, wraps.epoch)):
        raise AuthenticationFailed("wraps: not every earlier epoch in order")
    return Vault(account, wraps.epoch, vault_key, names, previous)


def path_for(vault: Vault, label: str) -> bytes:
    """The path of a private file: 32 bytes that say nothing without the name key."""
    return hmac_sha256(vault.names, label.encode())


def seal_file(vault: Vault, label: str, *, version: int, plaintext: bytes, salt: bytes) -> bytes:
    """The blob of a file for the put that makes `version`; `salt` is 32 fresh bytes."""
    if len(salt) != 32 or version < 1:
        raise Misuse("a file needs a salt of 32 bytes and a version from 1 on")
    path = path_for(vault, label)
    sealed = AES_256_GCM.seal(
        _file_key(vault.key, salt, path), _NONCE, _pad(plaintext), _file_ad(vault, path, version)
    )
    return bytes([_FORMAT]) + vault.epoch.to_bytes(4, "big") + salt + sealed


def open_file(vault: Vault, label: str, *, version: int, blob: bytes) -> bytes:
    """The plaintext of that version. Raises AuthenticationFailed, ServerViolation (old epoch)."""
    if not MIN_BLOB <= len(blob) <= MAX_BLOB or blob[0] != _FORMAT:
        raise AuthenticationFailed("file: not of a form that is written")
    epoch = int.from_bytes(blob[1:5], "big")
    if epoch < vault.epoch and label in _ALWAYS_REWRITTEN:
        raise ServerViolation("file: of an epoch that ended")
    key = vault.key if epoch == vault.epoch else vault.previous.get(epoch)
    if key is None:
        raise AuthenticationFailed("file: of an unknown epoch")
    path = path_for(vault, label)
    file_key = _file_key(key, blob[5:_HEAD], path)
    return _unpad(_unwrap(file_key, blob[_HEAD:], _file_ad(vault, path, version)))


def _wrapped(
    vault: Vault, personal_key: bytes, recovery_key: bytes | None, random: RandomBytes
) -> NewEpoch:
    password = _wrap(vault, "password", personal_key, random(32))
    recovery = None
    if recovery_key is not None:
        recovery = _wrap(vault, "recovery", recovery_key, random(32))
    salt = random(32)
    names = salt + _seal_previous(vault, salt, 0, vault.names)
    previous = []
    for epoch, key in sorted(vault.previous.items()):
        salt = random(32)
        previous.append(PreviousKey(epoch, salt, _seal_previous(vault, salt, epoch, key)))
    wraps = Wraps(vault.account, vault.epoch, password, recovery, names, tuple(previous))
    return NewEpoch(wraps, vault)


def _wrap(vault: Vault, which: Which, key: bytes, salt: bytes) -> Wrap:
    ad = cbor.encode([vault.account, vault.epoch, which])
    return Wrap(salt, AES_256_GCM.seal(_wrap_key(key, salt), _NONCE, vault.key, ad))


def _wrap_key(key: bytes, salt: bytes) -> bytes:
    return hkdf_sha512(key, salt=salt, info=b"securemsg/wrap-vault/1", length=32)


def _seal_previous(vault: Vault, salt: bytes, epoch: int, key: bytes) -> bytes:
    ad = _previous_ad(vault.account, epoch)
    return AES_256_GCM.seal(_previous_key(vault.key, salt), _NONCE, key, ad)


def _previous_key(vault_key: bytes, salt: bytes) -> bytes:
    return hkdf_sha512(vault_key, salt=salt, info=b"securemsg/wrap-previous/1", length=32)


def _previous_ad(account: bytes, epoch: int) -> bytes:
    return cbor.encode([account, epoch, "previous" if epoch else "names"])


def _file_key(vault_key: bytes, salt: bytes, path: bytes) -> bytes:
    info = b"securemsg/vault-file/1" + path
    return hkdf_sha512(vault_key, salt=salt, info=info, length=32)


def _file_ad(vault: Vault, path: bytes, version: int) -> bytes:
    return cbor.encode([vault.account, path, version])


def _unwrap(key: bytes, sealed: bytes, ad: bytes) -> bytes:
    try:
        return AES_256_GCM.open(key, _NONCE, sealed, ad)
    except CryptoError:
        raise AuthenticationFailed("vault: not authentic under this key") from None


def _pad(plaintext: bytes) -> bytes:
    """u32be length ‖ plaintext ‖ zeros, so that the blob's size is a power of two."""
    size = max(MIN_BLOB, 1 << (len(plaintext) + _OVERHEAD - 1).bit_length())
    if size > MAX_BLOB:
        raise Misuse("a private file is too large")
    zeros = size - _OVERHEAD - len(plaintext)
    return len(plaintext).to_bytes(4, "big") + plaintext + bytes(zeros)


def _unpad(padded: bytes) -> bytes:
    length = int.from_bytes(padded[:4], "big")
    plaintext = padded[4 : 4 + length]
    if len(plaintext) != length or _pad(plaintext) != padded:
        raise AuthenticationFailed("file: padding of another form")
    return plaintext


def save_wraps(wraps: Wraps) -> bytes:
    return to_bytes(wraps)
