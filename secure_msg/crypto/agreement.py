"""Hybrid agreement keys X25519 + ML-KEM-1024 (docs/spec/crypto.md).

The halves are used separately by handshake and ratchet; nothing is combined here.
"""

from secure_msg.crypto import dh, kem
from secure_msg.crypto.errors import InvalidKey

PUBLIC_SIZE = dh.PUBLIC_SIZE + kem.PUBLIC_SIZE
PRIVATE_SIZE = dh.PRIVATE_SIZE + kem.SEED_SIZE


class AgreementKey:
    """A private pair, made from x(32) ‖ ML-KEM seed(64)."""

    __slots__ = ("_kem", "_x")

    def __init__(self, private: bytes) -> None:
        if len(private) != PRIVATE_SIZE:
            raise InvalidKey("agreement private key has the wrong length")
        self._x = dh.X25519PrivateKey(private[: dh.PRIVATE_SIZE])
        self._kem = kem.MLKEM1024PrivateKey(private[dh.PRIVATE_SIZE :])

    @property
    def public(self) -> bytes:
        """x(32) ‖ kem(1568)."""
        return self._x.public + self._kem.public

    def dh(self, peer_x: bytes) -> bytes:
        """X25519 with the peer's 32 bytes: a secret of 32 bytes, or InvalidKey."""
        return self._x.agree(peer_x)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """ML-KEM-1024: a secret of 32 bytes, or DecryptionFailed on a wrong length."""
        return self._kem.decapsulate(ciphertext)


def split_public(public: bytes) -> tuple[bytes, bytes]:
    """(X25519 key, ML-KEM key) of a public pair, the ML-KEM half checked; else InvalidKey."""
    if len(public) != PUBLIC_SIZE:
        raise InvalidKey("agreement public key has the wrong length")
    x, kem_public = public[: dh.PUBLIC_SIZE], public[dh.PUBLIC_SIZE :]
    kem.check_mlkem1024_public(kem_public)
    return x, kem_public
