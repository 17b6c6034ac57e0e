"""What whoever knows an older checkpoint needs to believe the newest (port: `log_news`)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from secure_msg.codec.proofs import LogNews, Restoration
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import merkle
from secure_msg.ledger.log import RestoredLeaf, read_mapped
from secure_msg.ledger.merkle import ReadNode
from secure_msg.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, bundle_entries, tile_hashes
from secure_msg.store.logfiles import LogFiles
from secure_msg.store.state import Published

_log = logging.getLogger(__name__)


def log_news(
    log: LogFiles, published: Published, seen: int, statements: Iterable[tuple[int, bytes]]
) -> LogNews:
    """The news for somebody who saw `seen` leaves; `statements` are (log index, bytes), newest
    first, of which only those count whose leaf is in this log. Raises Damaged."""
    size = published.log.size
    node = node_reader(log, size)
    path = merkle.consistency_path(seen, size, node) if 0 < seen <= size else ()
    found = [
        Restoration(statement, index, leaf, merkle.inclusion_path(index, size, node))
        for index, statement in statements
        if 0 < index < size and _names(leaf := leaf_at(log, index, size), index, statement)
    ]
    return LogNews(published.checkpoint, path, tuple(reversed(found)))


def node_reader(log: LogFiles, size: int) -> ReadNode:
    """The complete subtrees of the log of `size` leaves, out of its tiles."""

    def node(level: int, index: int) -> bytes:
        within = level % TILE_HEIGHT
        first, count = index << within, 1 << within
        start = first % TILE_WIDTH
        tile = Tile(level // TILE_HEIGHT, first // TILE_WIDTH, start + count)
        hashes = tile_hashes(log.read(tile, size) or b"", tile.width)
        return merkle.root_of(hashes[start:])

    return node


def leaf_at(log: LogFiles, index: int, size: int) -> bytes:
    """The log leaf `index`. Raises Damaged."""
    tile = Tile(None, index // TILE_WIDTH, index % TILE_WIDTH + 1)
    return bundle_entries(log.read(tile, size) or b"", tile.width)[-1]


def _names(leaf: bytes, index: int, statement: bytes) -> bool:
    found = read_mapped(leaf)
    if isinstance(found, RestoredLeaf) and found.statement == sha256(statement):
        return True
    _log.error("server/restored/%d is not what its log leaf names; it is not served", index)
    return False
