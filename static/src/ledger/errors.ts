/** What a ledger's reader refuses (docs/spec/ledger.md): each a violation by whoever served it. */

/** Base; the text names the rule, never the content. */
export class LedgerError extends Error {
  override get name(): string {
    return 'LedgerError';
  }
}

/** A Merkle, map or log proof does not hold. */
export class ProofError extends LedgerError {
  override get name(): string {
    return 'ProofError';
  }
}

/** A checkpoint is not a signed note of the expected form, origin and keys. */
export class BadCheckpoint extends ProofError {
  override get name(): string {
    return 'BadCheckpoint';
  }
}

/** A chain's headers do not follow each other. */
export class ChainError extends LedgerError {
  override get name(): string {
    return 'ChainError';
  }
}

/** A header of another chain. */
export class ForeignChain extends ChainError {
  override get name(): string {
    return 'ForeignChain';
  }
}

/** Entries are missing before this header. */
export class ChainGap extends ChainError {
  override get name(): string {
    return 'ChainGap';
  }
}

/** A header for a place that is taken already: replayed or reordered. */
export class ChainRepeat extends ChainError {
  override get name(): string {
    return 'ChainRepeat';
  }
}

/** A header's time lies before that of the entry it follows. */
export class TimeReversed extends ChainError {
  override get name(): string {
    return 'TimeReversed';
  }
}

/** The headers do not lead to the head that was proved. */
export class HeadMismatch extends ChainError {
  override get name(): string {
    return 'HeadMismatch';
  }
}

/** A body or its salt is not the one that the header commits to. */
export class ContentMismatch extends ChainError {
  override get name(): string {
    return 'ContentMismatch';
  }
}
