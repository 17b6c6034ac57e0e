"""Merkle trees of RFC 6962 section 2.1 and their proofs (verified as in RFC 9162 section 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from secure_msg.codec.schema import Fixed, Many, Uint, record
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.errors import ProofError

HASH_SIZE = 32
MAX_PATH = 53

ReadNode: TypeAlias = Callable[[int, int], bytes]
"""(level, index) -> root of the complete subtree over 2^level leaves from index * 2^level on."""


@dataclass(frozen=True, slots=True)
class Node:
    """The root of the complete subtree over the 2^level leaves from index * 2^level on."""

    level: int
    index: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00", data)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01", left, right)


EMPTY_ROOT = sha256(b"")


@record
@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of the complete subtrees of a tree of `size` leaves, largest first."""

    size: Annotated[int, Uint()]
    hashes: Annotated[tuple[bytes, ...], Many(Fixed(HASH_SIZE), MAX_PATH)]

    def __post_init__(self) -> None:
        if self.size < 0 or self.size.bit_count() != len(self.hashes):
            raise ProofError("a frontier has one hash for each 1 bit of its size")

    def append(self, leaf: bytes) -> Frontier:
        """The frontier after one more leaf hash."""
        hashes, rest, node = self.hashes, self.size, leaf
        kept = len(hashes)
        while rest & 1:
            kept -= 1
            node = node_hash(hashes[kept], node)
            rest >>= 1
        return Frontier(self.size + 1, (*hashes[:kept], node))

    def grown(self, leaf: bytes) -> tuple[Frontier, tuple[Node, ...]]:
        """The frontier after one more leaf hash, and the subtrees completed by it, leaf first."""
        hashes = list(self.hashes)
        nodes = [Node(0, self.size, leaf)]
        while self.size >> (level := len(nodes) - 1) & 1:
            merged = node_hash(hashes.pop(), nodes[-1].hash)
            nodes.append(Node(level + 1, self.size >> (level + 1), merged))
        hashes.append(nodes[-1].hash)
        return Frontier(self.size + 1, tuple(hashes)), tuple(nodes)

    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root


EMPTY = Frontier(0, ())


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        # A lone last one stands for itself on the level above: this is the recursion of RFC 6962.
        alone = level[-1:] if len(level) & 1 else []
        level = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=False)] + alone
    return level[0]


def inclusion_path(index: int, size: int, node: ReadNode) -> tuple[bytes, ...]:
    """PATH(index, D[size]), from the leaf up."""
    if not 0 <= index < size:
        raise ProofError("no such leaf in the tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    return tuple(reversed(path))


def consistency_path(old: int, new: int, node: ReadNode) -> tuple[bytes, ...]:
    """PROOF(old, D[new]); empty where the sizes are equal."""
    if not 0 < old <= new:
        raise ProofError("no consistency proof between these sizes")
    path: list[bytes] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    if start > 0:
        path.append(_range_root(start, end, node))
    return tuple(reversed(path))


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that `path` gives for `leaf` at `index` of `size` (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError("the leaf lies outside the tree")
    _check_sizes(leaf, *path)
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise ProofError("the inclusion path is too long")
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("the inclusion path is too short")
    return root


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Raises ProofError unless `leaf` stands at `index` in the tree of `size` leaves and `root`."""
    if root_from_inclusion(leaf, index, size, path) != root:
        raise ProofError("the inclusion path leads to another root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Raises ProofError unless the tree (old, old_root) is a prefix of (new, new_root)."""
    if old == new:
        if path or old_root != new_root:
            raise ProofError("trees of one size differ")
        return
    if not 0 < old < new or not path:
        raise ProofError("no consistency proof between these sizes")
    _check_sizes(old_root, new_root, *path)
    first, second = _roots_from_consistency(old, new, old_root, path)
    if first != old_root or second != new_root:
        raise ProofError("the consistency path leads to other roots")


def _roots_from_consistency(
    old: int, new: int, old_root: bytes, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The two roots of RFC 9162 section 2.1.4.2, steps 2 to 6."""
    nodes = list(path)
    if old & (old - 1) == 0:
        nodes.insert(0, old_root)
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for sibling in nodes[1:]:
        if sn == 0:
            raise ProofError("the consistency path is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(sibling, fr), node_hash(sibling, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("the consistency path is too short")
    return fr, sr


def _check_sizes(*hashes: bytes) -> None:
    if any(len(one) != HASH_SIZE for one in hashes):
        raise ProofError("a hash has 32 bytes")


def _split(size: int) -> int:
    """The largest power of two below `size` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(start: int, end: int, node: ReadNode) -> bytes:
    """The root over leaves [start, end) of a subtree that RFC 6962's recursion reaches."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(size)
    return node_hash(_range_root(start, middle, node), _range_root(middle, end, node))
