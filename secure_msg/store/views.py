"""A chain as it is at one moment: its head, its files, and what is not yet in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from secure_msg.store.layout import Layout
from secure_msg.store.state import Chain, Pending, Published, State
from secure_msg.store.tree import ChainView, Recent


class Now(NamedTuple):
    """A chain, the log and map that cover just this head of it, and what is not in its files.

    Of the growing lists of `pending` the first `waiting` items belong to this moment.
    """

    published: Published
    chain: Chain
    pending: Pending
    waiting: int

    @property
    def first(self) -> int:
        """The sequence of the first entry that is not in the files."""
        return self.chain.frontier.size - self.waiting

    def recent(self) -> Recent:
        pending, waiting = self.pending, self.waiting
        return Recent(self.chain.frontier, pending.entries[:waiting], pending.before[:waiting])


NONE = Pending()


@dataclass(frozen=True, slots=True)
class Views:
    layout: Layout
    state: State

    def at(self, chain_id: bytes) -> Now | None:
        """None when there is no such chain."""
        state = self.state
        with state.lock:
            chain = state.chains.get(chain_id)
            if chain is None:
                return None
            pending = state.pending.get(chain_id, NONE)
            return Now(state.published, chain, pending, len(pending.entries))

    def view(self, now: Now) -> ChainView:
        files = self.layout.chain_files(now.chain)
        return ChainView(files, now.chain.frontier, now.pending.entries[: now.waiting])

    def now(self, chain_id: bytes) -> ChainView | None:
        """None when there is no such chain."""
        found = self.at(chain_id)
        return None if found is None else self.view(found)
