"""A server's signed word that it was set back to a copy (docs/spec/ledger.md, "Log", Restored)."""

from __future__ import annotations

from secure_msg.codec.proofs import MAX_STATEMENT, Restoration, RestoredStatement
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.codec.statement import open_statement, sign_statement
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.signature import SigningKey
from secure_msg.ledger import merkle
from secure_msg.ledger.checkpoint import Checkpoint
from secure_msg.ledger.errors import ProofError
from secure_msg.ledger.log import RestoredLeaf

TYPE_RESTORED = "securemsg/restored/1"


def sign_restored(key: SigningKey, restored: RestoredStatement) -> bytes:
    """The COSE_Sign1 whose hash stands in the leaf."""
    return sign_statement(key, TYPE_RESTORED, to_bytes(restored))


def verify_restoration(
    restoration: Restoration, checkpoint: Checkpoint, server_public: bytes, server: bytes
) -> RestoredStatement:
    """What the server says, once its leaf is proved to stand in the log of a verified checkpoint.

    Raises MalformedData, ProofError or InvalidSignature.
    """
    leaf = RestoredLeaf.from_bytes(restoration.log_leaf)
    if leaf.statement != sha256(restoration.statement):
        raise ProofError("the leaf names another statement")
    merkle.verify_inclusion(
        merkle.leaf_hash(restoration.log_leaf),
        restoration.log_index,
        checkpoint.size,
        restoration.log_path,
        checkpoint.root,
    )
    payload = open_statement(
        server_public, TYPE_RESTORED, restoration.statement, limit=MAX_STATEMENT
    )
    found = from_bytes(RestoredStatement, payload)
    if found.server != server or found.size != restoration.log_index or found.time != leaf.time:
        raise ProofError("the statement is not that of its leaf")
    return found
