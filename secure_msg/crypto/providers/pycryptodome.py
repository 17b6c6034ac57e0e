"""pycryptodome: XChaCha20-Poly1305, ML-KEM-1024 with given randomness, ML-DSA-65 signing.

It signs ML-DSA-65 in about half of OpenSSL's time, and OpenSSL's binding offers neither
deterministic signatures nor a given m. Its calls release the GIL. Callers check lengths first.
"""

from typing import Final

from Crypto.Cipher import ChaCha20_Poly1305
from Crypto.PublicKey import MLDSA, MLKEM
from Crypto.Signature import mldsa
from cryptography.exceptions import InvalidTag

TAG_SIZE: Final = 16


class XChaCha20Poly1305:
    """draft-irtf-cfrg-xchacha-03 in the shape of cryptography's AEAD classes: nonce 24 bytes."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        cipher = ChaCha20_Poly1305.new(key=self._key, nonce=nonce)
        cipher.update(associated_data)
        ciphertext, tag = cipher.encrypt_and_digest(data)
        return ciphertext + tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        cipher = ChaCha20_Poly1305.new(key=self._key, nonce=nonce)
        cipher.update(associated_data)
        try:
            return cipher.decrypt_and_verify(data[:-TAG_SIZE], data[-TAG_SIZE:])
        except ValueError as error:
            raise InvalidTag from error


def mlkem1024_encapsulate(public: bytes, randomness: bytes) -> tuple[bytes, bytes]:
    """(ciphertext, secret) of ML-KEM.Encaps_internal (FIPS 203, Algorithm 17).

    The library has no public name for it; the version is pinned and the vectors of
    tests/vectors/wycheproof/mlkem_1024_encaps_test.json hold the result.
    """
    key = MLKEM.construct(param_set=MLKEM.ML_KEM_1024, ek=public)
    secret, ciphertext = key._encaps(randomness)
    return ciphertext, secret


class MLDSA65SigningKey:
    """ML-DSA-65 from its 32-byte seed; deterministic signatures (FIPS 204 section 3.4)."""

    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        self._key = MLDSA.construct(param_set=MLDSA.ML_DSA_65, seed=seed)

    @property
    def public(self) -> bytes:
        return self._key.pk

    def sign(self, message: bytes, context: bytes) -> bytes:
        return mldsa.new(self._key, context, deterministic=True).sign(message)
