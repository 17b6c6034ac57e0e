"""The file "keys": long-term private keys, each a blob of its own (e2ee.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec import cbor
from secure_msg.codec.accounts import AGREEMENT_PUBLIC_SIZE, SIGNING_PUBLIC_SIZE
from secure_msg.codec.schema import Fixed, Many, Nested, Uint, record
from secure_msg.crypto.aead import AES_256_GCM
from secure_msg.crypto.agreement import AgreementKey
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.random import RandomBytes
from secure_msg.crypto.signature import HYBRID, SigningKey
from secure_msg.e2ee.errors import AuthenticationFailed, Misuse
from secure_msg.e2ee.vault import Vault

MAX_GENERATIONS = 16

# RFC 8410 section 7: PrivateKeyInfo of a 32-byte key, up to the key itself.
_PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")
_PKCS8_X25519 = bytes.fromhex("302e020100300506032b656e04220420")
_NONCE_SIZE = 12
_ED_BLOB = _NONCE_SIZE + 48 + 16
_MLDSA_BLOB = _NONCE_SIZE + 32 + 16
_KEM_BLOB = _NONCE_SIZE + 64 + 16


@record
@dataclass(frozen=True, slots=True)
class KeyBlobs2:
    """The sealed halves of a hybrid signing key."""

    ed: Annotated[bytes, Fixed(_ED_BLOB)]
    mldsa: Annotated[bytes, Fixed(_MLDSA_BLOB)]


@record
@dataclass(frozen=True, slots=True)
class Generation:
    generation: Annotated[int, Uint()]
    signing: Annotated[KeyBlobs2, Nested(KeyBlobs2)]
    signing_public: Annotated[bytes, Fixed(SIGNING_PUBLIC_SIZE)]
    x: Annotated[bytes, Fixed(_ED_BLOB)]
    kem: Annotated[bytes, Fixed(_KEM_BLOB)]
    agreement_public: Annotated[bytes, Fixed(AGREEMENT_PUBLIC_SIZE)]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class AccountKeys:
    """The file "keys": each long-term private key a blob of its own."""

    root: Annotated[KeyBlobs2, Nested(KeyBlobs2)]
    root_public: Annotated[bytes, Fixed(SIGNING_PUBLIC_SIZE)]
    generations: Annotated[tuple[Generation, ...], Many(Nested(Generation), MAX_GENERATIONS)]


@dataclass(frozen=True, slots=True)
class GenerationSecrets:
    """One generation's private keys in the clear: signing 64, agreement 96 bytes."""

    generation: int
    signing: bytes
    agreement: bytes
    created: int


@dataclass(frozen=True, slots=True)
class AccountSecrets:
    """All long-term private keys in the clear; `root` is the 64-byte seed."""

    root: bytes
    generations: tuple[GenerationSecrets, ...]


def seal_account_keys(vault: Vault, secrets: AccountSecrets, random: RandomBytes) -> AccountKeys:
    """The file "keys". Nonces are drawn in the order of the names in the specification."""
    root = _seal_signing(vault, "root", secrets.root, random)
    generations = tuple(_seal_generation(vault, one, random) for one in secrets.generations)
    return AccountKeys(root, HYBRID.generate(secrets.root).public, generations)


def open_account_keys(vault: Vault, keys: AccountKeys) -> AccountSecrets:
    """Raises AuthenticationFailed when any blob was altered or is another account's."""
    generations = tuple(_open_generation(vault, one) for one in keys.generations)
    return AccountSecrets(_open_signing(vault, "root", keys.root), generations)


def _seal_generation(vault: Vault, one: GenerationSecrets, random: RandomBytes) -> Generation:
    number = str(one.generation)
    signing = _seal_signing(vault, number, one.signing, random)
    x = _seal(vault, f"{number}/x", _PKCS8_X25519 + one.agreement[:32], random)
    kem = _seal(vault, f"{number}/kem", one.agreement[32:], random)
    key: SigningKey = HYBRID.generate(one.signing)
    agreement = AgreementKey(one.agreement)
    return Generation(one.generation, signing, key.public, x, kem, agreement.public, one.created)


def _open_generation(vault: Vault, one: Generation) -> GenerationSecrets:
    number = str(one.generation)
    signing = _open_signing(vault, number, one.signing)
    x = _strip(_PKCS8_X25519, _open(vault, f"{number}/x", one.x))
    kem = _open(vault, f"{number}/kem", one.kem)
    return GenerationSecrets(one.generation, signing, x + kem, one.created)


def _seal_signing(vault: Vault, name: str, seed: bytes, random: RandomBytes) -> KeyBlobs2:
    if len(seed) != 64:
        raise Misuse("a hybrid signing seed has 64 bytes")
    ed = _seal(vault, f"{name}/ed", _PKCS8_ED25519 + seed[:32], random)
    return KeyBlobs2(ed, _seal(vault, f"{name}/mldsa", seed[32:], random))


def _open_signing(vault: Vault, name: str, blobs: KeyBlobs2) -> bytes:
    ed = _strip(_PKCS8_ED25519, _open(vault, f"{name}/ed", blobs.ed))
    return ed + _open(vault, f"{name}/mldsa", blobs.mldsa)


def _seal(vault: Vault, name: str, private: bytes, random: RandomBytes) -> bytes:
    nonce = random(_NONCE_SIZE)
    return nonce + AES_256_GCM.seal(_key(vault), nonce, private, _ad(vault, name))


def _open(vault: Vault, name: str, blob: bytes) -> bytes:
    nonce, sealed = blob[:_NONCE_SIZE], blob[_NONCE_SIZE:]
    try:
        return AES_256_GCM.open(_key(vault), nonce, sealed, _ad(vault, name))
    except CryptoError:
        raise AuthenticationFailed("key blob: not authentic") from None


def _key(vault: Vault) -> bytes:
    return hkdf_sha512(vault.key, salt=b"", info=b"securemsg/key-blobs/1", length=32)


def _ad(vault: Vault, name: str) -> bytes:
    return cbor.encode([vault.account, name])


def _strip(prefix: bytes, encoded: bytes) -> bytes:
    if not encoded.startswith(prefix):
        raise AuthenticationFailed("key blob: another kind of key")
    return encoded[len(prefix) :]
