/** From an entry, or a chain's head, to a signed checkpoint (docs/spec/ledger.md, "Receipt"). */

import { type Infer, bytes, fixed, many, nested, record, uint } from '../codec/schema.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { type ChainHeader, type Head, ID_SIZE, MAX_HEADER, readHeader } from './chain.ts';
import { type Checkpoint, MAX_CHECKPOINT, verifyCheckpoint } from './checkpoint.ts';
import { ProofError } from './errors.ts';
import { LEAF_SIZE, readMapped } from './log.ts';
import { MapProof, chainLabel, headValue, rootWith, rootWithout } from './map.ts';
import { EMPTY_ROOT, HASH_SIZE, MAX_PATH, leafHash, rootFromInclusion, verifyInclusion } from './merkle.ts';

const inLog = {
  mapProof: nested(MapProof),
  logIndex: uint(),
  logLeaf: fixed(LEAF_SIZE),
  logPath: many(fixed(HASH_SIZE), MAX_PATH),
  checkpoint: bytes(MAX_CHECKPOINT),
};

/** An entry's way into a checkpoint. */
export const Receipt = record('Receipt', {
  header: bytes(MAX_HEADER),
  chainSize: uint(),
  chainPath: many(fixed(HASH_SIZE), MAX_PATH),
  ...inLog,
});
export type Receipt = Infer<typeof Receipt>;

/** A chain's head and its way into the newest checkpoint; size 0: the chain does not exist. */
export const HeadProof = record('HeadProof', {
  chain: fixed(ID_SIZE),
  size: uint(),
  root: fixed(HASH_SIZE),
  ...inLog,
});
export type HeadProof = Infer<typeof HeadProof>;

/** What a head proof shows: the chain's head in the map of a leaf of a signed log. */
export interface VerifiedHead {
  readonly chain: Uint8Array;
  readonly head: Head;
  readonly mapRoot: Uint8Array;
  readonly time: number;
  readonly checkpoint: Checkpoint;
}

/** What a receipt shows: the entry, and the chain's head that covers it. */
export interface VerifiedReceipt {
  readonly header: ChainHeader;
  readonly head: Head;
  readonly mapRoot: Uint8Array;
  readonly time: number;
  readonly checkpoint: Checkpoint;
}

/**
 * Throws MalformedData, ProofError (BadCheckpoint) or InvalidSignature. `serverPublic` (1984 bytes) and
 * `origin` are known beforehand: from the pin, never from here.
 */
export async function verifyReceipt(
  receipt: Receipt,
  serverPublic: Uint8Array,
  origin: string,
): Promise<VerifiedReceipt> {
  const header = readHeader(receipt.header);
  const leaf = leafHash(receipt.header);
  const root = rootFromInclusion(leaf, header.sequence, receipt.chainSize, receipt.chainPath);
  const head = { size: receipt.chainSize, root };
  const mapRoot = mapRootOf(header.chain, head, receipt.mapProof);
  return { header, head, mapRoot, ...(await verifyLog(receipt, mapRoot, serverPublic, origin)) };
}

/** Throws as verifyReceipt, and ProofError when the proof is not of the newest log leaf. */
export async function verifyHead(
  proof: HeadProof,
  serverPublic: Uint8Array,
  origin: string,
): Promise<VerifiedHead> {
  const head = { size: proof.size, root: proof.root };
  const mapRoot = mapRootOf(proof.chain, head, proof.mapProof);
  const { time, checkpoint } = await verifyLog(proof, mapRoot, serverPublic, origin);
  if (proof.logIndex !== checkpoint.size - 1) throw new ProofError('a head proof is of the newest log leaf');
  return { chain: proof.chain, head, mapRoot, time, checkpoint };
}

/** The root of the map in which the chain has this head. */
function mapRootOf(chain: Uint8Array, head: Head, proof: MapProof): Uint8Array {
  if (head.size > 0) return rootWith(chainLabel(chain), headValue(head.size, head.root), proof);
  if (!equalBytes(head.root, EMPTY_ROOT)) throw new ProofError('an empty chain has the empty root');
  return rootWithout(chainLabel(chain), proof);
}

/** The time of the log leaf that holds `mapRoot`, and the checkpoint that covers it. */
async function verifyLog(
  proof: Receipt | HeadProof,
  mapRoot: Uint8Array,
  serverPublic: Uint8Array,
  origin: string,
): Promise<{ time: number; checkpoint: Checkpoint }> {
  const leaf = readMapped(proof.logLeaf);
  if (!equalBytes(leaf.mapRoot, mapRoot)) throw new ProofError('the map proof leads to another root');
  const checkpoint = await verifyCheckpoint(proof.checkpoint, origin, serverPublic);
  verifyInclusion(leafHash(proof.logLeaf), proof.logIndex, checkpoint.size, proof.logPath, checkpoint.root);
  return { time: leaf.time, checkpoint };
}
