/** HKDF over bytes (RFC 5869). For keys that must not be read by the page see vaultkey.ts. */

import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { InvalidParameter } from './errors.ts';

export interface HkdfOptions {
  readonly salt: Uint8Array;
  readonly info: Uint8Array;
  /** Bytes of output, 1 to 255 times the hash size (RFC 5869 section 2.3). */
  readonly length: number;
}

export function hkdfSha256(ikm: Uint8Array, { salt, info, length }: HkdfOptions): Uint8Array {
  checkHkdfLength(length, 32);
  return hkdf(sha256, ikm, salt, info, length);
}

export function hkdfSha512(ikm: Uint8Array, { salt, info, length }: HkdfOptions): Uint8Array {
  checkHkdfLength(length, 64);
  return hkdf(sha512, ikm, salt, info, length);
}

export function checkHkdfLength(length: number, hashSize: number): void {
  if (!Number.isInteger(length) || length < 1 || length > 255 * hashSize) {
    throw new InvalidParameter(`HKDF length: 1 to ${255 * hashSize} bytes expected`);
  }
}
