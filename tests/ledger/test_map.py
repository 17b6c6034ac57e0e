"""The sparse map against a naive one, its proofs, its memory."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_msg.codec.proofs import MapLeaf, MapProof
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import map as sparse
from secure_msg.ledger.errors import ProofError
from secure_msg.ledger.map import SparseMap


def _naive_root(leaves: dict[bytes, bytes], prefix: str = "") -> bytes:
    """Straight from the definition, bits as text."""
    inside = {k: v for k, v in leaves.items() if f"{int.from_bytes(k):0256b}".startswith(prefix)}
    if not inside:
        return bytes(32)
    if len(inside) == 1:
        ((label, value),) = inside.items()
        return sha256(b"\x00" + label + value)
    return sha256(b"\x01" + _naive_root(inside, prefix + "0") + _naive_root(inside, prefix + "1"))


# Labels that share long prefixes as well as scattered ones.
_near = st.integers(0, 255).map(lambda tail: bytes(31) + bytes([tail]))
_scattered = st.integers(0, 10**6).map(lambda n: sha256(n.to_bytes(8, "big")))
_labels = st.one_of(_near, _scattered)
_values = st.binary(min_size=32, max_size=32)
_maps = st.dictionaries(_labels, _values, max_size=40)


@settings(max_examples=120, deadline=None)
@given(_maps, st.randoms(use_true_random=False))
def test_root_is_the_naive_one_in_any_order(leaves: dict[bytes, bytes], random: object) -> None:
    expected = _naive_root(leaves)
    assert SparseMap(leaves.items()).root == expected
    shuffled = list(leaves.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one_by_one = SparseMap()
    for label in leaves:
        one_by_one.update([(label, bytes(32))])
    for label, value in shuffled:
        one_by_one.update([(label, value)])
    assert one_by_one.root == expected
    assert len(one_by_one) == len(leaves)


@settings(max_examples=120, deadline=None)
@given(_maps, _labels, st.data())
def test_proofs_hold_and_forgeries_do_not(
    leaves: dict[bytes, bytes], asked: bytes, data: st.DataObject
) -> None:
    tree = SparseMap(leaves.items())
    proof = tree.prove(asked)
    assert from_bytes(MapProof, to_bytes(proof)) == proof
    assert tree.get(asked) == leaves.get(asked)
    value = leaves.get(asked)
    if value is None:
        sparse.verify_absent(tree.root, asked, proof)
        with pytest.raises(ProofError):
            sparse.verify_included(tree.root, asked, bytes(32), proof)
    else:
        sparse.verify_included(tree.root, asked, value, proof)
        with pytest.raises(ProofError):
            sparse.verify_absent(tree.root, asked, proof)
        with pytest.raises(ProofError):
            sparse.verify_included(tree.root, asked, sha256(value), proof)
        with pytest.raises(ProofError):
            sparse.verify_absent(tree.root, asked, MapProof(proof.siblings, MapLeaf(asked, value)))
    for forged in _forgeries(data, proof):
        with pytest.raises(ProofError):
            _verify(tree.root, asked, value, forged)


def _verify(root: bytes, label: bytes, value: bytes | None, proof: MapProof) -> None:
    if value is None:
        sparse.verify_absent(root, label, proof)
    else:
        sparse.verify_included(root, label, value, proof)


def _forgeries(data: st.DataObject, proof: MapProof) -> list[MapProof]:
    siblings, other = proof.siblings, proof.other
    forged = [MapProof((*siblings, sha256(b"more")), other), MapProof((*siblings, None), other)]
    if siblings:
        at = data.draw(st.integers(0, len(siblings) - 1))
        for changed in (sha256(b"changed"), bytes(32)):
            forged.append(MapProof((*siblings[:at], changed, *siblings[at + 1 :]), other))
        forged.append(MapProof(siblings[:-1], other))
    if other is not None:
        forged.append(MapProof(siblings, MapLeaf(other.label, sha256(other.value))))
        forged.append(MapProof(siblings, None))
    return forged


def test_attack_01_absence_is_not_shown_by_a_leaf_from_elsewhere() -> None:
    tree = SparseMap((sha256(bytes([i])), bytes(32)) for i in range(64))
    victim = sha256(b"\x01")
    for i in range(64):
        label = sha256(bytes([i]))
        elsewhere = MapProof(tree.prove(label).siblings, MapLeaf(label, bytes(32)))
        with pytest.raises(ProofError):
            sparse.verify_absent(tree.root, victim, elsewhere)


def test_empty_map() -> None:
    tree = SparseMap()
    assert tree.root == bytes(32)
    sparse.verify_absent(tree.root, sha256(b"x"), tree.prove(sha256(b"x")))


def test_wrong_sizes_are_misuse() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SparseMap([(b"short", bytes(32))])


def test_memory_of_a_leaf() -> None:
    count = 20_000

    def made(count: int) -> SparseMap:
        return SparseMap(
            (sha256(i.to_bytes(4, "big")), sha256(b"v", i.to_bytes(4, "big"))) for i in range(count)
        )

    # What the first one leaves to the interpreter, and what its making leaves behind, is not it.
    made(1_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tree = made(count)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(tree) == count
    assert used / count < 320
