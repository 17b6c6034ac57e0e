/** Proofs of the compressed sparse Merkle map (docs/spec/ledger.md, "Map"); the server builds it. */

import { type Infer, fixed, many, maybe, nested, record } from '../codec/schema.ts';
import { equalBytes, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { ProofError } from './errors.ts';

const LABEL_SIZE = 32;
const LABEL_BITS = 256;
const EMPTY_SUBTREE = new Uint8Array(32);
const ZERO = Uint8Array.of(0);
const ONE = Uint8Array.of(1);
const HEAD_TAG = utf8('securemsg/map-head/1');
const NAME_TAG = utf8('securemsg/map-name/1');

export const MapLeaf = record('MapLeaf', { label: fixed(LABEL_SIZE), value: fixed(32) });
export type MapLeaf = Infer<typeof MapLeaf>;

/** Siblings from the root down (null: empty); for absence, the other leaf that is there. */
export const MapProof = record('MapProof', {
  siblings: many(maybe(fixed(32)), LABEL_BITS),
  other: maybe(nested(MapLeaf)),
});
export type MapProof = Infer<typeof MapProof>;

export function chainLabel(chain: Uint8Array): Uint8Array {
  return sha256(ZERO, chain);
}

export function headValue(size: number, root: Uint8Array): Uint8Array {
  return sha256(HEAD_TAG, u64be(size), root);
}

export function nameLabel(salt: Uint8Array, skeleton: string): Uint8Array {
  return sha256(ONE, salt, utf8(skeleton));
}

export function nameValue(account: Uint8Array): Uint8Array {
  return sha256(NAME_TAG, account);
}

/** The root of the map in which `proof` finds `label` with `value`. */
export function rootWith(label: Uint8Array, value: Uint8Array, proof: MapProof): Uint8Array {
  if (proof.other !== null) throw new ProofError('a proof of absence where one of inclusion is due');
  return climb(label, leafOf(label, value), proof);
}

/** The root of the map in which `proof` finds that `label` is absent. */
export function rootWithout(label: Uint8Array, proof: MapProof): Uint8Array {
  const other = proof.other;
  if (other === null) return climb(label, EMPTY_SUBTREE, proof);
  const inPlace = proof.siblings.every((_, depth) => bit(other.label, depth) === bit(label, depth));
  if (!inPlace || equalBytes(other.label, label)) {
    throw new ProofError("the other leaf does not stand in the label's place");
  }
  return climb(label, leafOf(other.label, other.value), proof);
}

export function verifyIncluded(root: Uint8Array, label: Uint8Array, value: Uint8Array, proof: MapProof): void {
  if (!equalBytes(rootWith(label, value, proof), root)) throw new ProofError('the map proof leads to another root');
}

export function verifyAbsent(root: Uint8Array, label: Uint8Array, proof: MapProof): void {
  if (!equalBytes(rootWithout(label, proof), root)) throw new ProofError('the map proof leads to another root');
}

function climb(label: Uint8Array, start: Uint8Array, proof: MapProof): Uint8Array {
  if (proof.siblings.at(-1) === null) throw new ProofError('the last sibling of a map proof is empty');
  return proof.siblings.reduceRight<Uint8Array>((subtree, sibling, depth) => {
    if (sibling !== null && equalBytes(sibling, EMPTY_SUBTREE)) {
      throw new ProofError('an empty sibling has two spellings');
    }
    const beside = sibling ?? EMPTY_SUBTREE;
    return bit(label, depth) === 1 ? sha256(ONE, beside, subtree) : sha256(ONE, subtree, beside);
  }, start);
}

function leafOf(label: Uint8Array, value: Uint8Array): Uint8Array {
  return sha256(ZERO, label, value);
}

function bit(label: Uint8Array, depth: number): number {
  return (label[depth >> 3]! >> (7 - (depth & 7))) & 1;
}

/** 8 bytes, big-endian. */
export function u64be(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value));
  return new Uint8Array(view.buffer);
}
