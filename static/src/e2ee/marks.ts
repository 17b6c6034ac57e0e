/** Read marks: latest-only blobs that the thread's members can read (docs/spec/e2ee.md section 6). */

import { encode } from '../codec/cbor.ts';
import { type Infer, record, uint } from '../codec/schema.ts';
import { AES_256_GCM } from '../crypto/aead.ts';
import { concat } from '../crypto/bytes.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { Misuse, PeerViolation, fromPeer } from './errors.ts';
import { ZERO_NONCE, derive, split } from './labels.ts';
import { padTo, unpadFrom } from './padding.ts';
import { type ThreadState, currentSession, sessionOf } from './state.ts';

const ID_SIZE = 32;
const SALT_SIZE = 32;
const PADDED_SIZE = 32;
const BLOB_SIZE = ID_SIZE + SALT_SIZE + PADDED_SIZE + 16;

/** Everything up to `sequence` was read at `time`. */
export const ReadMark = record('ReadMark', { sequence: uint(), time: uint() });
export type ReadMark = Infer<typeof ReadMark>;

/** The author's newest mark in the current session; Misuse when none is held. Randomness: salt 32. */
export async function sealMark(state: ThreadState, author: Uint8Array, mark: ReadMark, random: RandomBytes): Promise<Uint8Array> {
  const session = currentSession(state);
  if (session === null) throw new Misuse('no current session');
  const salt = random(SALT_SIZE);
  const key = derive(session.mark, salt, 'securemsg/mark/1', 32, author);
  const sealed = await AES_256_GCM.seal(key, ZERO_NONCE, padTo(ReadMark.encode(mark), PADDED_SIZE), encode([state.thread, author]));
  return concat(session.id, salt, sealed);
}

/** An author's mark. Throws PeerViolation, AuthenticationFailed. */
export async function openMark(state: ThreadState, author: Uint8Array, blob: Uint8Array): Promise<ReadMark> {
  if (blob.length !== BLOB_SIZE) throw new PeerViolation('mark: wrong length');
  const [id, salt, sealed] = split(blob, ID_SIZE, SALT_SIZE, BLOB_SIZE - ID_SIZE - SALT_SIZE);
  const session = sessionOf(state, id!);
  if (session === null) throw new PeerViolation('mark: of a session that is not held');
  const key = derive(session.mark, salt!, 'securemsg/mark/1', 32, author);
  return fromPeer('mark', async () => {
    const padded = await AES_256_GCM.open(key, ZERO_NONCE, sealed!, encode([state.thread, author]));
    return ReadMark.decode(unpadFrom(padded));
  });
}
