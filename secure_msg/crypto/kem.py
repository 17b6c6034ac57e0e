"""ML-KEM-1024 (FIPS 203).

Key generation, decapsulation and the key check are OpenSSL's; encapsulation with a given m is
pycryptodome's, because OpenSSL's binding draws m itself and randomness is an argument here.
"""

from cryptography.hazmat.primitives.asymmetric import mlkem

from secure_msg.crypto.errors import DecryptionFailed, InvalidKey, InvalidParameter
from secure_msg.crypto.providers import pycryptodome

PUBLIC_SIZE = 1568
SEED_SIZE = 64
CIPHERTEXT_SIZE = 1568
SECRET_SIZE = 32
RANDOMNESS_SIZE = 32


class MLKEM1024PrivateKey:
    """A decapsulation key, made from its seed d ‖ z of 64 bytes (FIPS 203 section 7.1)."""

    __slots__ = ("_key", "_public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise InvalidKey("ML-KEM-1024 seed has the wrong length")
        self._key = mlkem.MLKEM1024PrivateKey.from_seed_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @property
    def public(self) -> bytes:
        """The encapsulation key, 1568 bytes."""
        return self._public

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret of 32 bytes.

        A ciphertext of the right length that was not made for this key gives a pseudorandom
        secret (implicit rejection, FIPS 203 section 6.3). Wrong lengths raise DecryptionFailed.
        """
        if len(ciphertext) != CIPHERTEXT_SIZE:
            raise DecryptionFailed("ML-KEM-1024 ciphertext has the wrong length")
        return self._key.decapsulate(ciphertext)


def mlkem1024_encapsulate(public: bytes, randomness: bytes) -> tuple[bytes, bytes]:
    """(ciphertext of 1568 bytes, secret of 32) for the 32 bytes m (FIPS 203, Algorithm 17).

    Raises InvalidKey as `check_mlkem1024_public` does.
    """
    check_mlkem1024_public(public)
    if len(randomness) != RANDOMNESS_SIZE:
        raise InvalidParameter("ML-KEM-1024 encapsulation takes 32 bytes of randomness")
    return pycryptodome.mlkem1024_encapsulate(public, randomness)


def check_mlkem1024_public(public: bytes) -> None:
    """Raise InvalidKey unless length and modulus are right (FIPS 203 section 7.2)."""
    if len(public) != PUBLIC_SIZE:
        raise InvalidKey("ML-KEM-1024 public key has the wrong length")
    try:
        mlkem.MLKEM1024PublicKey.from_public_bytes(public)
    except ValueError as error:
        raise InvalidKey("ML-KEM-1024 public key is not reduced") from error
