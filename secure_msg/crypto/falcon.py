"""Falcon-1024 of NIST's round 3 (not FN-DSA, which is not final), unpadded signatures.

The private key is stored as private(2305) ‖ public(1793), because the libraries do not derive
the public key. Signatures vary in length and are randomised by the library.
"""

from typing import Final

from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature
from secure_msg.crypto.providers.shape import SignatureProvider

PUBLIC_SIZE: Final = 1793
PRIVATE_SIZE: Final = 2305
STORED_SIZE: Final = PRIVATE_SIZE + PUBLIC_SIZE
MAX_SIGNATURE_SIZE: Final = 1462
MIN_SIGNATURE_SIZE: Final = 42

# First bytes: format (high nibble) and log2 of the degree (Falcon round 3, sections 3.11.3-5).
_PUBLIC_HEADER: Final = 0x0A
_SIGNATURE_HEADER: Final = 0x3A

_PROBE: Final = b"securemsg/falcon-1024/pair/1"


class Falcon1024SigningKey:
    """A key pair, made from its stored form."""

    __slots__ = ("_private", "_provider", "_public")

    def __init__(self, provider: SignatureProvider, stored: bytes) -> None:
        if len(stored) != STORED_SIZE:
            raise InvalidKey("Falcon-1024 private key has the wrong length")
        self._provider = provider
        self._private, self._public = stored[:PRIVATE_SIZE], stored[PRIVATE_SIZE:]
        # Two halves that do not belong together would sign what nobody can verify.
        if not provider.verify(self._public, _PROBE, self.sign(_PROBE), b""):
            raise InvalidKey("Falcon-1024 private and public key do not belong together")

    @property
    def public(self) -> bytes:
        """1793 bytes."""
        return self._public

    def sign(self, message: bytes, context: bytes = b"") -> bytes:
        """At most 1462 bytes. Falcon has no context: one that is not empty is refused."""
        _refuse_context(context)
        try:
            return self._provider.sign(self._private, message, b"")
        except ValueError as error:
            raise InvalidKey("Falcon-1024 private key does not decode") from error


class Falcon1024:
    """The scheme `Falcon-1024`."""

    name: Final = "Falcon-1024"
    public_size: Final = PUBLIC_SIZE
    seed_size: Final = STORED_SIZE

    def __init__(self, provider: SignatureProvider) -> None:
        self._provider = provider

    def new_private(self) -> bytes:
        """A fresh private key in its stored form; the library draws the randomness."""
        public, private = self._provider.keypair()
        return private + public

    def generate(self, seed: bytes) -> Falcon1024SigningKey:
        """The key pair of this stored form."""
        return Falcon1024SigningKey(self._provider, seed)

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        """Return None, or raise InvalidSignature."""
        _refuse_context(context)
        if len(public) != PUBLIC_SIZE or public[0] != _PUBLIC_HEADER:
            raise InvalidSignature("Falcon-1024 public key is malformed")
        if not _is_unpadded(signature):
            raise InvalidSignature("Falcon-1024 signature is malformed")
        if not self._provider.verify(public, message, signature, b""):
            raise InvalidSignature("Falcon-1024 signature does not verify")


def _is_unpadded(signature: bytes) -> bool:
    """Whether length and framing fit, and no zero bytes were added.

    Each coefficient ends in a 1 bit (section 3.11.2), so the last byte of the compressed form is
    never 0; some libraries also take a zero-padded form, a second spelling of the same signature.
    """
    in_range = MIN_SIGNATURE_SIZE <= len(signature) <= MAX_SIGNATURE_SIZE
    return in_range and signature[0] == _SIGNATURE_HEADER and signature[-1] != 0


def _refuse_context(context: bytes) -> None:
    if context:
        raise InvalidParameter("Falcon-1024 takes no context")
