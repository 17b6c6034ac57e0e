"""What a provider of a signature algorithm offers to the scheme that wraps it."""

from typing import Protocol


class SignatureProvider(Protocol):
    """Raw calls into a library; lengths were checked by the scheme."""

    def keypair(self) -> tuple[bytes, bytes]:
        """A fresh (public, private), with the library's own randomness."""
        ...

    def sign(self, private: bytes, message: bytes, context: bytes) -> bytes:
        """A signature; ValueError when the private key does not decode."""
        ...

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
        """Whether the signature verifies; malformed input is False."""
        ...
