"""RFC 6962 trees against the public vectors and a naive implementation."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_msg.crypto.hash import sha256
from secure_msg.ledger import merkle
from secure_msg.ledger.errors import ProofError
from secure_msg.ledger.merkle import Frontier

VECTORS = Path(__file__).parent.parent / "vectors" / "merkle"


def _cases(name: str) -> list[Any]:
    cases = json.loads((VECTORS / name).read_text())["cases"]
    assert len(cases) > 40
    return [pytest.param(case, id=case["id"]) for case in cases]


def _b64(value: str | None) -> bytes:
    return b64decode(value or "")


@pytest.mark.parametrize("case", _cases("inclusion_proofs.json"))
def test_inclusion_vectors(case: dict[str, Any]) -> None:
    arguments = (
        _b64(case["leafHash"]),
        case["leafIdx"],
        case["treeSize"],
        [_b64(item) for item in case["proof"] or []],
        _b64(case["root"]),
    )
    if case["wantErr"]:
        with pytest.raises(ProofError):
            merkle.verify_inclusion(*arguments)
    else:
        merkle.verify_inclusion(*arguments)


@pytest.mark.parametrize("case", _cases("consistency_proofs.json"))
def test_consistency_vectors(case: dict[str, Any]) -> None:
    arguments = (
        case["size1"],
        case["size2"],
        _b64(case["root1"]),
        _b64(case["root2"]),
        [_b64(item) for item in case["proof"] or []],
    )
    if case["wantErr"]:
        with pytest.raises(ProofError):
            merkle.verify_consistency(*arguments)
    else:
        merkle.verify_consistency(*arguments)


def test_reference_tree() -> None:
    tree = json.loads((VECTORS / "rfc6962_reference_tree.json").read_text())
    frontier = merkle.EMPTY
    nodes: dict[tuple[int, int], str] = {}
    assert frontier.root().hex() == tree["rootsBySize"][0]
    for size, data in enumerate(tree["leafInputs"], 1):
        frontier, completed = frontier.grown(merkle.leaf_hash(bytes.fromhex(data)))
        nodes |= {(node.level, node.index): node.hash.hex() for node in completed}
        assert frontier.root().hex() == tree["rootsBySize"][size]
    expected = {
        (level, index): value
        for level, hashes in enumerate(tree["completeSubtrees"])
        for index, value in enumerate(hashes)
    }
    assert nodes == expected


def _naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(_naive_root(leaves[:split]), _naive_root(leaves[split:]))


class _Tree:
    """Leaves, and the roots of complete subtrees by (level, index)."""

    def __init__(self, size: int, salt: bytes = b"") -> None:
        self.leaves = [merkle.leaf_hash(salt + bytes([i >> 8, i & 255])) for i in range(size)]

    def node(self, level: int, index: int) -> bytes:
        part = self.leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only complete subtrees are read"
        return _naive_root(part)

    def root(self, size: int) -> bytes:
        return _naive_root(self.leaves[:size])


TREE = _Tree(130)


def test_frontiers_agree_with_the_naive_root() -> None:
    frontier = merkle.EMPTY
    for size in range(131):
        assert frontier.root() == TREE.root(size)
        if size < 130:
            frontier = frontier.append(TREE.leaves[size])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_paths_prove_and_nothing_else_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(index, size, TREE.node)
    leaf, root = TREE.leaves[index], TREE.root(size)
    merkle.verify_inclusion(leaf, index, size, path, root)
    old = data.draw(st.integers(1, size))
    consistency = merkle.consistency_path(old, size, TREE.node)
    merkle.verify_consistency(old, size, TREE.root(old), root, consistency)

    for forged in _forgeries(data, path):
        with pytest.raises(ProofError):
            merkle.verify_inclusion(leaf, index, size, forged, root)
    for forged in _forgeries(data, consistency):
        with pytest.raises(ProofError):
            merkle.verify_consistency(old, size, TREE.root(old), root, forged)
    other = data.draw(
        st.integers(0, size - 1).filter(lambda i: i != index) if size > 1 else st.just(1)
    )
    with pytest.raises(ProofError):
        merkle.verify_inclusion(leaf, other, size, path, root)


def _forgeries(data: st.DataObject, path: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    forged = [(*path, bytes(32)), (bytes(32), *path)]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
        forged += [path[:-1], path[1:], (*path[:at], flipped, *path[at + 1 :])]
    return forged


def test_a_forked_tree_is_not_consistent() -> None:
    fork = _Tree(40, b"fork")
    for old in range(1, 40):
        path = merkle.consistency_path(old, 40, fork.node)
        with pytest.raises(ProofError):
            merkle.verify_consistency(old, 40, TREE.root(old), fork.root(40), path)


def test_misuse_is_refused() -> None:
    for index, size in ((-1, 3), (3, 3), (0, 0)):
        with pytest.raises(ProofError):
            merkle.inclusion_path(index, size, TREE.node)
    for old, new in ((0, 3), (4, 3), (-1, 3)):
        with pytest.raises(ProofError):
            merkle.consistency_path(old, new, TREE.node)
    for size, hashes in ((1, ()), (2, (bytes(32),) * 2), (-1, (bytes(32),))):
        with pytest.raises(ProofError):
            Frontier(size, hashes)
