/** What a server's log says of it, held against what this browser saw (docs/spec/e2ee.md section 7). Pure. */

import { toHex } from '../crypto/bytes.ts';
import { ProofError } from '../ledger/errors.ts';
import { verifyConsistency } from '../ledger/merkle.ts';
import type { RestoredStatement } from '../ledger/restored.ts';

/** `restored`: the server says that it was set back, at `at`, to a copy of `copied` (ms since 1970 UTC). */
export type Standing =
  | { readonly kind: 'fine' }
  | { readonly kind: 'restored'; readonly copied: number; readonly at: number }
  | { readonly kind: 'rolled-back' };

export const FINE: Standing = { kind: 'fine' };
const ROLLED_BACK: Standing = { kind: 'rolled-back' };

export interface SeenLog {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface Evidence {
  /** What this browser remembers; size 0: nothing. */
  readonly seen: SeenLog;
  /** Ids in hex of the restorations that it knows of. */
  readonly known: ReadonlySet<string>;
  /** Verified under the pinned key. */
  readonly checkpoint: SeenLog;
  readonly consistency: readonly Uint8Array[];
  readonly restorations: readonly RestoredStatement[];
  /** A private file is older than this browser saw it. */
  readonly older: boolean;
}

export function judge(evidence: Evidence): Standing {
  const { seen, known, restorations, older } = evidence;
  const fresh = restorations.filter(({ id }) => !known.has(toHex(id)));
  if (follows(evidence)) return older ? excused(fresh) : FINE;
  return excused(fresh.filter(({ size }) => size < seen.size));
}

/** The oldest copy is where everything later went. */
function excused(restorations: readonly RestoredStatement[]): Standing {
  const [first, ...rest] = restorations;
  if (first === undefined) return ROLLED_BACK;
  const { copied, time } = rest.reduce((oldest, one) => (one.size < oldest.size ? one : oldest), first);
  return { kind: 'restored', copied, at: time };
}

function follows({ seen, checkpoint, consistency }: Evidence): boolean {
  if (seen.size === 0) return true;
  try {
    verifyConsistency(seen.size, checkpoint.size, seen.root, checkpoint.root, consistency);
    return true;
  } catch (error) {
    if (error instanceof ProofError) return false;
    throw error;
  }
}
