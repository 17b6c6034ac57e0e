/** A server's signed word that it was set back to a copy (docs/spec/ledger.md, "Log", Restored). */

import { type Infer, bytes, fixed, many, nested, record, uint } from '../codec/schema.ts';
import { openStatement } from '../codec/statement.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { type Checkpoint, MAX_CHECKPOINT } from './checkpoint.ts';
import { ProofError } from './errors.ts';
import { LEAF_SIZE, readRestoredLeaf } from './log.ts';
import { HASH_SIZE, MAX_PATH, leafHash, verifyInclusion } from './merkle.ts';

export const TYPE_RESTORED = 'securemsg/restored/1';
const MAX_STATEMENT = 8_192;
const MAX_CONSISTENCY = 64;
const MAX_RESTORATIONS = 8;

/** The server went back, at `time`, to the log of this size and root; `copied` is its time. */
export const RestoredStatement = record('RestoredStatement', {
  server: fixed(32),
  id: fixed(16),
  time: uint(),
  size: uint(),
  root: fixed(HASH_SIZE),
  copied: uint(),
});
export type RestoredStatement = Infer<typeof RestoredStatement>;

/** A signed RestoredStatement, and its leaf's way into a checkpoint. */
export const Restoration = record('Restoration', {
  statement: bytes(MAX_STATEMENT),
  logIndex: uint(),
  logLeaf: fixed(LEAF_SIZE),
  logPath: many(fixed(HASH_SIZE), MAX_PATH),
});
export type Restoration = Infer<typeof Restoration>;

/** The newest checkpoint, the proof that leads to it from a known size, and restorations. */
export const LogNews = record('LogNews', {
  checkpoint: bytes(MAX_CHECKPOINT),
  consistency: many(fixed(HASH_SIZE), MAX_CONSISTENCY),
  restorations: many(nested(Restoration), MAX_RESTORATIONS),
});
export type LogNews = Infer<typeof LogNews>;

/**
 * What the server says, once its leaf is proved to stand in the log of a verified checkpoint.
 * Throws MalformedData, ProofError or InvalidSignature.
 */
export async function verifyRestoration(
  restoration: Restoration,
  checkpoint: Pick<Checkpoint, 'size' | 'root'>,
  serverPublic: Uint8Array,
  server: Uint8Array,
): Promise<RestoredStatement> {
  const { statement, logIndex, logLeaf, logPath } = restoration;
  const leaf = readRestoredLeaf(logLeaf);
  if (!equalBytes(leaf.statement, sha256(statement))) throw new ProofError('the leaf names another statement');
  verifyInclusion(leafHash(logLeaf), logIndex, checkpoint.size, logPath, checkpoint.root);
  const found = RestoredStatement.decode(await openStatement(serverPublic, TYPE_RESTORED, statement, MAX_STATEMENT));
  if (!equalBytes(found.server, server) || found.size !== logIndex || found.time !== leaf.time) {
    throw new ProofError('the statement is not that of its leaf');
  }
  return found;
}
