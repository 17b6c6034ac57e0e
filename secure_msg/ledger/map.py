"""The compressed sparse Merkle map of docs/spec/ledger.md, "Map": labels to values, with proofs.

SparseMap is a binary trie whose branches and leaves keep their hash, so that an update hashes its
path alone and a proof hashes nothing. That is about 290 bytes a leaf, of which 64 are the leaf.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TypeAlias

from secure_msg.codec.proofs import LABEL_BITS, LABEL_SIZE, MapLeaf, MapProof
from secure_msg.crypto.hash import sha256
from secure_msg.ledger.errors import ProofError

EMPTY_SUBTREE = bytes(32)

_HEAD_TAG = b"securemsg/map-head/1"
_NAME_TAG = b"securemsg/map-name/1"

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
    """The map itself; its root depends on what it holds alone, not on the order of updates.

    An update makes the branches on its way anew and leaves the old ones as they are: `copy.copy`
    of a map is a snapshot that costs nothing.
    """

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
        self._top, added = _put(self._top, 0, sorted(fresh.items()))
        self._size += added
        return self.root

    def get(self, label: bytes) -> bytes | None:
        tree, depth = self._top, 0
        while isinstance(tree, tuple):
            tree, depth = tree[_RIGHT if _bit(label, depth) else _LEFT], depth + 1
        return tree[_VALUE] if isinstance(tree, bytes) and tree[_LABEL] == label else None

    def prove(self, label: bytes) -> MapProof:
        """The proof of `label`'s value, or of its absence."""
        siblings: list[bytes | None] = []
        tree, depth = self._top, 0
        while isinstance(tree, tuple):
            _, tree, beside = tree
            if label[depth >> 3] >> (7 - (depth & 7)) & 1:
                tree, beside = beside, tree
            siblings.append(None if beside is None else _hash_of(beside))
            depth += 1
        other = None
        if isinstance(tree, bytes) and tree[_LABEL] != label:
            other = MapLeaf(tree[_LABEL], tree[_VALUE])
        return MapProof(tuple(siblings), other)


_Branch: TypeAlias = "tuple[bytes, _Tree, _Tree]"
"""(hash, left, right) of a subtree of two leaves or more.

A plain tuple: half the memory and time of an object, and the garbage collector soon stops visiting
it, because all that it leads to are bytes.
"""

_Tree: TypeAlias = "_Branch | bytes | None"
"""A branch, or one leaf (hash ‖ label ‖ value), or nothing."""

_LEFT, _RIGHT = 1, 2
_HASH, _LABEL, _VALUE = slice(0, 32), slice(32, 64), slice(64, 96)


def _put(tree: _Tree, depth: int, fresh: list[Leaf]) -> tuple[_Tree, int]:
    """The subtree at `depth` after setting `fresh` (sorted by label), and its growth in leaves."""
    if not fresh:
        return tree, 0
    if len(fresh) == 1:
        return _put_one(tree, depth, _leaf(*fresh[0]))
    if isinstance(tree, tuple):
        before, after = _parted(fresh, depth)
        left, more = _put(tree[_LEFT], depth + 1, before)
        right, yet_more = _put(tree[_RIGHT], depth + 1, after)
        return _branch(left, right), more + yet_more
    if isinstance(tree, bytes):
        merged = sorted({tree[_LABEL]: tree[_VALUE], **dict(fresh)}.items())
        return _built(merged, depth), len(merged) - 1
    return _built(fresh, depth), len(fresh)


def _put_one(tree: _Tree, depth: int, leaf: bytes) -> tuple[_Tree, int]:
    """As `_put` for one leaf: down to its place, and up again by the branches that were passed."""
    label = leaf[_LABEL]
    passed = []
    while isinstance(tree, tuple):
        bit = label[depth >> 3] >> (7 - (depth & 7)) & 1
        passed.append((tree, bit))
        tree, depth = tree[_LEFT + bit], depth + 1
    added = tree is None
    grown: _Tree = leaf
    if isinstance(tree, bytes) and tree[_LABEL] != label:
        grown, added = _forked(tree, leaf, depth), True
    for branch, bit in reversed(passed):
        grown = _branch(branch[_LEFT], grown) if bit else _branch(grown, branch[_RIGHT])
    return grown, int(added)


def _forked(one: bytes, other: bytes, depth: int) -> _Tree:
    """The subtree at `depth` of two leaves of different labels."""
    left, right = sorted((one, other), key=lambda leaf: leaf[_LABEL])
    apart = LABEL_BITS - (_number(left[_LABEL]) ^ _number(right[_LABEL])).bit_length()
    tree = _branch(left, right)
    for shared in range(apart - 1, depth - 1, -1):
        tree = _branch(None, tree) if _bit(left[_LABEL], shared) else _branch(tree, None)
    return tree


def _built(leaves: list[Leaf], depth: int) -> _Tree:
    """The subtree at `depth` of these leaves alone, sorted by label."""
    if len(leaves) <= 1:
        return _leaf(*leaves[0]) if leaves else None
    left, right = _parted(leaves, depth)
    return _branch(_built(left, depth + 1), _built(right, depth + 1))


def _branch(left: _Tree, right: _Tree) -> _Branch:
    # This is most of what a commit costs: no calls where none is needed.
    one = left[0] if isinstance(left, tuple) else left[_HASH] if left else EMPTY_SUBTREE
    two = right[0] if isinstance(right, tuple) else right[_HASH] if right else EMPTY_SUBTREE
    return sha256(b"\x01" + one + two), left, right


def _leaf(label: bytes, value: bytes) -> bytes:
    return _leaf_hash(label, value) + label + value


def _hash_of(tree: _Tree) -> bytes:
    if tree is None:
        return EMPTY_SUBTREE
    return tree[_HASH] if isinstance(tree, bytes) else tree[0]


def _parted(leaves: list[Leaf], depth: int) -> tuple[list[Leaf], list[Leaf]]:
    """Sorted leaves of one subtree, before and from the first whose bit at `depth` is 1."""
    at = bisect_left(leaves, 1, key=lambda leaf: _bit(leaf[0], depth))
    return leaves[:at], leaves[at:]


def _leaf_hash(label: bytes, value: bytes) -> bytes:
    return sha256(b"\x00", label, value)


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def _bit(label: bytes, depth: int) -> int:
    return label[depth >> 3] >> (7 - (depth & 7)) & 1


def _number(label: bytes) -> int:
    return int.from_bytes(label, "big")
