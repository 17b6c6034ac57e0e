"""Signature schemes by name, and the hybrid Ed25519+ML-DSA-65 (docs/spec/crypto.md)."""

from typing import Final, Protocol

from secure_msg.crypto import ed25519, falcon, mldsa, slhdsa
from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.providers import pqcrypto, pypqc

HYBRID_PUBLIC_SIZE: Final = ed25519.PUBLIC_SIZE + mldsa.PUBLIC_SIZE
HYBRID_SEED_SIZE: Final = ed25519.SEED_SIZE + mldsa.SEED_SIZE
HYBRID_SIGNATURE_SIZE: Final = ed25519.SIGNATURE_SIZE + mldsa.SIGNATURE_SIZE

_KEY_ID_LABEL: Final = b"securemsg/hybrid-key/1"


class SigningKey(Protocol):
    """A private key that signs."""

    @property
    def public(self) -> bytes: ...

    def sign(self, message: bytes, context: bytes = b"") -> bytes:
        """The signature; InvalidParameter for a context that the scheme does not take."""
        ...


class SignatureScheme(Protocol):
    """A scheme; `seed_size` is the size of the private key as it is stored."""

    @property
    def name(self) -> str: ...
    @property
    def public_size(self) -> int: ...
    @property
    def seed_size(self) -> int: ...

    def generate(self, seed: bytes) -> SigningKey:
        """The key of this seed, always the same one; InvalidKey on a wrong length."""
        ...

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        """Return None, or raise InvalidSignature (malformed keys and lengths included)."""
        ...


ED25519: Final[SignatureScheme] = ed25519.Ed25519()
ML_DSA_65: Final[SignatureScheme] = mldsa.MLDSA65()


class _HybridSigningKey:
    __slots__ = ("_ed25519", "_mldsa")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != HYBRID_SEED_SIZE:
            raise InvalidKey("hybrid seed has the wrong length")
        self._ed25519 = ED25519.generate(seed[: ed25519.SEED_SIZE])
        self._mldsa = ML_DSA_65.generate(seed[ed25519.SEED_SIZE :])

    @property
    def public(self) -> bytes:
        return self._ed25519.public + self._mldsa.public

    def sign(self, message: bytes, context: bytes = b"") -> bytes:
        """ed(64) ‖ mldsa(3309). Both sign `message`; the context is ML-DSA's alone."""
        return self._ed25519.sign(message) + self._mldsa.sign(message, context)


class _Hybrid:
    name: Final = "Ed25519+ML-DSA-65"
    public_size: Final = HYBRID_PUBLIC_SIZE
    seed_size: Final = HYBRID_SEED_SIZE

    def generate(self, seed: bytes) -> _HybridSigningKey:
        return _HybridSigningKey(seed)

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes = b"") -> None:
        if len(public) != HYBRID_PUBLIC_SIZE or len(signature) != HYBRID_SIGNATURE_SIZE:
            raise InvalidSignature("hybrid key or signature has the wrong length")
        ed_public, mldsa_public = public[: ed25519.PUBLIC_SIZE], public[ed25519.PUBLIC_SIZE :]
        ed_signature = signature[: ed25519.SIGNATURE_SIZE]
        mldsa_signature = signature[ed25519.SIGNATURE_SIZE :]
        ED25519.verify(ed_public, message, ed_signature)
        ML_DSA_65.verify(mldsa_public, message, mldsa_signature, context)


HYBRID: Final[SignatureScheme] = _Hybrid()

FALCON_1024: Final = falcon.Falcon1024(pypqc.FALCON_1024)
SLH_DSA_SHAKE_128F: Final = slhdsa.SlhDsa("SLH-DSA-SHAKE-128f", 32, 17088, pqcrypto.SHAKE_128F)
SLH_DSA_SHAKE_256F: Final = slhdsa.SlhDsa("SLH-DSA-SHAKE-256f", 64, 49856, pqcrypto.SHAKE_256F)

_SCHEMES: Final[tuple[SignatureScheme, ...]] = (
    ED25519,
    ML_DSA_65,
    HYBRID,
    FALCON_1024,
    SLH_DSA_SHAKE_128F,
    SLH_DSA_SHAKE_256F,
)
_BY_NAME: Final = {scheme.name: scheme for scheme in _SCHEMES}


def scheme_by_name(name: str) -> SignatureScheme:
    """The scheme of exactly this name, else InvalidParameter."""
    try:
        return _BY_NAME[name]
    except KeyError as error:
        raise InvalidParameter("unknown signature scheme") from error


def hybrid_key_id(public: bytes) -> bytes:
    """SHA-256("securemsg/hybrid-key/1" ‖ public), 32 bytes; InvalidKey on a wrong length."""
    if len(public) != HYBRID_PUBLIC_SIZE:
        raise InvalidKey("hybrid public key has the wrong length")
    return sha256(_KEY_ID_LABEL, public)
