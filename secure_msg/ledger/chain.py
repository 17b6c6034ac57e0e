"""One chain of entries, followed header by header (docs/spec/ledger.md, "Chain")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from secure_msg.codec.cbor import encode_checked
from secure_msg.codec.schema import Fixed, Text, Uint, from_bytes, record, to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import merkle
from secure_msg.ledger.errors import (
    ChainGap,
    ChainRepeat,
    ContentMismatch,
    ForeignChain,
    HeadMismatch,
    TimeReversed,
)
from secure_msg.ledger.merkle import Frontier

ID_SIZE = 32
SALT_SIZE = 32
MAX_HEADER = 256


@record
@dataclass(frozen=True, slots=True)
class ChainHeader:
    """What a chain commits to of one entry; `time` in ms since 1970 UTC, `length` in bytes."""

    chain: Annotated[bytes, Fixed(ID_SIZE)]
    sequence: Annotated[int, Uint()]
    kind: Annotated[str, Text(32, min=1)]
    time: Annotated[int, Uint()]
    length: Annotated[int, Uint()]
    content: Annotated[bytes, Fixed(32)]


def read_header(data: bytes) -> ChainHeader:
    """Raises MalformedData."""
    return from_bytes(ChainHeader, data, limit=MAX_HEADER)


def header_bytes(
    chain: bytes, sequence: int, kind: str, time: int, *, length: int, content: bytes
) -> bytes:
    """The bytes of a ChainHeader of fields that were checked before."""
    return encode_checked((chain, sequence, kind, time, length, content))


def header_hash(header: ChainHeader) -> bytes:
    """The leaf hash of an entry."""
    return merkle.leaf_hash(to_bytes(header))


def content_hash(salt: bytes, body: bytes) -> bytes:
    return sha256(salt, body)


def check_content(header: ChainHeader, salt: bytes, body: bytes) -> None:
    """Raises ContentMismatch unless `header` commits to this salt (32 bytes) and body."""
    if (
        len(salt) != SALT_SIZE
        or len(body) != header.length
        or content_hash(salt, body) != header.content
    ):
        raise ContentMismatch("body or salt is not what the header commits to")


@dataclass(frozen=True, slots=True)
class Head:
    """A chain's size and root, as a head proof or a receipt shows them."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class ChainState:
    """A chain up to a point; `time` and `last` (leaf hash) are of its last entry, if known."""

    chain: bytes
    frontier: Frontier
    time: int = 0
    last: bytes | None = None

    @classmethod
    def start(cls, chain: bytes) -> ChainState:
        return cls(chain, merkle.EMPTY)

    @property
    def head(self) -> Head:
        return Head(self.frontier.size, self.frontier.root())

    def next(self, header: ChainHeader) -> ChainState:
        """The state after `header`. Raises ForeignChain, ChainGap, ChainRepeat or TimeReversed."""
        size = self.frontier.size
        if header.chain != self.chain:
            raise ForeignChain("a header of another chain")
        if header.sequence > size:
            raise ChainGap(f"entry {header.sequence} follows {size} entries")
        if header.sequence < size:
            raise ChainRepeat(f"entry {header.sequence} comes again after {size} entries")
        if header.time < self.time:
            raise TimeReversed(f"entry {header.sequence} is older than the one before it")
        leaf = header_hash(header)
        return ChainState(self.chain, self.frontier.append(leaf), header.time, leaf)


def verify_page(
    state: ChainState,
    headers: Sequence[ChainHeader],
    expected: Head,
    consistency: Sequence[bytes] = (),
) -> ChainState:
    """The state after a page of headers, which leads to the proved head.

    A page that ends before `expected` needs the consistency path from its end to there.
    Raises ChainError's kinds or ProofError; `state` itself is untouched.
    """
    for header in headers:
        state = state.next(header)
    reached = state.head
    if reached.size == expected.size:
        if reached.root != expected.root:
            raise HeadMismatch("the entries lead to another head")
    elif reached.size > expected.size:
        raise HeadMismatch("there are more entries than the head has")
    elif reached.size > 0:
        merkle.verify_consistency(
            reached.size, expected.size, reached.root, expected.root, consistency
        )
    return state
