/** HKDF-SHA-512 (RFC 5869) over a base key that the page cannot read; equal to hkdfSha512 over its bytes. */

import { checkHkdfLength } from './kdf.ts';
import { subtle } from './provider.ts';

export type AesKeyUsage = 'encrypt' | 'decrypt' | 'wrapKey' | 'unwrapKey';

const AES_256_GCM_KEY = { name: 'AES-GCM', length: 256 };

function hkdf(salt: Uint8Array, info: Uint8Array): { name: string; hash: string; salt: Uint8Array; info: Uint8Array } {
  return { name: 'HKDF', hash: 'SHA-512', salt, info };
}

/** A non-extractable HKDF key of these bytes; they should be overwritten by the caller afterwards. */
export function hkdfBaseKey(bytes: Uint8Array): Promise<CryptoKey> {
  return subtle().importKey('raw', bytes, { name: 'HKDF' }, false, ['deriveKey', 'deriveBits']);
}

/** A non-extractable AES-256-GCM key of the first 32 bytes of the derivation. */
export function deriveAesKey(base: CryptoKey, salt: Uint8Array, info: Uint8Array, usages: readonly AesKeyUsage[]): Promise<CryptoKey> {
  return subtle().deriveKey(hkdf(salt, info), base, AES_256_GCM_KEY, false, usages);
}

/** `length` bytes (1 to 16320) of the derivation. */
export async function deriveBytes(base: CryptoKey, salt: Uint8Array, info: Uint8Array, length: number): Promise<Uint8Array> {
  checkHkdfLength(length, 64);
  return new Uint8Array(await subtle().deriveBits(hkdf(salt, info), base, 8 * length));
}
