"""A Merkle tree that grows leaf by leaf, with what a chain's level files keep of it."""

from __future__ import annotations

from secure_msg.ledger import merkle

LEVEL_BITS = 8


class RunningTree:
    """`levels` are the roots of the complete subtrees of 256, 256², … leaves."""

    def __init__(self) -> None:
        self.size = 0
        self.levels: dict[int, list[bytes]] = {}
        self._hashes: list[bytes] = []

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The frontier's, largest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        rest, level, hashes, found = self.size, 0, self._hashes, leaf
        while rest & 1:
            found = merkle.node_hash(hashes.pop(), found)
            rest >>= 1
            level += 1
            if level % LEVEL_BITS == 0:
                self.levels.setdefault(level // LEVEL_BITS, []).append(found)
        hashes.append(found)
        self.size += 1

    def root(self) -> bytes:
        if not self._hashes:
            return merkle.EMPTY_ROOT
        *rest, root = self._hashes
        for left in reversed(rest):
            root = merkle.node_hash(left, root)
        return root
