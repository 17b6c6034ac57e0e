"""ML-DSA-65 (FIPS 204), pure, with a context.

Signatures are deterministic (section 3.4), so that a signer is a function of its arguments;
pycryptodome signs, OpenSSL verifies. Hedged signatures of other platforms verify alike.
"""

from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import mldsa

from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature
from secure_msg.crypto.providers import pycryptodome

PUBLIC_SIZE: Final = 1952
SEED_SIZE: Final = 32
SIGNATURE_SIZE: Final = 3309
MAX_CONTEXT_SIZE: Final = 255


class MLDSA65SigningKey:
    """A private key, made from its 32-byte seed."""

    __slots__ = ("_key", "_public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise InvalidKey("ML-DSA-65 seed has the wrong length")
        self._key = pycryptodome.MLDSA65SigningKey(seed)
        self._public = self._key.public

    @property
    def public(self) -> bytes:
        """1952 bytes."""
        return self._public

    def sign(self, message: bytes, context: bytes = b"") -> bytes:
        """3309 bytes; the context is at most 255."""
        _check_context(context)
        return self._key.sign(message, context)


class MLDSA65:
    """The scheme `ML-DSA-65`."""

    name: Final = "ML-DSA-65"
    public_size: Final = PUBLIC_SIZE
    seed_size: Final = SEED_SIZE

    def generate(self, seed: bytes) -> MLDSA65SigningKey:
        return MLDSA65SigningKey(seed)

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        """Return None, or raise InvalidSignature."""
        _check_context(context)
        if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
            raise InvalidSignature("ML-DSA-65 key or signature has the wrong length")
        try:
            mldsa.MLDSA65PublicKey.from_public_bytes(public).verify(signature, message, context)
        except (exceptions.InvalidSignature, ValueError) as error:
            raise InvalidSignature("ML-DSA-65 signature does not verify") from error


def _check_context(context: bytes) -> None:
    if len(context) > MAX_CONTEXT_SIZE:
        raise InvalidParameter("ML-DSA-65 context is too long")
