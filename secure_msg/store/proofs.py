"""What the proofs of one moment share: each is made once for all who were committed together."""

from __future__ import annotations

from typing import TypeVar

from secure_msg.codec.proofs import MapProof
from secure_msg.ledger.map import chain_label
from secure_msg.store.state import Chain, Published
from secure_msg.store.tree import Recent
from secure_msg.store.views import Now

Kept = TypeVar("Kept")

MAX_CHAINS = 1024
"""Of one moment, which lasts for hours on an idle server."""


class Proofs:
    """Of one Published, and dropped with it. Two threads may make the same thing twice."""

    def __init__(self, published: Published) -> None:
        self.published = published
        self._roots: dict[bytes, bytes] = {}
        self._map: dict[bytes, MapProof] = {}
        self._recent: dict[bytes, Recent] = {}

    def root(self, chain: Chain) -> bytes:
        """The root of the chain's head of this moment."""
        found = self._roots.get(chain.id)
        if found is None:
            found = chain.frontier.root()
            _keep(self._roots, chain.id, found)
        return found

    def map_proof(self, chain_id: bytes) -> MapProof:
        found = self._map.get(chain_id)
        if found is None:
            found = self.published.map.prove(chain_label(chain_id))
            _keep(self._map, chain_id, found)
        return found

    def recent(self, now: Now) -> Recent:
        """Also when a flush has taken the older ones of them out of memory since."""
        found = self._recent.get(now.chain.id)
        if found is None:
            found = now.recent()
            _keep(self._recent, now.chain.id, found)
        return found


def _keep(known: dict[bytes, Kept], chain_id: bytes, made: Kept) -> None:
    if len(known) >= MAX_CHAINS:
        known.clear()
    known[chain_id] = made
