"""What both ways of a migration share: chains carried over entry by entry, checked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from secure_msg.codec.schema import from_bytes
from secure_msg.ledger.chain import read_header
from secure_msg.ledger.merkle import EMPTY, Node
from secure_msg.ledger.tiles import TILE_HEIGHT
from secure_msg.ledger.transaction import Damaged, StoreError
from secure_msg.store.chainfiles import GROUP, Row
from secure_msg.store.entry import Entry, Frame, erased_frame, frame_bytes
from secure_msg.store.records import IndexedFile, PutBody
from secure_msg.store.state import Chain


class NotMoved(StoreError):
    """The store cannot be moved; the text is for the operator. Nothing was changed."""


class Source(Protocol):
    """A chain's rows, wherever they are."""

    def rows(self, start: int, count: int) -> list[Row]: ...
    def entries(self, start: int, count: int) -> list[Entry]: ...


@dataclass(frozen=True, slots=True)
class Carried:
    """Up to 256 entries of one group, and the subtrees of 256, 256², … that they complete."""

    entries: list[Entry]
    levels: list[Node]

    def frames(self) -> list[bytes]:
        return [stored_frame(entry) for entry in self.entries]


def carry(source: Source, chain: Chain) -> Iterator[Carried]:
    """All of a chain, group by group. Raises Damaged unless it ends at the chain's head."""
    frontier = EMPTY
    for start in range(0, chain.size, GROUP):
        count = min(GROUP, chain.size - start)
        found: list[Entry] = []
        levels: list[Node] = []
        rows = source.rows(start, count)
        for row, entry in zip(rows, source.entries(start, count), strict=True):
            if row.leaf != entry.leaf:
                raise Damaged(f"entry {entry.sequence} of a chain does not match its leaf hash")
            frontier, nodes = frontier.grown(entry.leaf)
            levels += nodes[TILE_HEIGHT::TILE_HEIGHT]
            unique = row.unique if any(row.unique) else b""
            found.append(entry._replace(unique=unique, log_index=row.log_index))
        yield Carried(found, levels)
    if frontier != chain.frontier:
        raise Damaged("a chain's entries do not lead to its head")


def stored_frame(entry: Entry) -> bytes:
    """The frame of an entry, erased or not."""
    if entry.body is not None:
        return frame_bytes(entry)
    header = read_header(entry.header)
    return erased_frame(
        Frame(entry.kind, entry.time, True, b"", None, header.length, header.content)
    )


def put_of(entry: Entry) -> tuple[bytes, IndexedFile | None]:
    """The path of a `put` entry and the file that it made; None: it deleted it."""
    if entry.body is None:
        raise Damaged("a put without its body")
    put = from_bytes(PutBody, entry.body)
    gone = put.length == 0 and put.content == bytes(32)
    file = IndexedFile(put.path, put.version, put.content, put.length, entry.sequence)
    return put.path, None if gone else file
