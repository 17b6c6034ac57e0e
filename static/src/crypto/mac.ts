/** HMAC over the concatenation of its parts (RFC 2104). */

import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concat, equalBytes } from './bytes.ts';

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return hmac(sha256, key, concat(...parts));
}

export function hmacSha512(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return hmac(sha512, key, concat(...parts));
}

/** Compares two tags in time that depends on the lengths alone. */
export const equal = equalBytes;
