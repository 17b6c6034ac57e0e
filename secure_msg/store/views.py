"""A chain as it is at one moment: its head, its files, and what is not yet in them."""

from __future__ import annotations

from dataclasses import dataclass

from secure_msg.store.layout import Layout
from secure_msg.store.state import Chain, Published, State
from secure_msg.store.tree import ChainView


@dataclass(frozen=True, slots=True)
class Views:
    layout: Layout
    state: State

    def now(self, chain_id: bytes) -> ChainView | None:
        """None when there is no such chain."""
        with self.state.lock:
            chain = self.state.chains.get(chain_id)
            return None if chain is None else self._of(chain)

    def proved(self, chain_id: bytes) -> tuple[Published, ChainView | None]:
        """The chain, and the checkpoint that covers just this head of it."""
        with self.state.lock:
            return self.state.published, self.now(chain_id)

    def _of(self, chain: Chain) -> ChainView:
        pending = self.state.pending.get(chain.id)
        entries = [] if pending is None else list(pending.entries)
        return ChainView(self.layout.chain_files(chain), chain.frontier, entries)
