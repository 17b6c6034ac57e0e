/** One chain of entries, followed header by header (docs/spec/ledger.md, "Chain"). */

import { type Infer, fixed, record, text, uint } from '../codec/schema.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { ChainGap, ChainRepeat, ContentMismatch, ForeignChain, HeadMismatch, TimeReversed } from './errors.ts';
import { EMPTY, type Frontier, append, leafHash, rootOf, verifyConsistency } from './merkle.ts';

export const ID_SIZE = 32;
export const SALT_SIZE = 32;
export const MAX_HEADER = 256;

/** What a chain commits to of one entry; `time` in ms since 1970 UTC, `length` in bytes. */
export const ChainHeader = record('ChainHeader', {
  chain: fixed(ID_SIZE),
  sequence: uint(),
  kind: text(32, 1),
  time: uint(),
  length: uint(),
  content: fixed(32),
});
export type ChainHeader = Infer<typeof ChainHeader>;

/** A chain's size and root, as a head proof or a receipt shows them. */
export interface Head {
  readonly size: number;
  readonly root: Uint8Array;
}

/** A chain up to a point; `time` and `last` (leaf hash) are of its last entry, if known. */
export interface ChainState {
  readonly chain: Uint8Array;
  readonly frontier: Frontier;
  readonly time: number;
  readonly last: Uint8Array | null;
}

/** Throws MalformedData. */
export function readHeader(data: Uint8Array): ChainHeader {
  return ChainHeader.decode(data, MAX_HEADER);
}

/** The leaf hash of an entry. */
export function headerHash(header: ChainHeader): Uint8Array {
  return leafHash(ChainHeader.encode(header));
}

export function contentHash(salt: Uint8Array, body: Uint8Array): Uint8Array {
  return sha256(salt, body);
}

/** Throws ContentMismatch unless `header` commits to this salt (32 bytes) and body. */
export function checkContent(header: ChainHeader, salt: Uint8Array, body: Uint8Array): void {
  const fits = salt.length === SALT_SIZE && body.length === header.length;
  if (!fits || !equalBytes(contentHash(salt, body), header.content)) {
    throw new ContentMismatch('body or salt is not what the header commits to');
  }
}

/** A chain from its beginning, or from a frontier that the next proved head will bind. */
export function startChain(chain: Uint8Array, frontier: Frontier = EMPTY): ChainState {
  return { chain, frontier, time: 0, last: null };
}

export function headOf(state: ChainState): Head {
  return { size: state.frontier.size, root: rootOf(state.frontier) };
}

/** The state after `header`. Throws ForeignChain, ChainGap, ChainRepeat or TimeReversed. */
export function nextState(state: ChainState, header: ChainHeader): ChainState {
  const size = state.frontier.size;
  if (!equalBytes(header.chain, state.chain)) throw new ForeignChain('a header of another chain');
  if (header.sequence > size) throw new ChainGap(`entry ${header.sequence} follows ${size} entries`);
  if (header.sequence < size) throw new ChainRepeat(`entry ${header.sequence} comes again after ${size} entries`);
  if (header.time < state.time) throw new TimeReversed(`entry ${size} is older than the one before it`);
  const leaf = headerHash(header);
  return { chain: state.chain, frontier: append(state.frontier, leaf), time: header.time, last: leaf };
}

/**
 * The state after a page of headers, which leads to the proved head. A page that ends before `expected`
 * needs the consistency path from its end to there. Throws ChainError's kinds or ProofError.
 */
export function verifyPage(
  state: ChainState,
  headers: readonly ChainHeader[],
  expected: Head,
  consistency: readonly Uint8Array[] = [],
): ChainState {
  const after = headers.reduce(nextState, state);
  const reached = headOf(after);
  if (reached.size === expected.size) {
    if (!equalBytes(reached.root, expected.root)) throw new HeadMismatch('the entries lead to another head');
  } else if (reached.size > expected.size) {
    throw new HeadMismatch('there are more entries than the head has');
  } else if (reached.size > 0) {
    verifyConsistency(reached.size, expected.size, reached.root, expected.root, consistency);
  }
  return after;
}
