"""From an entry, or a chain's head, to a signed checkpoint (docs/spec/ledger.md, "Receipt")."""

from __future__ import annotations

from dataclasses import dataclass

from secure_msg.codec.proofs import HeadProof, MapProof, Receipt
from secure_msg.ledger import map as sparse_map
from secure_msg.ledger import merkle
from secure_msg.ledger.chain import ChainHeader, Head, read_header
from secure_msg.ledger.checkpoint import Checkpoint, verify_checkpoint
from secure_msg.ledger.errors import ProofError
from secure_msg.ledger.log import read_mapped


@dataclass(frozen=True, slots=True)
class VerifiedHead:
    """What a head proof shows: the chain's head in the map of a leaf of a signed log."""

    chain: bytes
    head: Head
    map_root: bytes
    time: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What a receipt shows: the entry, and the chain's head that covers it."""

    header: ChainHeader
    head: Head
    map_root: bytes
    time: int
    checkpoint: Checkpoint


def verify_receipt(receipt: Receipt, server_public: bytes, origin: str) -> VerifiedReceipt:
    """Raises MalformedData, ProofError (BadCheckpoint) or InvalidSignature.

    `server_public` (1984 bytes) and `origin` are known beforehand: from the pin, never from here.
    """
    header = read_header(receipt.header)
    leaf = merkle.leaf_hash(receipt.header)
    root = merkle.root_from_inclusion(leaf, header.sequence, receipt.chain_size, receipt.chain_path)
    head = Head(receipt.chain_size, root)
    map_root = _map_root(header.chain, head, receipt.map_proof)
    time, checkpoint = _verify_log(receipt, map_root, server_public, origin)
    return VerifiedReceipt(header, head, map_root, time, checkpoint)


def verify_head(proof: HeadProof, server_public: bytes, origin: str) -> VerifiedHead:
    """Raises as verify_receipt, and ProofError when the proof is not of the newest log leaf."""
    head = Head(proof.size, proof.root)
    map_root = _map_root(proof.chain, head, proof.map_proof)
    time, checkpoint = _verify_log(proof, map_root, server_public, origin)
    if proof.log_index != checkpoint.size - 1:
        raise ProofError("a head proof is of the newest log leaf")
    return VerifiedHead(proof.chain, head, map_root, time, checkpoint)


def _map_root(chain: bytes, head: Head, proof: MapProof) -> bytes:
    """The root of the map in which the chain has this head."""
    label = sparse_map.chain_label(chain)
    if head.size > 0:
        return sparse_map.root_with(label, sparse_map.head_value(head.size, head.root), proof)
    if head.root != merkle.EMPTY_ROOT:
        raise ProofError("an empty chain has the empty root")
    return sparse_map.root_without(label, proof)


def _verify_log(
    proof: Receipt | HeadProof, map_root: bytes, server_public: bytes, origin: str
) -> tuple[int, Checkpoint]:
    """The time of the log leaf that holds `map_root`, and the checkpoint that covers it."""
    leaf = read_mapped(proof.log_leaf)
    if leaf.map_root != map_root:
        raise ProofError("the map proof leads to another root")
    checkpoint = verify_checkpoint(proof.checkpoint, origin, server_public)
    merkle.verify_inclusion(
        merkle.leaf_hash(proof.log_leaf),
        proof.log_index,
        checkpoint.size,
        proof.log_path,
        checkpoint.root,
    )
    return leaf.time, checkpoint
