"""pypqc: Falcon-1024 of NIST's round 3 (PQClean's portable code).

On import the package warns that Falcon may be covered by US patent 7308097; the statements are
in NIST's file of intellectual-property declarations for Falcon. The warning is silenced here
and repeated in docs/spec/crypto.md: whoever offers this suite decides for themselves. It draws
its own randomness and releases the interpreter lock.
"""

import importlib
import warnings
from functools import cache
from types import ModuleType

from secure_msg.crypto.errors import Unavailable


@cache
def _falcon() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("pqc.sign.falcon_1024")
    except ImportError as error:
        raise Unavailable("Falcon-1024 needs the package pypqc") from error


class Falcon1024Provider:
    """Falcon-1024; callers check the lengths, because the library reads past short keys."""

    __slots__ = ()

    def keypair(self) -> tuple[bytes, bytes]:
        """A fresh (public, private)."""
        public, private = _falcon().keypair()
        return bytes(public), bytes(private)

    def sign(self, private: bytes, message: bytes, context: bytes) -> bytes:
        """A signature; ValueError when the private key does not decode."""
        del context
        try:
            return bytes(_falcon().sign(message, private))
        except RuntimeError as error:
            raise ValueError("Falcon-1024 private key does not decode") from error

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
        del context
        try:
            _falcon().verify(signature, message, public)
        except (ValueError, RuntimeError):
            return False
        return True


FALCON_1024 = Falcon1024Provider()
