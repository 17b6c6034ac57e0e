"""Failures of the algorithms. No message carries key material, plaintext or library text."""


class CryptoError(Exception):
    """Base of everything that this package raises on purpose."""


class InvalidKey(CryptoError):
    """A key has the wrong length, is not reduced, or leads to a secret of all zeros."""


class InvalidSignature(CryptoError):
    """A signature does not verify, or signature or public key are malformed."""


class DecryptionFailed(CryptoError):
    """A ciphertext is malformed or not authentic."""


class InvalidParameter(CryptoError):
    """The caller's own argument (length, cost, name) is out of range."""


class Unavailable(CryptoError):
    """The algorithm's library is not installed here."""
