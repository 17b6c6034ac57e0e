"""X25519 (RFC 7748)."""

from cryptography.hazmat.primitives.asymmetric import x25519

from secure_msg.crypto.errors import InvalidKey

PUBLIC_SIZE = 32
PRIVATE_SIZE = 32
SECRET_SIZE = 32


class X25519PrivateKey:
    """A private key of 32 bytes, clamped when it is used (RFC 7748 section 5)."""

    __slots__ = ("_key", "_public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != PRIVATE_SIZE:
            raise InvalidKey("X25519 private key has the wrong length")
        self._key = x25519.X25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._public

    def agree(self, peer_public: bytes) -> bytes:
        """The shared secret of 32 bytes.

        Raises InvalidKey on a wrong length and, because every low-order point leads there, on a
        result of all zeros (RFC 7748 section 6.1).
        """
        if len(peer_public) != PUBLIC_SIZE:
            raise InvalidKey("X25519 public key has the wrong length")
        try:
            return self._key.exchange(x25519.X25519PublicKey.from_public_bytes(peer_public))
        except ValueError as error:
            raise InvalidKey("X25519 public key is a point of low order") from error
