/**
 * Merkle trees of RFC 6962 section 2.1 and their proofs (verified as in RFC 9162 section 2.1).
 * Sizes go up to 2^53 - 1, so they are halved by division: JavaScript's shifts end at 32 bits.
 */

import { type Infer, fixed, many, record, uint } from '../codec/schema.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { ProofError } from './errors.ts';

export const HASH_SIZE = 32;
export const MAX_PATH = 53;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
export const EMPTY_ROOT = sha256();

/** (level, index) to the root of the complete subtree over 2^level leaves from index * 2^level on. */
export type ReadNode = (level: number, index: number) => Uint8Array;

/** The roots of the complete subtrees of a tree of `size` leaves, largest first. */
export const Frontier = record('Frontier', { size: uint(), hashes: many(fixed(HASH_SIZE), MAX_PATH) });
export type Frontier = Infer<typeof Frontier>;

export const EMPTY: Frontier = { size: 0, hashes: [] };

export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(LEAF, data);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE, left, right);
}

/** Throws ProofError unless there is one hash for each 1 bit of the size. */
export function checkFrontier(frontier: Frontier): void {
  let ones = 0;
  for (let size = frontier.size; size > 0; size = half(size)) ones += size % 2;
  if (ones !== frontier.hashes.length) throw new ProofError('a frontier has one hash for each 1 bit of its size');
  checkSizes(frontier.hashes);
}

/** The frontier after one more leaf hash. */
export function append(frontier: Frontier, leaf: Uint8Array): Frontier {
  checkFrontier(frontier);
  const hashes = [...frontier.hashes];
  let last = leaf;
  for (let size = frontier.size; size % 2 === 1; size = half(size)) last = nodeHash(hashes.pop()!, last);
  return { size: frontier.size + 1, hashes: [...hashes, last] };
}

export function rootOf(frontier: Frontier): Uint8Array {
  checkFrontier(frontier);
  if (frontier.hashes.length === 0) return EMPTY_ROOT;
  return frontier.hashes.reduceRight((root, left) => nodeHash(left, root));
}

/** PATH(index, D[size]), from the leaf up. */
export function inclusionPath(index: number, size: number, node: ReadNode): Uint8Array[] {
  if (!(index >= 0 && index < size)) throw new ProofError('no such leaf in the tree');
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      path.push(rangeRoot(middle, end, node));
      end = middle;
    } else {
      path.push(rangeRoot(start, middle, node));
      start = middle;
    }
  }
  return path.reverse();
}

/** PROOF(older, D[newer]); empty where the sizes are equal. */
export function consistencyPath(older: number, newer: number, node: ReadNode): Uint8Array[] {
  if (!(older > 0 && older <= newer)) throw new ProofError('no consistency proof between these sizes');
  const path: Uint8Array[] = [];
  let [start, end] = [0, newer];
  while (end !== older) {
    const middle = start + split(end - start);
    if (older <= middle) {
      path.push(rangeRoot(middle, end, node));
      end = middle;
    } else {
      path.push(rangeRoot(start, middle, node));
      start = middle;
    }
  }
  if (start > 0) path.push(rangeRoot(start, end, node));
  return path.reverse();
}

/** The root that `path` gives for `leaf` at `index` of `size` (RFC 9162 section 2.1.3.2). */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array {
  if (!(index >= 0 && index < size)) throw new ProofError('the leaf lies outside the tree');
  checkSizes([leaf, ...path]);
  const climb = new Climb(index, size - 1);
  let root = leaf;
  for (const sibling of path) {
    root = climb.step('inclusion') === 'left' ? nodeHash(sibling, root) : nodeHash(root, sibling);
  }
  climb.finish('inclusion');
  return root;
}

/** Throws ProofError unless `leaf` stands at `index` in the tree of `size` leaves and `root`. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): void {
  if (!equalBytes(rootFromInclusion(leaf, index, size, path), root)) {
    throw new ProofError('the inclusion path leads to another root');
  }
}

/** Throws ProofError unless the tree (older, olderRoot) is a prefix of (newer, newerRoot). */
export function verifyConsistency(
  older: number,
  newer: number,
  olderRoot: Uint8Array,
  newerRoot: Uint8Array,
  path: readonly Uint8Array[],
): void {
  if (older === newer) {
    if (path.length > 0 || !equalBytes(olderRoot, newerRoot)) throw new ProofError('trees of one size differ');
    return;
  }
  if (!(older > 0 && older < newer) || path.length === 0) {
    throw new ProofError('no consistency proof between these sizes');
  }
  checkSizes([olderRoot, newerRoot, ...path]);
  const [first, second] = rootsFromConsistency(older, newer, olderRoot, path);
  if (!equalBytes(first, olderRoot) || !equalBytes(second, newerRoot)) {
    throw new ProofError('the consistency path leads to other roots');
  }
}

/** The two roots of RFC 9162 section 2.1.4.2, steps 2 to 6. */
function rootsFromConsistency(
  older: number,
  newer: number,
  olderRoot: Uint8Array,
  path: readonly Uint8Array[],
): [Uint8Array, Uint8Array] {
  const isPowerOfTwo = older === 1 || split(older) * 2 === older;
  const [seed, ...siblings] = isPowerOfTwo ? [olderRoot, ...path] : path;
  let [fn, sn] = [older - 1, newer - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  const climb = new Climb(fn, sn);
  let [first, second] = [seed!, seed!];
  for (const sibling of siblings) {
    if (climb.step('consistency') === 'left') {
      first = nodeHash(sibling, first);
      second = nodeHash(sibling, second);
    } else {
      second = nodeHash(second, sibling);
    }
  }
  climb.finish('consistency');
  return [first, second];
}

/** The walk from a leaf to the root that both verifications share (fn and sn of RFC 9162). */
class Climb {
  #fn: number;
  #sn: number;

  constructor(fn: number, sn: number) {
    this.#fn = fn;
    this.#sn = sn;
  }

  /** On which side of the path the next sibling stands. */
  step(what: string): 'left' | 'right' {
    if (this.#sn === 0) throw new ProofError(`the ${what} path is too long`);
    const left = this.#fn % 2 === 1 || this.#fn === this.#sn;
    while (left && this.#fn % 2 === 0 && this.#fn > 0) this.#up();
    this.#up();
    return left ? 'left' : 'right';
  }

  finish(what: string): void {
    if (this.#sn !== 0) throw new ProofError(`the ${what} path is too short`);
  }

  #up(): void {
    this.#fn = half(this.#fn);
    this.#sn = half(this.#sn);
  }
}

function half(size: number): number {
  return Math.floor(size / 2);
}

/** The largest power of two below `size` (at least 2). */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** The root over leaves [start, end) of a subtree that RFC 6962's recursion reaches. */
function rangeRoot(start: number, end: number, node: ReadNode): Uint8Array {
  const size = end - start;
  if (size === 1) return node(0, start);
  const middle = split(size);
  if (middle * 2 === size) return node(levelOf(size), start / size);
  return nodeHash(rangeRoot(start, start + middle, node), rangeRoot(start + middle, end, node));
}

/** The exponent of a power of two. */
function levelOf(size: number): number {
  let level = 0;
  for (let rest = size; rest > 1; rest /= 2) level++;
  return level;
}

function checkSizes(hashes: readonly Uint8Array[]): void {
  if (hashes.some((hash) => hash.length !== HASH_SIZE)) throw new ProofError('a hash has 32 bytes');
}
