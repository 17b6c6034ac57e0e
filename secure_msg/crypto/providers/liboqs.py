"""liboqs, where the library is installed: Falcon-1024 and SLH-DSA, and a cross-check of both.

`import oqs` without the library prints, waits, tries a download and raises SystemExit. So the
library is probed first, at the places where the package will look for it, and the package is
imported only when a probe succeeded.
"""

import ctypes
import ctypes.util
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from secure_msg.crypto.errors import Unavailable

FALCON_1024 = "Falcon-1024"
SLH_DSA_SHAKE_128F = "SLH_DSA_PURE_SHAKE_128F"
SLH_DSA_SHAKE_256F = "SLH_DSA_PURE_SHAKE_256F"


def candidates(environ: Mapping[str, str]) -> list[str]:
    """Where the package `oqs` looks, in its order, on a system with .so files."""
    prefix = environ.get("OQS_INSTALL_PATH")
    root = Path(prefix) if prefix is not None else Path.home() / "_oqs"
    found = ctypes.util.find_library("oqs")
    places = [found] if found else []
    return places + [str((root / folder).absolute() / "liboqs.so") for folder in ("lib", "lib64")]


def probe(places: list[str]) -> str | None:
    """The version of the first library that loads and answers, or None."""
    for place in places:
        try:
            library = ctypes.CDLL(place)
            version = library.OQS_version
        except (OSError, AttributeError):
            continue
        version.restype = ctypes.c_char_p
        answer = version()
        if isinstance(answer, bytes) and answer:
            return answer.decode("ascii", "replace")
    return None


def load(environ: Mapping[str, str]) -> "LibOqs":
    """The library, or Unavailable. `environ` is the process's own: the package reads it too."""
    version = probe(candidates(environ))
    if version is None:
        raise Unavailable("the liboqs library was not found")
    try:
        module = importlib.import_module("oqs")
    except (ImportError, RuntimeError) as error:
        raise Unavailable("liboqs was found but its Python package does not load") from error
    return LibOqs(module, version)


class LibOqs:
    """A loaded library."""

    __slots__ = ("_module", "version")

    def __init__(self, module: ModuleType, version: str) -> None:
        self._module = module
        self.version = version

    def signature(self, name: str) -> "OqsSignatureProvider":
        """A mechanism by liboqs' name; Unavailable when this build has it switched off."""
        if not self._module.is_sig_enabled(name):
            raise Unavailable(f"this liboqs was built without {name}")
        return OqsSignatureProvider(self._module, name)


class OqsSignatureProvider:
    """One signature mechanism; callers check the lengths."""

    __slots__ = ("_module", "_name")

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module = module
        self._name = name

    def keypair(self) -> tuple[bytes, bytes]:
        """A fresh (public, private)."""
        with self._module.Signature(self._name) as mechanism:
            public = bytes(mechanism.generate_keypair())
            return public, bytes(mechanism.export_secret_key())

    def sign(self, private: bytes, message: bytes, context: bytes) -> bytes:
        """A signature; ValueError when the library refuses the key."""
        with self._module.Signature(self._name, private) as mechanism:
            try:
                if context:
                    return bytes(mechanism.sign_with_ctx_str(message, context))
                return bytes(mechanism.sign(message))
            except RuntimeError as error:
                raise ValueError("liboqs refused to sign") from error

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
        with self._module.Signature(self._name) as mechanism:
            if context:
                return bool(mechanism.verify_with_ctx_str(message, signature, context, public))
            return bool(mechanism.verify(message, signature, public))
