"""The compressed sparse Merkle map of docs/spec/ledger.md, "Map": labels to values, with proofs.

SparseMap is a trie whose branches keep their hash; a subtree of up to eight leaves is one packed
bucket, hashed again when it changes. That is about 120 bytes a leaf, of which 64 are the leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from secure_msg.codec.proofs import LABEL_BITS, LABEL_SIZE, MapLeaf, MapProof
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.errors import ProofError

EMPTY_SUBTREE = bytes(32)

_HEAD_TAG = b"securemsg/map-head/1"
_NAME_TAG = b"securemsg/map-name/1"
_BUCKET = 8

Leaf: TypeAlias = tuple[bytes, bytes]
"""(label, value), 32 bytes each."""


def chain_label(chain: bytes) -> bytes:
    return sha256(b"\x00", chain)


def head_value(size: int, root: bytes) -> bytes:
    return sha256(_HEAD_TAG, size.to_bytes(8, "big"), root)


def name_label(salt: bytes, skeleton: str) -> bytes:
    return sha256(b"\x01", salt, skeleton.encode("utf-8"))


def name_value(account: bytes) -> bytes:
    return sha256(_NAME_TAG, account)


def root_with(label: bytes, value: bytes, proof: MapProof) -> bytes:
    """The root of the map in which `proof` finds `label` with `value`."""
    if proof.other is not None:
        raise ProofError("a proof of absence where one of inclusion is due")
    return _climb(label, _leaf_hash(label, value), proof)


def root_without(label: bytes, proof: MapProof) -> bytes:
    """The root of the map in which `proof` finds that `label` is absent."""
    other = proof.other
    if other is None:
        return _climb(label, EMPTY_SUBTREE, proof)
    shift = LABEL_BITS - len(proof.siblings)
    if other.label == label or _number(other.label) >> shift != _number(label) >> shift:
        raise ProofError("the other leaf does not stand in the label's place")
    return _climb(label, _leaf_hash(other.label, other.value), proof)


def verify_included(root: bytes, label: bytes, value: bytes, proof: MapProof) -> None:
    if root_with(label, value, proof) != root:
        raise ProofError("the map proof leads to another root")


def verify_absent(root: bytes, label: bytes, proof: MapProof) -> None:
    if root_without(label, proof) != root:
        raise ProofError("the map proof leads to another root")


def _climb(label: bytes, subtree: bytes, proof: MapProof) -> bytes:
    if proof.siblings and proof.siblings[-1] is None:
        raise ProofError("the last sibling of a map proof is empty")
    for depth in range(len(proof.siblings) - 1, -1, -1):
        sibling = proof.siblings[depth]
        if sibling == EMPTY_SUBTREE:
            raise ProofError("an empty sibling has two spellings")
        if _bit(label, depth):
            subtree = _node_hash(sibling or EMPTY_SUBTREE, subtree)
        else:
            subtree = _node_hash(subtree, sibling or EMPTY_SUBTREE)
    return subtree


class SparseMap:
    """The map itself; its root depends on what it holds alone, not on the order of updates."""

    __slots__ = ("_size", "_top")

    def __init__(self, leaves: Iterable[Leaf] = ()) -> None:
        self._top: _Tree = None
        self._size = 0
        self.update(leaves)

    def __len__(self) -> int:
        return self._size

    @property
    def root(self) -> bytes:
        return _hash_of(self._top)

    def update(self, leaves: Iterable[Leaf]) -> bytes:
        """Set these values (the last of a label counts) and give the new root.

        A batch hashes every branch on its way once.
        """
        fresh = dict(leaves)
        if any(len(label) != LABEL_SIZE or len(value) != 32 for label, value in fresh.items()):
            raise ValueError("labels and values have 32 bytes")
        before = self._size
        self._size = before + sum(self.get(label) is None for label in fresh)
        self._top = _put(self._top, 0, sorted(fresh.items()))
        return self.root

    def get(self, label: bytes) -> bytes | None:
        tree, depth = self._top, 0
        while isinstance(tree, _Branch):
            tree = tree.right if _bit(label, depth) else tree.left
            depth += 1
        return None if tree is None else dict(_unpack(tree.leaves)).get(label)

    def prove(self, label: bytes) -> MapProof:
        """The proof of `label`'s value, or of its absence."""
        siblings: list[bytes | None] = []
        tree, depth = self._top, 0
        while isinstance(tree, _Branch):
            here, there = (
                (tree.left, tree.right) if not _bit(label, depth) else (tree.right, tree.left)
            )
            siblings.append(None if there is None else there.hash)
            tree, depth = here, depth + 1
        leaves = [] if tree is None else list(_unpack(tree.leaves))
        while len(leaves) > 1:
            left, right = _parted(leaves, depth)
            leaves, beside = (right, left) if _bit(label, depth) else (left, right)
            siblings.append(_subtree_hash(beside, depth + 1) if beside else None)
            depth += 1
        other = MapLeaf(*leaves[0]) if leaves and leaves[0][0] != label else None
        return MapProof(tuple(siblings), other)


class _Branch:
    """A subtree of more than a bucket's leaves."""

    __slots__ = ("hash", "left", "right")

    def __init__(self, left: _Tree, right: _Tree) -> None:
        self.left = left
        self.right = right
        self.hash = _node_hash(_hash_of(left), _hash_of(right))


class _Bucket:
    """A subtree of one to eight leaves, packed as label ‖ value in the order of labels."""

    __slots__ = ("hash", "leaves")

    def __init__(self, leaves: list[Leaf], depth: int) -> None:
        self.leaves = b"".join(part for leaf in leaves for part in leaf)
        self.hash = _subtree_hash(leaves, depth)


_Tree: TypeAlias = "_Branch | _Bucket | None"


def _put(tree: _Tree, depth: int, fresh: list[Leaf]) -> _Tree:
    """The subtree at `depth` after setting `fresh` (sorted by label)."""
    if not fresh:
        return tree
    if isinstance(tree, _Branch):
        left, right = _parted(fresh, depth)
        return _Branch(_put(tree.left, depth + 1, left), _put(tree.right, depth + 1, right))
    leaves = (
        fresh if tree is None else sorted({**dict(_unpack(tree.leaves)), **dict(fresh)}.items())
    )
    if len(leaves) <= _BUCKET:
        return _Bucket(leaves, depth)
    left, right = _parted(leaves, depth)
    return _Branch(_put(None, depth + 1, left), _put(None, depth + 1, right))


def _hash_of(tree: _Tree) -> bytes:
    return EMPTY_SUBTREE if tree is None else tree.hash


def _subtree_hash(leaves: list[Leaf], depth: int) -> bytes:
    if not leaves:
        return EMPTY_SUBTREE
    if len(leaves) == 1:
        return _leaf_hash(*leaves[0])
    left, right = _parted(leaves, depth)
    return _node_hash(_subtree_hash(left, depth + 1), _subtree_hash(right, depth + 1))


def _parted(leaves: list[Leaf], depth: int) -> tuple[list[Leaf], list[Leaf]]:
    """Sorted leaves of one subtree, before and from the first whose bit at `depth` is 1."""
    low, high = 0, len(leaves)
    while low < high:
        middle = (low + high) // 2
        if _bit(leaves[middle][0], depth):
            high = middle
        else:
            low = middle + 1
    return leaves[:low], leaves[low:]


def _unpack(leaves: bytes) -> Iterator[Leaf]:
    for start in range(0, len(leaves), 64):
        yield leaves[start : start + 32], leaves[start + 32 : start + 64]


def _leaf_hash(label: bytes, value: bytes) -> bytes:
    return sha256(b"\x00", label, value)


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01", left, right)


def _bit(label: bytes, depth: int) -> int:
    return label[depth >> 3] >> (7 - (depth & 7)) & 1


def _number(label: bytes) -> int:
    return int.from_bytes(label, "big")
