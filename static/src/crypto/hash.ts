/** Hashes over the concatenation of their parts (FIPS 180-4, FIPS 202). */

import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import { sha3_512 as nobleSha3 } from '@noble/hashes/sha3.js';
import { concat } from './bytes.ts';

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return nobleSha256(concat(...parts));
}

export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return nobleSha512(concat(...parts));
}

export function sha3_512(...parts: readonly Uint8Array[]): Uint8Array {
  return nobleSha3(concat(...parts));
}
