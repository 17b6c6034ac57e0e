"""Signed tree heads: C2SP tlog-checkpoint in a signed note with an Ed25519 and an ML-DSA-65 line.

Sizes and key ids: docs/spec/ledger.md, "Checkpoint".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from secure_msg.crypto.hash import sha256
from secure_msg.crypto.signature import ED25519, ML_DSA_65, SigningKey
from secure_msg.ledger.errors import BadCheckpoint

MAX_CHECKPOINT = 65_536
MAX_LINES = 16

_CONTEXT = b"securemsg/checkpoint/1"
_ED_TYPE = b"\x01"
_ML_TYPE = b"\xffsecuremsg-mldsa65"
_ED_PUBLIC = 32
_ORIGIN = re.compile(r"[!-*,-~]{1,255}")
_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n")
_LINE = re.compile(r"— ([!-*,-~]{1,255}) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log of `origin` has `size` leaves and this RFC 6962 root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """What is signed."""
        if not _ORIGIN.fullmatch(self.origin):
            raise ValueError("an origin is printable ASCII without '+', at most 255 characters")
        root = b64encode(self.root).decode("ascii")
        return f"{self.origin}\n{self.size}\n{root}\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A parsed note, not yet verified; `text` is what its lines sign."""

    checkpoint: Checkpoint
    text: bytes
    signatures: tuple[NoteSignature, ...]

    def of_key(self, name: str, key_id: bytes) -> bytes:
        """The signature of the one line of this key. Raises BadCheckpoint."""
        found = [s for s in self.signatures if s.name == name and s.key_id == key_id]
        if len(found) != 1:
            raise BadCheckpoint("an expected signature line is missing or doubled")
        return found[0].signature


def ed25519_key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode("ascii"), b"\n", _ED_TYPE, public)[:4]


def ml_dsa_65_key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode("ascii"), b"\n", _ML_TYPE, public)[:4]


def verifier_key(origin: str, server_public: bytes) -> str:
    """The note verifier key ("vkey") of the Ed25519 line, for auditors' tools."""
    public = server_public[:_ED_PUBLIC]
    key_id = ed25519_key_id(origin, public).hex()
    return f"{origin}+{key_id}+{b64encode(_ED_TYPE + public).decode('ascii')}"


def sign_checkpoint(
    origin: str, size: int, root: bytes, *, ed25519: SigningKey, ml_dsa_65: SigningKey
) -> bytes:
    """The signed note with both lines."""
    text = Checkpoint(origin, size, root).text()
    lines = (
        (ed25519_key_id(origin, ed25519.public), ed25519.sign(text)),
        (ml_dsa_65_key_id(origin, ml_dsa_65.public), ml_dsa_65.sign(text, _CONTEXT)),
    )
    signed = "".join(
        f"— {origin} {b64encode(key_id + signature).decode('ascii')}\n"
        for key_id, signature in lines
    )
    return text + b"\n" + signed.encode("utf-8")


def parse_checkpoint(data: bytes) -> SignedCheckpoint:
    """Raises BadCheckpoint for what is not a canonical signed note of three lines."""
    if len(data) > MAX_CHECKPOINT:
        raise BadCheckpoint(f"longer than {MAX_CHECKPOINT} bytes")
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadCheckpoint("not UTF-8") from None
    text, separator, lines = note.partition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise BadCheckpoint("not a signed note")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_LINES:
        raise BadCheckpoint(f"more than {MAX_LINES} signature lines")
    text += "\n"
    return SignedCheckpoint(
        _parse_text(text), text.encode("utf-8"), tuple(_parse_line(line) for line in signatures)
    )


def verify_checkpoint(data: bytes, origin: str, server_public: bytes) -> Checkpoint:
    """The checkpoint that `server_public` (Ed25519 32 ‖ ML-DSA-65 1952) signed with both halves.

    Raises BadCheckpoint for form, origin or missing lines, InvalidSignature otherwise.
    """
    signed = parse_checkpoint(data)
    if signed.checkpoint.origin != origin:
        raise BadCheckpoint("of another origin")
    ed_public, ml_public = server_public[:_ED_PUBLIC], server_public[_ED_PUBLIC:]
    ed_signature = signed.of_key(origin, ed25519_key_id(origin, ed_public))
    ml_signature = signed.of_key(origin, ml_dsa_65_key_id(origin, ml_public))
    ED25519.verify(ed_public, signed.text, ed_signature)
    ML_DSA_65.verify(ml_public, signed.text, ml_signature, _CONTEXT)
    return signed.checkpoint


def _parse_text(text: str) -> Checkpoint:
    found = _TEXT.fullmatch(text)
    if found is None or not _ORIGIN.fullmatch(found[1]):
        raise BadCheckpoint("not the three lines of a checkpoint")
    size = int(found[2])
    if size >= 2**53:
        raise BadCheckpoint("size beyond 53 bits")
    return Checkpoint(found[1], size, _base64(found[3]))


def _parse_line(line: str) -> NoteSignature:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadCheckpoint("a malformed signature line")
    signed = _base64(found[2])
    if len(signed) < 5:
        raise BadCheckpoint("a signature line without signature")
    return NoteSignature(found[1], signed[:4], signed[4:])


def _base64(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except binascii.Error:
        raise BadCheckpoint("not base64") from None
    if b64encode(data).decode("ascii") != text:
        raise BadCheckpoint("not canonical base64")
    return data
