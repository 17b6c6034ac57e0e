"""Proofs as they travel (docs/spec/ledger.md); what makes and checks them is in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec.schema import Bytes, Fixed, Many, Maybe, Nested, Uint, record

LABEL_SIZE = 32
LABEL_BITS = 256
LEAF_SIZE = 80
MAX_HEADER = 256
MAX_PATH = 53
MAX_CHECKPOINT = 65_536
MAX_STATEMENT = 8_192
MAX_RESTORATIONS = 8
MAX_CONSISTENCY = 64


@record
@dataclass(frozen=True, slots=True)
class MapLeaf:
    label: Annotated[bytes, Fixed(LABEL_SIZE)]
    value: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class MapProof:
    """Siblings from the root down (None: empty); for absence, the other leaf that is there."""

    siblings: Annotated[tuple[bytes | None, ...], Many(Maybe(Fixed(32)), LABEL_BITS)]
    other: Annotated[MapLeaf | None, Maybe(Nested(MapLeaf))] = None


@record
@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry's way into a checkpoint."""

    header: Annotated[bytes, Bytes(MAX_HEADER)]
    chain_size: Annotated[int, Uint()]
    chain_path: Annotated[tuple[bytes, ...], Many(Fixed(32), MAX_PATH)]
    map_proof: Annotated[MapProof, Nested(MapProof)]
    log_index: Annotated[int, Uint()]
    log_leaf: Annotated[bytes, Fixed(LEAF_SIZE)]
    log_path: Annotated[tuple[bytes, ...], Many(Fixed(32), MAX_PATH)]
    checkpoint: Annotated[bytes, Bytes(MAX_CHECKPOINT)]


@record
@dataclass(frozen=True, slots=True)
class HeadProof:
    """A chain's head and its way into the newest checkpoint; size 0: the chain does not exist."""

    chain: Annotated[bytes, Fixed(32)]
    size: Annotated[int, Uint()]
    root: Annotated[bytes, Fixed(32)]
    map_proof: Annotated[MapProof, Nested(MapProof)]
    log_index: Annotated[int, Uint()]
    log_leaf: Annotated[bytes, Fixed(LEAF_SIZE)]
    log_path: Annotated[tuple[bytes, ...], Many(Fixed(32), MAX_PATH)]
    checkpoint: Annotated[bytes, Bytes(MAX_CHECKPOINT)]


@record
@dataclass(frozen=True, slots=True)
class RestoredStatement:
    """The server went back, at `time`, to the log of this size and root; `copied` is its time."""

    server: Annotated[bytes, Fixed(32)]
    id: Annotated[bytes, Fixed(16)]
    time: Annotated[int, Uint()]
    size: Annotated[int, Uint()]
    root: Annotated[bytes, Fixed(32)]
    copied: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class Restoration:
    """A signed RestoredStatement, and its leaf's way into a checkpoint."""

    statement: Annotated[bytes, Bytes(MAX_STATEMENT)]
    log_index: Annotated[int, Uint()]
    log_leaf: Annotated[bytes, Fixed(LEAF_SIZE)]
    log_path: Annotated[tuple[bytes, ...], Many(Fixed(32), MAX_PATH)]


@record
@dataclass(frozen=True, slots=True)
class LogNews:
    """The newest checkpoint, the proof that leads to it from a known size, and restorations."""

    checkpoint: Annotated[bytes, Bytes(MAX_CHECKPOINT)]
    consistency: Annotated[tuple[bytes, ...], Many(Fixed(32), MAX_CONSISTENCY)]
    restorations: Annotated[tuple[Restoration, ...], Many(Nested(Restoration), MAX_RESTORATIONS)]
