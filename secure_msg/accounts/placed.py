"""What a committed transaction of this room answers."""

from __future__ import annotations

from secure_msg.codec.http import PlacedEntry, TransactResult
from secure_msg.ledger.transaction import Committed, Store


def result_of(store: Store, committed: Committed, client_puts: int) -> TransactResult:
    """The client's puts stand first in the transaction; the server's own stay unsaid."""
    last = committed.placed[-1]
    return TransactResult(
        tuple(PlacedEntry(placed.chain, placed.header) for placed in committed.placed),
        committed.versions[:client_puts],
        committed.repeat,
        store.receipt(last.chain, last.sequence),
    )
