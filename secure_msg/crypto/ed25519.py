"""Ed25519 (RFC 8032) with one verdict on every platform.

RFC 8032 leaves open what happens with points of small order and non-canonical encodings, and
libraries differ. Here A and R must be canonical and not of small order, s < L, and the equation
is the cofactorless one (the encoding of [s]B - [k]A equals R byte for byte).
tests/vectors/project/ed25519_edge_points_verdicts.json holds the verdicts.
"""

from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ed25519

from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature

PUBLIC_SIZE: Final = 32
SEED_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

FIELD_PRIME: Final = 2**255 - 19
GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493

# The y-coordinates of the eight points whose order divides 8, by order: 1, 2, 4, 8, 8. The sign
# of x makes no difference.
_SMALL_ORDER_Y: Final = frozenset(
    {
        1,
        FIELD_PRIME - 1,
        0,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    }
)


def _is_strict_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < FIELD_PRIME and y not in _SMALL_ORDER_Y


class Ed25519SigningKey:
    """A private key, made from its 32-byte seed."""

    __slots__ = ("_key", "_public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise InvalidKey("Ed25519 seed has the wrong length")
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._public

    def sign(self, message: bytes, context: bytes = b"") -> bytes:
        """64 bytes. Pure Ed25519 has no context: one that is not empty is refused."""
        _refuse_context(context)
        return self._key.sign(message)


class Ed25519:
    """The scheme `Ed25519`."""

    name: Final = "Ed25519"
    public_size: Final = PUBLIC_SIZE
    seed_size: Final = SEED_SIZE

    def generate(self, seed: bytes) -> Ed25519SigningKey:
        return Ed25519SigningKey(seed)

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        """Return None, or raise InvalidSignature."""
        _refuse_context(context)
        if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
            raise InvalidSignature("Ed25519 key or signature has the wrong length")
        s = int.from_bytes(signature[32:], "little")
        if not (_is_strict_point(public) and _is_strict_point(signature[:32]) and s < GROUP_ORDER):
            raise InvalidSignature("Ed25519 key or signature is not canonical")
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (exceptions.InvalidSignature, ValueError) as error:
            raise InvalidSignature("Ed25519 signature does not verify") from error


def _refuse_context(context: bytes) -> None:
    if context:
        raise InvalidParameter("Ed25519 takes no context")
