/**
 * Private keys of Ed25519 and X25519 as PKCS#8 (RFC 8410 section 7): the 48-byte form, a fixed prefix of
 * 16 bytes (version 0, the algorithm's object identifier, two octet-string headers) and the 32-byte seed.
 */

import { concat, equalBytes } from './bytes.ts';
import { checkKeySize, InvalidKey } from './errors.ts';

export type Pkcs8Algorithm = 'Ed25519' | 'X25519';

export const PKCS8_SIZE = 48;
const PREFIX_SIZE = 16;
const OID_LAST_BYTE: Readonly<Record<Pkcs8Algorithm, number>> = { Ed25519: 0x70, X25519: 0x6e };

function prefix(algorithm: Pkcs8Algorithm): Uint8Array {
  return Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, OID_LAST_BYTE[algorithm], 4, 0x22, 4, 0x20);
}

export function toPkcs8(algorithm: Pkcs8Algorithm, seed: Uint8Array): Uint8Array {
  checkKeySize(seed, PKCS8_SIZE - PREFIX_SIZE, `${algorithm} private key`);
  return concat(prefix(algorithm), seed);
}

/** The seed; InvalidKey for any other length, version, algorithm or attribute. */
export function fromPkcs8(algorithm: Pkcs8Algorithm, encoded: Uint8Array): Uint8Array {
  checkKeySize(encoded, PKCS8_SIZE, `${algorithm} PKCS#8 key`);
  if (!equalBytes(encoded.subarray(0, PREFIX_SIZE), prefix(algorithm))) {
    throw new InvalidKey(`not a PKCS#8 key of ${algorithm}`);
  }
  return encoded.slice(PREFIX_SIZE);
}
