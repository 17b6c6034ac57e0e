/** From a typed password to keys: what the server says about the derivation is checked, then Argon2id runs. */

import { fromBase64url } from '../crypto/bytes.ts';
import { InvalidParameter } from '../crypto/errors.ts';
import {
  type KeyDerivation, type Unlocked, checkKeyDerivation, deriveFromMaster, passwordBytes, unlockSalt,
} from '../e2ee/unlock.ts';
import { BadAnswer } from '../net/errors.ts';
import { type JsonObject, field } from '../net/http.ts';
import type { DeriveKey } from './derive.ts';

/** How a name's password becomes a key. */
export interface Derivation {
  readonly skeleton: string;
  readonly storedRandom: Uint8Array;
  readonly kdf: KeyDerivation;
}

/** Bytes of a JSON answer. */
export function bytesField(answer: JsonObject, name: string, size: number): Uint8Array {
  const bytes = decoded(field(answer, name, 'string'));
  if (bytes === null || bytes.length !== size) throw new BadAnswer(`${name}: not ${size} bytes`);
  return bytes;
}

function decoded(text: string): Uint8Array | null {
  try {
    return fromBase64url(text);
  } catch (error) {
    if (error instanceof InvalidParameter) return null;
    throw error;
  }
}

/** What sign-in and registration begin with. Throws ServerViolation for parameters beyond the client's own bounds. */
export function readDerivation(answer: JsonObject): Derivation {
  const named = answer['kdf'];
  if (typeof named !== 'object' || named === null) throw new BadAnswer('kdf: not an object');
  const stated = named as JsonObject;
  const kdf = {
    memoryKib: field(stated, 'memory_kib', 'number'),
    passes: field(stated, 'passes', 'number'),
    lanes: field(stated, 'lanes', 'number'),
  };
  checkKeyDerivation(kdf);
  return { skeleton: field(answer, 'skeleton', 'string'), storedRandom: bytesField(answer, 'stored_random', 32), kdf };
}

/** Login key and personal key. `password` is what passwordBytes takes; its bytes and the master are overwritten. */
export async function unlockingKeys(derive: DeriveKey, server: Uint8Array, derivation: Derivation, password: string): Promise<Unlocked> {
  const salt = unlockSalt(server, derivation.skeleton, derivation.storedRandom);
  const bytes = passwordBytes(password);
  try {
    const master = await derive(bytes, salt, derivation.kdf);
    try {
      return await deriveFromMaster(master, salt);
    } finally {
      master.fill(0);
    }
  } finally {
    bytes.fill(0);
  }
}
