"""A whole ledger in memory, to prove things with and to lie with."""

from __future__ import annotations

from dataclasses import replace

from secure_msg.codec.proofs import HeadProof, Receipt, Restoration, RestoredStatement
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.signature import ED25519, HYBRID, ML_DSA_65
from secure_msg.ledger import merkle
from secure_msg.ledger.chain import ChainHeader, Head, content_hash
from secure_msg.ledger.checkpoint import sign_checkpoint
from secure_msg.ledger.log import (
    GenesisLeaf,
    LogLeaf,
    RestoredLeaf,
    Touched,
    server_identity,
    touched_root,
)
from secure_msg.ledger.map import SparseMap, chain_label, head_value, name_label, name_value
from secure_msg.ledger.restored import sign_restored

ORIGIN = "chat.example/ledger"
NAME_SALT = bytes(range(32))
EPOCH = 1_800_000_000_000


class Tree:
    """Leaf hashes, read as complete subtrees."""

    def __init__(self) -> None:
        self.frontier = merkle.EMPTY
        self._nodes: dict[tuple[int, int], bytes] = {}

    def append(self, leaf: bytes) -> None:
        self.frontier, nodes = self.frontier.grown(leaf)
        self._nodes |= {(node.level, node.index): node.hash for node in nodes}

    def node(self, level: int, index: int) -> bytes:
        return self._nodes[level, index]


class SimulatedLedger:
    """Appends go to chains at once and to the map and log with `commit`."""

    def __init__(self, seed: bytes = bytes(64)) -> None:
        self.ed25519 = ED25519.generate(seed[:32])
        self.ml_dsa_65 = ML_DSA_65.generate(seed[32:])
        self.signing = HYBRID.generate(seed)
        self.public = self.signing.public
        self.id = sha256(b"securemsg/server-id/1", self.public)
        self.time = EPOCH
        self.map = SparseMap()
        self.log = Tree()
        self.headers: dict[bytes, list[bytes]] = {}
        self.trees: dict[bytes, Tree] = {}
        self.log_leaves: list[bytes] = []
        self._touched: set[bytes] = set()
        self._log(GenesisLeaf(self.time, NAME_SALT, server_identity(self.public)).to_bytes())

    def append(self, chain: bytes, kind: str, body: bytes) -> ChainHeader:
        headers = self.headers.setdefault(chain, [])
        tree = self.trees.setdefault(chain, Tree())
        sequence = len(headers)
        content = content_hash(self.salt(chain, sequence), body)
        header = ChainHeader(chain, sequence, kind, self.time, len(body), content)
        headers.append(to_bytes(header))
        tree.append(merkle.leaf_hash(headers[-1]))
        self._touched.add(chain)
        return header

    def salt(self, chain: bytes, sequence: int) -> bytes:
        return sha256(b"salt", chain, bytes([sequence]))

    def claim(self, skeleton: str, account: bytes) -> None:
        self.map.update([(name_label(NAME_SALT, skeleton), name_value(account))])

    def commit(self) -> None:
        self.time += 1000
        touched = []
        for chain in sorted(self._touched):
            head = self.head(chain)
            self.map.update([(chain_label(chain), head_value(head.size, head.root))])
            touched.append(Touched(chain, head.size, head.root, sha256(b"blind", chain)))
        self._touched.clear()
        self._log(LogLeaf(self.time, self.map.root, touched_root(touched)).to_bytes())

    def restored(self, **changes: object) -> RestoredStatement:
        """What it says when it is set back to what it is now; `changes` are lies."""
        size, root = self.log.frontier.size, self.log.frontier.root()
        said = RestoredStatement(self.id, bytes(16), self.time + 1000, size, root, self.time)
        return replace(said, **changes)  # type: ignore[arg-type]

    def restore(self, said: RestoredStatement | None = None) -> bytes:
        """Commit the leaf of a restoration; its statement."""
        statement = sign_restored(self.signing, said or self.restored())
        self.time += 1000
        self._log(RestoredLeaf(self.time, self.map.root, sha256(statement)).to_bytes())
        return statement

    def restoration(self, index: int, statement: bytes) -> Restoration:
        """Proved in the log as it is now."""
        size = self.log.frontier.size
        path = merkle.inclusion_path(index, size, self.log.node)
        return Restoration(statement, index, self.log_leaves[index], path)

    def _log(self, leaf: bytes) -> None:
        self.log_leaves.append(leaf)
        self.log.append(merkle.leaf_hash(leaf))

    def head(self, chain: bytes) -> Head:
        tree = self.trees.get(chain, Tree())
        return Head(tree.frontier.size, tree.frontier.root())

    def checkpoint(self) -> bytes:
        size, root = self.log.frontier.size, self.log.frontier.root()
        return sign_checkpoint(ORIGIN, size, root, ed25519=self.ed25519, ml_dsa_65=self.ml_dsa_65)

    def receipt(self, chain: bytes, sequence: int) -> Receipt:
        """Of the newest log leaf."""
        size, index = self.head(chain).size, self.log.frontier.size - 1
        return Receipt(
            header=self.headers[chain][sequence],
            chain_size=size,
            chain_path=merkle.inclusion_path(sequence, size, self.trees[chain].node),
            map_proof=self.map.prove(chain_label(chain)),
            log_index=index,
            log_leaf=self.log_leaves[-1],
            log_path=merkle.inclusion_path(index, index + 1, self.log.node),
            checkpoint=self.checkpoint(),
        )

    def head_proof(self, chain: bytes) -> HeadProof:
        head, index = self.head(chain), self.log.frontier.size - 1
        return HeadProof(
            chain=chain,
            size=head.size,
            root=head.root,
            map_proof=self.map.prove(chain_label(chain)),
            log_index=index,
            log_leaf=self.log_leaves[-1],
            log_path=merkle.inclusion_path(index, index + 1, self.log.node),
            checkpoint=self.checkpoint(),
        )


def chain_id(number: int) -> bytes:
    return sha256(b"chain", bytes([number]))


def busy_ledger() -> SimulatedLedger:
    """Seven chains of different lengths, in eleven commits after the genesis leaf."""
    ledger = SimulatedLedger(bytes([5]) * 64)
    ledger.claim("alice", chain_id(0))
    for commit in range(11):
        for number in range(7):
            if commit % (number + 1) == 0:
                ledger.append(chain_id(number), "message", b"body %d %d" % (commit, number))
        ledger.commit()
    return ledger
