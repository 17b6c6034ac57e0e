"""What a ledger's reader refuses (docs/spec/ledger.md): each a violation by whoever served it."""

from __future__ import annotations


class LedgerError(Exception):
    """Base; the text names the rule, never the content."""


class ProofError(LedgerError):
    """A Merkle, map or log proof does not hold."""


class BadCheckpoint(ProofError):
    """A checkpoint is not a signed note of the expected form, origin and keys."""


class ChainError(LedgerError):
    """A chain's headers do not follow each other."""


class ForeignChain(ChainError):
    """A header of another chain."""


class ChainGap(ChainError):
    """Entries are missing before this header."""


class ChainRepeat(ChainError):
    """A header for a place that is taken already: replayed or reordered."""


class TimeReversed(ChainError):
    """A header's time lies before that of the entry it follows."""


class HeadMismatch(ChainError):
    """The headers do not lead to the head that was proved."""


class ContentMismatch(ChainError):
    """A body or its salt is not the one that the header commits to."""
