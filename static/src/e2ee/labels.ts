/** The key derivation of docs/spec/e2ee.md: HKDF-SHA-512 with a label of this protocol. */

import { concat, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { hkdfSha512 } from '../crypto/kdf.ts';

export const NO_SALT = new Uint8Array(0);
export const ZERO_NONCE = new Uint8Array(12);

/** HKDF(ikm, salt, label ‖ bound, length). */
export function derive(ikm: Uint8Array, salt: Uint8Array, label: string, length: number, ...bound: readonly Uint8Array[]): Uint8Array {
  return hkdfSha512(ikm, { salt, info: concat(utf8(label), ...bound), length });
}

/** H(label ‖ parts). */
export function labelledHash(label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(utf8(label), ...parts);
}

/** Cuts `bytes` into consecutive parts of these sizes, each a copy. */
export function split(bytes: Uint8Array, ...sizes: readonly number[]): Uint8Array[] {
  let at = 0;
  return sizes.map((size) => bytes.slice(at, (at += size)));
}
