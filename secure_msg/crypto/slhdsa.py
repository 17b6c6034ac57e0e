"""SLH-DSA-SHAKE-128f and -256f (FIPS 205), pure, with a context.

The private key is stored as FIPS 205 encodes it (section 9.1, figure 15): SK.seed ‖ SK.prf ‖
PK.seed ‖ PK.root, so its second half is the public key. Signatures are randomised by the library.
"""

from typing import Final

from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature
from secure_msg.crypto.providers.shape import SignatureProvider

MAX_CONTEXT_SIZE: Final = 255


class SlhDsaSigningKey:
    """A key pair, made from its stored form."""

    __slots__ = ("_private", "_provider", "_public")

    def __init__(self, provider: SignatureProvider, stored: bytes) -> None:
        self._provider = provider
        self._private, self._public = stored, stored[len(stored) // 2 :]

    @property
    def public(self) -> bytes:
        """PK.seed ‖ PK.root."""
        return self._public

    def sign(self, message: bytes, context: bytes = b"") -> bytes:
        """A signature of the scheme's fixed size; the context is at most 255 bytes."""
        _check_context(context)
        try:
            return self._provider.sign(self._private, message, context)
        except ValueError as error:
            raise InvalidKey("SLH-DSA private key was refused") from error


class SlhDsa:
    """A scheme of the family; `signature_size` in bytes."""

    def __init__(
        self, name: str, public_size: int, signature_size: int, provider: SignatureProvider
    ) -> None:
        self.name: Final = name
        self.public_size: Final = public_size
        self.seed_size: Final = 2 * public_size
        self.signature_size: Final = signature_size
        self._provider = provider

    def new_private(self) -> bytes:
        """A fresh private key in its stored form; the library draws the randomness."""
        _, private = self._provider.keypair()
        return private

    def generate(self, seed: bytes) -> SlhDsaSigningKey:
        """The key pair of this stored form."""
        if len(seed) != self.seed_size:
            raise InvalidKey(f"{self.name} private key has the wrong length")
        return SlhDsaSigningKey(self._provider, seed)

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        """Return None, or raise InvalidSignature."""
        _check_context(context)
        if len(public) != self.public_size or len(signature) != self.signature_size:
            raise InvalidSignature(f"{self.name} key or signature has the wrong length")
        if not self._provider.verify(public, message, signature, context):
            raise InvalidSignature(f"{self.name} signature does not verify")


def _check_context(context: bytes) -> None:
    if len(context) > MAX_CONTEXT_SIZE:
        raise InvalidParameter("SLH-DSA context is too long")
