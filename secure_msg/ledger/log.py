"""The leaves of the public log (docs/spec/ledger.md, "Log"): 80 bytes that show no links."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from secure_msg.codec.cbor import MAX_INT
from secure_msg.codec.errors import MalformedData
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import merkle

LEAF_SIZE = 80
NO_TOUCHED = bytes(32)

_LEAF_MAGIC = b"SMLEAF\x00\x01"
_GENESIS_MAGIC = b"SMGENS\x00\x01"
_RESTORED_MAGIC = b"SMREST\x00\x01"


@dataclass(frozen=True, slots=True)
class LogLeaf:
    """One commit: time in ms since 1970 UTC, the map after it, the chains that it touched."""

    time: int
    map_root: bytes
    touched_root: bytes

    def to_bytes(self) -> bytes:
        return _write(_LEAF_MAGIC, self.time, self.map_root, self.touched_root)

    @classmethod
    def from_bytes(cls, data: bytes) -> LogLeaf:
        """Raises MalformedData."""
        return cls(*_read(_LEAF_MAGIC, data, "log leaf"))


@dataclass(frozen=True, slots=True)
class RestoredLeaf:
    """In a commit's place: the server went back to a copy, as a statement with this hash says."""

    time: int
    map_root: bytes
    statement: bytes

    @property
    def touched_root(self) -> bytes:
        """As of a commit that touched no chain."""
        return NO_TOUCHED

    def to_bytes(self) -> bytes:
        return _write(_RESTORED_MAGIC, self.time, self.map_root, self.statement)

    @classmethod
    def from_bytes(cls, data: bytes) -> RestoredLeaf:
        """Raises MalformedData."""
        return cls(*_read(_RESTORED_MAGIC, data, "restored leaf"))


def read_mapped(data: bytes) -> LogLeaf | RestoredLeaf:
    """A leaf that holds a map root: every one but the genesis leaf. Raises MalformedData."""
    if data.startswith(_RESTORED_MAGIC):
        return RestoredLeaf.from_bytes(data)
    return LogLeaf.from_bytes(data)


@dataclass(frozen=True, slots=True)
class GenesisLeaf:
    """Leaf 0: the salt under which names are mapped, and H(server public key)."""

    time: int
    name_salt: bytes
    server: bytes

    def to_bytes(self) -> bytes:
        return _write(_GENESIS_MAGIC, self.time, self.name_salt, self.server)

    @classmethod
    def from_bytes(cls, data: bytes) -> GenesisLeaf:
        """Raises MalformedData."""
        return cls(*_read(_GENESIS_MAGIC, data, "genesis leaf"))


def server_identity(server_public: bytes) -> bytes:
    """What the genesis leaf says of the server's 1984-byte public key."""
    return sha256(server_public)


class Touched(NamedTuple):
    """A chain that a commit appended to, with its head after it and a blind of 32 random bytes."""

    chain: bytes
    size: int
    root: bytes
    blind: bytes


def touched_hash(touched: Touched) -> bytes:
    size = touched.size.to_bytes(8, "big")
    return sha256(b"\x00", touched.blind, touched.chain, size, touched.root)


def touched_root(touched: Iterable[Touched]) -> bytes:
    """The root over one commit's chains, in whatever order they come; each chain once."""
    ordered = sorted(touched)
    if not ordered:
        return NO_TOUCHED
    if len({one.chain for one in ordered}) != len(ordered):
        raise ValueError("a commit touches each chain once")
    return merkle.root_of(touched_hash(one) for one in ordered)


def _write(magic: bytes, time: int, first: bytes, second: bytes) -> bytes:
    if len(first) != 32 or len(second) != 32:
        raise ValueError("a log leaf holds two hashes of 32 bytes")
    return magic + time.to_bytes(8, "big") + first + second


def _read(magic: bytes, data: bytes, what: str) -> tuple[int, bytes, bytes]:
    if len(data) != LEAF_SIZE or data[:8] != magic:
        raise MalformedData(f"{what}: not 80 bytes of the expected form")
    time = int.from_bytes(data[8:16], "big")
    if time > MAX_INT:
        raise MalformedData(f"{what}: time beyond 53 bits")
    return time, data[16:48], data[48:]
