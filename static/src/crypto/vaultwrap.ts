/**
 * Keys that are kept under other keys without their bytes passing through the page: AES-256-GCM keys that
 * are used once (hence the nonce of zeros), and HKDF and HMAC keys unwrapped straight into the browser.
 */

import { AES_256_GCM } from './aead.ts';
import { DecryptionFailed, InvalidKey, refusalAs } from './errors.ts';
import { subtle } from './provider.ts';

const SEALED_KEY_SIZE = 32 + AES_256_GCM.overhead;
const HMAC_SHA256 = { name: 'HMAC', hash: 'SHA-256', length: 256 };

function once(ad: Uint8Array): { name: string; iv: Uint8Array; additionalData: Uint8Array } {
  return { name: 'AES-GCM', iv: new Uint8Array(AES_256_GCM.nonceSize), additionalData: ad };
}

/** Seals by an AES-256-GCM key that seals nothing else, ever. */
export async function sealOnce(key: CryptoKey, plaintext: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle().encrypt(once(ad), key, plaintext));
}

/** DecryptionFailed if `sealed` is not authentic. */
export async function openOnce(key: CryptoKey, sealed: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  return refusalAs(DecryptionFailed, 'AES-256-GCM: not authentic', async () =>
    new Uint8Array(await subtle().decrypt(once(ad), key, sealed)));
}

/** The non-extractable HKDF key of 32 sealed bytes; `key` has the usage unwrapKey. */
export function unwrapHkdfKey(key: CryptoKey, sealed: Uint8Array, ad: Uint8Array): Promise<CryptoKey> {
  return unwrap(key, sealed, ad, { name: 'HKDF' }, ['deriveKey', 'deriveBits']);
}

/** The non-extractable HMAC-SHA-256 key of 32 sealed bytes; `key` has the usage unwrapKey. */
export function unwrapHmacKey(key: CryptoKey, sealed: Uint8Array, ad: Uint8Array): Promise<CryptoKey> {
  return unwrap(key, sealed, ad, HMAC_SHA256, ['sign']);
}

async function unwrap(key: CryptoKey, sealed: Uint8Array, ad: Uint8Array, algorithm: { name: string }, usages: readonly string[]): Promise<CryptoKey> {
  if (sealed.length !== SEALED_KEY_SIZE) throw new DecryptionFailed(`wrapped key: ${SEALED_KEY_SIZE} bytes expected`);
  return refusalAs(DecryptionFailed, 'wrapped key: not authentic', () =>
    subtle().unwrapKey('raw', sealed, key, once(ad), algorithm, false, usages));
}

/** A non-extractable HMAC-SHA-256 key of 32 bytes; they should be overwritten by the caller afterwards. */
export async function hmacBaseKey(bytes: Uint8Array): Promise<CryptoKey> {
  if (bytes.length !== 32) throw new InvalidKey('HMAC key: 32 bytes expected');
  return subtle().importKey('raw', bytes, HMAC_SHA256, false, ['sign']);
}

/** HMAC-SHA-256 (RFC 2104) by such a key. */
export async function hmacWith(key: CryptoKey, data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle().sign({ name: 'HMAC' }, key, data));
}
