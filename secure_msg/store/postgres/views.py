"""Rows of the database in the place of a chain's files."""

from __future__ import annotations

from typing import cast

from secure_msg.ledger.merkle import Frontier
from secure_msg.store.chainfiles import ChainFiles
from secure_msg.store.postgres.source import ChainRows, LogRows
from secure_msg.store.tree import ChainView


def view_of(rows: ChainRows | LogRows, head: Frontier) -> ChainView:
    """All is in the database: nothing is pending. What is read of it is the same four methods."""
    return ChainView(cast(ChainFiles, rows), head, ())
