/**
 * Authenticated encryption by name. `sealed` is ciphertext followed by its tag; nothing is released before
 * the tag has been checked. A key and nonce pair must never be used twice: both are the caller's.
 */

import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { checkKeySize, checkSize, DecryptionFailed, InvalidParameter, refusalAs } from './errors.ts';
import { servedNatively, subtle } from './provider.ts';

export interface Aead {
  readonly name: string;
  readonly keySize: number;
  readonly nonceSize: number;
  /** Bytes that sealing adds. */
  readonly overhead: number;
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Promise<Uint8Array>;
  /** DecryptionFailed if `sealed` is not authentic. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Promise<Uint8Array>;
}

const TAG_SIZE = 16;

function checkSeal(aead: Aead, key: Uint8Array, nonce: Uint8Array): void {
  checkKeySize(key, aead.keySize, `${aead.name} key`);
  checkSize(nonce, aead.nonceSize, `${aead.name} nonce`);
}

function checkOpen(aead: Aead, key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): void {
  checkSeal(aead, key, nonce);
  if (sealed.length < aead.overhead) throw new DecryptionFailed(`${aead.name}: not authentic`);
}

type NativeCipher = 'AES-GCM' | 'ChaCha20-Poly1305';

async function nativeSeal(name: NativeCipher, key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  const format = name === 'AES-GCM' ? 'raw' : 'raw-secret';
  const cipherKey = await subtle().importKey(format, key, { name }, false, ['encrypt']);
  return new Uint8Array(await subtle().encrypt({ name, iv, additionalData: ad }, cipherKey, plaintext));
}

async function nativeOpen(name: NativeCipher, key: Uint8Array, iv: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  const format = name === 'AES-GCM' ? 'raw' : 'raw-secret';
  const cipherKey = await subtle().importKey(format, key, { name }, false, ['decrypt']);
  return refusalAs(DecryptionFailed, `${name}: not authentic`, async () =>
    new Uint8Array(await subtle().decrypt({ name, iv, additionalData: ad }, cipherKey, sealed)));
}

/** noble throws a plain Error for a wrong tag; sizes were checked before, so nothing else can be meant. */
function portableOpen(cipher: typeof chacha20poly1305 | typeof xchacha20poly1305, name: string, key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array {
  try {
    return cipher(key, nonce, ad).decrypt(sealed);
  } catch (error) {
    if (error instanceof Error && error.message === 'invalid tag') throw new DecryptionFailed(`${name}: not authentic`);
    throw error;
  }
}

/** AES-256-GCM with 12-byte nonces and full tags (SP 800-38D); every browser has it. */
export const AES_256_GCM: Aead = {
  name: 'AES-256-GCM', keySize: 32, nonceSize: 12, overhead: TAG_SIZE,
  async seal(key, nonce, plaintext, ad) {
    checkSeal(this, key, nonce);
    return nativeSeal('AES-GCM', key, nonce, plaintext, ad);
  },
  async open(key, nonce, sealed, ad) {
    checkOpen(this, key, nonce, sealed);
    return nativeOpen('AES-GCM', key, nonce, sealed, ad);
  },
};

/** ChaCha20-Poly1305 (RFC 8439 section 2.8). */
export const CHACHA20_POLY1305: Aead = {
  name: 'ChaCha20-Poly1305', keySize: 32, nonceSize: 12, overhead: TAG_SIZE,
  async seal(key, nonce, plaintext, ad) {
    checkSeal(this, key, nonce);
    if (await servedNatively('ChaCha20-Poly1305')) return nativeSeal('ChaCha20-Poly1305', key, nonce, plaintext, ad);
    return chacha20poly1305(key, nonce, ad).encrypt(plaintext);
  },
  async open(key, nonce, sealed, ad) {
    checkOpen(this, key, nonce, sealed);
    if (await servedNatively('ChaCha20-Poly1305')) return nativeOpen('ChaCha20-Poly1305', key, nonce, sealed, ad);
    return portableOpen(chacha20poly1305, this.name, key, nonce, sealed, ad);
  },
};

/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 section 2); no browser has it. */
export const XCHACHA20_POLY1305: Aead = {
  name: 'XChaCha20-Poly1305', keySize: 32, nonceSize: 24, overhead: TAG_SIZE,
  async seal(key, nonce, plaintext, ad) {
    checkSeal(this, key, nonce);
    return xchacha20poly1305(key, nonce, ad).encrypt(plaintext);
  },
  async open(key, nonce, sealed, ad) {
    checkOpen(this, key, nonce, sealed);
    return portableOpen(xchacha20poly1305, this.name, key, nonce, sealed, ad);
  },
};

/** XChaCha20-Poly1305 around AES-256-GCM, independent keys and nonces (docs/spec/crypto.md, "Cascade"). */
export const AES_XCHACHA: Aead = {
  name: 'AES-XChaCha', keySize: 64, nonceSize: 36, overhead: 2 * TAG_SIZE,
  async seal(key, nonce, plaintext, ad) {
    checkSeal(this, key, nonce);
    const inner = await AES_256_GCM.seal(key.subarray(0, 32), nonce.subarray(0, 12), plaintext, ad);
    return XCHACHA20_POLY1305.seal(key.subarray(32), nonce.subarray(12), inner, ad);
  },
  async open(key, nonce, sealed, ad) {
    checkOpen(this, key, nonce, sealed);
    const inner = await XCHACHA20_POLY1305.open(key.subarray(32), nonce.subarray(12), sealed, ad);
    return AES_256_GCM.open(key.subarray(0, 32), nonce.subarray(0, 12), inner, ad);
  },
};

const BY_NAME = new Map([AES_256_GCM, CHACHA20_POLY1305, XCHACHA20_POLY1305, AES_XCHACHA].map((aead) => [aead.name, aead]));

/** InvalidParameter for a name that is not in the table of docs/spec/crypto.md. */
export function aeadByName(name: string): Aead {
  const aead = BY_NAME.get(name);
  if (aead === undefined) throw new InvalidParameter('unknown AEAD name');
  return aead;
}
