"""Signed statements: COSE_Sign1 (RFC 9052 section 4.2) under Ed25519+ML-DSA-65.

The layout is fixed byte by byte in docs/spec/encoding.md, "Statements".
"""

from __future__ import annotations

import re

from secure_msg.codec import cbor
from secure_msg.codec.errors import MalformedData, Unencodable
from secure_msg.crypto.signature import HYBRID, SigningKey, hybrid_key_id

ALGORITHM = -65537
CONTEXT = b"securemsg/statement/1"
KEY_ID_SIZE = 32
SIGNATURE_SIZE = 3373
DEFAULT_LIMIT = 65_536

_TYPE_NAME = re.compile(r"[!-~]{1,64}")
_START = bytes.fromhex("d284582b")
_PROTECTED = bytes.fromhex("a2013a00010000045820")
_UNPROTECTED = b"\xa0"
_PAYLOAD_AT = len(_START) + len(_PROTECTED) + KEY_ID_SIZE + len(_UNPROTECTED)


def sign_statement(key: SigningKey, type_name: str, payload: bytes) -> bytes:
    """The tagged COSE_Sign1 of `payload` as a statement of `type_name`."""
    protected = _protected(hybrid_key_id(key.public))
    signature = key.sign(_to_be_signed(protected, type_name, payload), CONTEXT)
    rest = cbor.encode([payload, signature])[1:]
    return _START + protected + _UNPROTECTED + rest


def open_statement(
    public: bytes, type_name: str, data: bytes, *, limit: int = DEFAULT_LIMIT
) -> bytes:
    """The payload of a statement of `type_name` signed by `public` (1984 bytes).

    Raises MalformedData when the layout is not ours or names another key, InvalidSignature when
    either signature does not verify.
    """
    key_id, payload, signature = _split(data, limit)
    if key_id != hybrid_key_id(public):
        raise MalformedData("statement: signed under another key")
    HYBRID.verify(public, _to_be_signed(_protected(key_id), type_name, payload), signature, CONTEXT)
    return payload


def statement_key_id(data: bytes, *, limit: int = DEFAULT_LIMIT) -> bytes:
    """The key id that a statement names: a hint for the look-up, not yet verified."""
    return _split(data, limit)[0]


def unverified_payload(data: bytes, *, limit: int = DEFAULT_LIMIT) -> bytes:
    """The payload before any verification: only to find the key that a self-signed one names."""
    return _split(data, limit)[1]


def sign_detached(key: SigningKey, type_name: str, payload: bytes) -> bytes:
    """The 3373-byte signature alone."""
    protected = _protected(hybrid_key_id(key.public))
    return key.sign(_to_be_signed(protected, type_name, payload), CONTEXT)


def verify_detached(public: bytes, type_name: str, payload: bytes, signature: bytes) -> None:
    """Raises InvalidSignature unless `signature` is `public`'s over `payload` as `type_name`."""
    protected = _protected(hybrid_key_id(public))
    HYBRID.verify(public, _to_be_signed(protected, type_name, payload), signature, CONTEXT)


def _protected(key_id: bytes) -> bytes:
    """Deterministic CBOR of {1: -65537, 4: key id}."""
    return _PROTECTED + key_id


def _to_be_signed(protected: bytes, type_name: str, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 section 4.4; external_aad is the type name."""
    if not _TYPE_NAME.fullmatch(type_name):
        raise Unencodable("statement: type name is not 1 to 64 characters of ASCII")
    return cbor.encode(["Signature1", protected, type_name.encode("ascii"), payload])


def _split(data: bytes, limit: int) -> tuple[bytes, bytes, bytes]:
    if len(data) > limit:
        raise MalformedData(f"statement: longer than {limit} bytes")
    key_at = len(_START) + len(_PROTECTED)
    key_id = data[key_at : key_at + KEY_ID_SIZE]
    if data[:_PAYLOAD_AT] != _START + _PROTECTED + key_id + _UNPROTECTED:
        raise MalformedData("statement: not a COSE_Sign1 with the expected headers")
    # What follows the headers are the array's last two items: read as an array of two.
    match cbor.decode(b"\x82" + data[_PAYLOAD_AT:], limit=limit):
        case [bytes(payload), bytes(signature)] if len(signature) == SIGNATURE_SIZE:
            return key_id, payload, signature
        case _:
            raise MalformedData("statement: payload or signature of the wrong form")
