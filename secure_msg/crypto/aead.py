"""Authenticated encryption: one shape for all suites (docs/spec/crypto.md).

Key, nonce, plaintext and associated data are bytes; what is sealed is ciphertext ‖ tag.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import aead

from secure_msg.crypto.errors import DecryptionFailed, InvalidKey, InvalidParameter
from secure_msg.crypto.providers import pycryptodome

TAG_SIZE = 16


class Aead(Protocol):
    """An AEAD suite; sizes in bytes, `overhead` is what sealing adds."""

    @property
    def name(self) -> str: ...
    @property
    def key_size(self) -> int: ...
    @property
    def nonce_size(self) -> int: ...
    @property
    def overhead(self) -> int: ...

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """Encrypt. Raises InvalidKey or InvalidParameter on wrong lengths."""
        ...

    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        """Decrypt. Raises DecryptionFailed when anything at all was changed."""
        ...


class _Primitive(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


def _check_sizes(suite: Aead, key: bytes, nonce: bytes) -> None:
    if len(key) != suite.key_size:
        raise InvalidKey(f"{suite.name} key has the wrong length")
    if len(nonce) != suite.nonce_size:
        raise InvalidParameter(f"{suite.name} nonce has the wrong length")


@dataclass(frozen=True)
class _OneCipher:
    """A suite of one cipher with a tag of 16 bytes."""

    name: str
    key_size: int
    nonce_size: int
    primitive: Callable[[bytes], _Primitive]
    overhead: int = TAG_SIZE

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        _check_sizes(self, key, nonce)
        try:
            return self.primitive(key).encrypt(nonce, plaintext, ad)
        except OverflowError as error:
            raise InvalidParameter(f"{self.name} plaintext is too long") from error

    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        _check_sizes(self, key, nonce)
        if len(sealed) < self.overhead:
            raise DecryptionFailed(f"{self.name} ciphertext is too short")
        try:
            return self.primitive(key).decrypt(nonce, sealed, ad)
        except (InvalidTag, OverflowError) as error:
            raise DecryptionFailed(f"{self.name} ciphertext is not authentic") from error


@dataclass(frozen=True)
class _Cascade:
    """XChaCha20-Poly1305(k2, n2, AES-256-GCM(k1, n1, plaintext, ad), ad): docs/spec/crypto.md."""

    name: str
    inner: Aead
    outer: Aead

    @property
    def key_size(self) -> int:
        return self.inner.key_size + self.outer.key_size

    @property
    def nonce_size(self) -> int:
        return self.inner.nonce_size + self.outer.nonce_size

    @property
    def overhead(self) -> int:
        return self.inner.overhead + self.outer.overhead

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        _check_sizes(self, key, nonce)
        k1, k2 = key[: self.inner.key_size], key[self.inner.key_size :]
        n1, n2 = nonce[: self.inner.nonce_size], nonce[self.inner.nonce_size :]
        return self.outer.seal(k2, n2, self.inner.seal(k1, n1, plaintext, ad), ad)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        _check_sizes(self, key, nonce)
        k1, k2 = key[: self.inner.key_size], key[self.inner.key_size :]
        n1, n2 = nonce[: self.inner.nonce_size], nonce[self.inner.nonce_size :]
        return self.inner.open(k1, n1, self.outer.open(k2, n2, sealed, ad), ad)


AES_256_GCM: Aead = _OneCipher("AES-256-GCM", 32, 12, aead.AESGCM)
CHACHA20_POLY1305: Aead = _OneCipher("ChaCha20-Poly1305", 32, 12, aead.ChaCha20Poly1305)
XCHACHA20_POLY1305: Aead = _OneCipher("XChaCha20-Poly1305", 32, 24, pycryptodome.XChaCha20Poly1305)
AES_XCHACHA: Aead = _Cascade("AES-XChaCha", AES_256_GCM, XCHACHA20_POLY1305)

_BY_NAME = {
    suite.name: suite for suite in (AES_256_GCM, CHACHA20_POLY1305, XCHACHA20_POLY1305, AES_XCHACHA)
}


def aead_by_name(name: str) -> Aead:
    """The suite of exactly this name, else InvalidParameter."""
    try:
        return _BY_NAME[name]
    except KeyError as error:
        raise InvalidParameter("unknown AEAD suite") from error
