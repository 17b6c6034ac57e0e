"""The Merkle tree of one chain at a head, joined from its files and the entries not yet in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secure_msg.ledger import merkle
from secure_msg.ledger.errors import ProofError
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.chainfiles import GROUP, ChainFiles
from secure_msg.store.entry import Entry

LEVEL_BITS = 8


@dataclass(frozen=True, slots=True)
class ChainView:
    """A chain as it was at one moment: `pending` are its newest entries, not yet in `files`."""

    files: ChainFiles
    head: Frontier
    pending: Sequence[Entry]

    @property
    def flushed(self) -> int:
        return self.head.size - len(self.pending)


class ChainTree:
    """Nodes by RFC 6962; each group of 256 records is read once in the life of the object."""

    def __init__(self, view: ChainView) -> None:
        self._view = view
        self._groups: dict[tuple[int, int], list[bytes]] = {}
        # What the head itself says: near the end of a chain that is all that stands to the left.
        self._nodes = _complete(view.head)

    def node(self, level: int, index: int) -> bytes:
        """The root of the complete subtree over the 2^level entries from index * 2^level on."""
        known = self._nodes.get((level, index))
        if known is None and level % LEVEL_BITS == 0:
            return self._group(level // LEVEL_BITS, index // GROUP)[index % GROUP]
        if known is None:
            known = merkle.node_hash(
                self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1)
            )
            self._nodes[level, index] = known
        return known

    def path(self, sequence: int) -> tuple[bytes, ...]:
        """The inclusion path of an entry in the chain's head. Raises Damaged."""
        size, root = self._view.head.size, self._view.head.root()
        path = merkle.inclusion_path(sequence, size, self.node)
        leaf = self.node(0, sequence)
        try:
            merkle.verify_inclusion(leaf, sequence, size, path, root)
        except ProofError:
            raise Damaged("the chain's hashes do not lead to its head") from None
        return path

    def frontier(self, size: int) -> Frontier:
        """The compact range of the first `size` entries, joined to the head. Raises Damaged."""
        head = self._view.head
        if size == head.size:
            return head
        hashes, start = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                hashes.append(self.node(level, start >> level))
                start += 1 << level
        found = Frontier(size, tuple(hashes))
        if size:
            path = merkle.consistency_path(size, head.size, self.node)
            try:
                merkle.verify_consistency(size, head.size, found.root(), head.root(), path)
            except ProofError:
                raise Damaged("the chain's hashes do not lead to its head") from None
        return found

    def entries(self, start: int, count: int) -> list[Entry]:
        """Entries, each joined to the head. Raises Damaged."""
        view = self._view
        stored = max(min(view.flushed - start, count), 0)
        found = view.files.entries(start, stored)
        for entry in found:
            if self.node(0, entry.sequence) != entry.leaf:
                raise Damaged(f"entry {entry.sequence} does not match its leaf hash")
            # A path runs through every other leaf of its group: one joins them all.
            if entry.sequence % GROUP == 0 or entry.sequence == start:
                self.path(entry.sequence)
        first = start + stored - view.flushed
        return [*found, *view.pending[first : first + count - stored]] if count > stored else found

    def _group(self, level: int, group: int) -> list[bytes]:
        found = self._groups.get((level, group))
        if found is None:
            found = self._read_group(level, group)
            self._groups[level, group] = found
        return found

    def _read_group(self, level: int, group: int) -> list[bytes]:
        """The complete records of a group: from the files, and beyond them made from below."""
        view, bits = self._view, LEVEL_BITS * level
        start = group * GROUP
        count = min((view.head.size >> bits) - start, GROUP)
        stored = max(min((view.flushed >> bits) - start, count), 0)
        if level == 0:
            found = view.files.leaves(start, stored) if stored else []
            first = start + stored - view.flushed
            return found + [one.leaf for one in view.pending[first : first + count - stored]]
        found = view.files.level(level, start, stored) if stored else []
        for index in range(start + stored, start + count):
            found.append(merkle.root_of(self._group(level - 1, index)))
        return found


def _complete(head: Frontier) -> dict[tuple[int, int], bytes]:
    """(level, index) -> root of each subtree of a frontier."""
    found, start, rest = {}, 0, head.size
    for known in head.hashes:
        level = rest.bit_length() - 1
        found[level, start >> level] = known
        start, rest = start + (1 << level), rest - (1 << level)
    return found


class Recent:
    """The newest entries of a chain at a head, with the frontier before each: no file is needed."""

    def __init__(self, head: Frontier, entries: list[Entry], before: list[Frontier]) -> None:
        self._head = head
        self._entries = entries
        self._before = before
        self._first = head.size - len(entries)
        self._nodes: dict[tuple[int, int], bytes] = {}

    def path(self, sequence: int) -> tuple[bytes, ...]:
        """The inclusion path in the head of one of these entries."""
        before = self._before[sequence - self._first]

        def node(level: int, index: int) -> bytes:
            if index << level > sequence:
                return self._node(level, index)
            # What stands left of a leaf in a path are the subtrees that were complete before it.
            return before.hashes[(before.size >> (level + 1)).bit_count()]

        return merkle.inclusion_path(sequence, self._head.size, node)

    def _node(self, level: int, index: int) -> bytes:
        """A complete subtree of these entries alone."""
        if level == 0:
            return self._entries[index - self._first].leaf
        known = self._nodes.get((level, index))
        if known is None:
            left, right = self._node(level - 1, 2 * index), self._node(level - 1, 2 * index + 1)
            known = self._nodes[level, index] = merkle.node_hash(left, right)
        return known


def find_unique(view: ChainView, unique: bytes, start: int) -> tuple[int, int] | None:
    """(sequence, log index) of the entry with this id from `start` on. Raises Damaged."""
    stored = view.flushed - start
    if stored > 0:
        for number, row in enumerate(view.files.rows(start, stored)):
            if row.unique == unique:
                return start + number, row.log_index
    for entry in view.pending[max(-stored, 0) :]:
        if entry.unique == unique:
            return entry.sequence, entry.log_index
    return None
