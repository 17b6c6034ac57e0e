/** ML-KEM-1024 (FIPS 203). Private keys are stored as the 64-byte seed d ‖ z. */

import { ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { checkKeySize, checkSize, DecryptionFailed, InvalidKey } from './errors.ts';
import { nativePublic, servedNatively, subtle } from './provider.ts';

export const MLKEM1024_PUBLIC_SIZE = 1568;
export const MLKEM1024_SEED_SIZE = 64;
export const MLKEM1024_CIPHERTEXT_SIZE = 1568;
const RANDOMNESS_SIZE = 32;
const Q = 3329;
const COEFFICIENT_BYTES = MLKEM1024_PUBLIC_SIZE - 32;

export interface KemKey {
  readonly public: Uint8Array;
  /**
   * The 32-byte secret. A ciphertext of the right length never fails: a forged one gives an unrelated
   * secret (implicit rejection, FIPS 203 section 6.3); another length is DecryptionFailed.
   */
  decapsulate(ciphertext: Uint8Array): Promise<Uint8Array>;
}

export interface Encapsulation {
  readonly ciphertext: Uint8Array;
  readonly secret: Uint8Array;
}

/** The checks of FIPS 203 section 7.2: length, and every 12-bit coefficient below q; InvalidKey otherwise. */
export function checkMlkem1024Public(publicKey: Uint8Array): void {
  checkKeySize(publicKey, MLKEM1024_PUBLIC_SIZE, 'ML-KEM-1024 public key');
  for (let i = 0; i < COEFFICIENT_BYTES; i += 3) {
    const [low, middle, high] = [publicKey[i]!, publicKey[i + 1]!, publicKey[i + 2]!];
    if ((low | ((middle & 15) << 8)) >= Q || ((middle >> 4) | (high << 4)) >= Q) {
      throw new InvalidKey('ML-KEM-1024 public key: a coefficient is not reduced');
    }
  }
}

/** ML-KEM.Encaps_internal (FIPS 203 section 6.2) on a checked key; `randomness` (32 bytes) must be fresh and secret. */
export function mlkem1024Encapsulate(publicKey: Uint8Array, randomness: Uint8Array): Encapsulation {
  checkMlkem1024Public(publicKey);
  checkSize(randomness, RANDOMNESS_SIZE, 'ML-KEM-1024 randomness');
  const { cipherText, sharedSecret } = ml_kem1024.encapsulate(publicKey, randomness);
  // The library's secret is a view of a larger buffer; callers get bytes of their own.
  return { ciphertext: cipherText, secret: sharedSecret.slice() };
}

function checkCiphertext(ciphertext: Uint8Array): void {
  if (ciphertext.length !== MLKEM1024_CIPHERTEXT_SIZE) {
    throw new DecryptionFailed(`ML-KEM-1024 ciphertext: ${MLKEM1024_CIPHERTEXT_SIZE} bytes expected`);
  }
}

const ALGORITHM = { name: 'ML-KEM-1024' };
const USAGES = ['decapsulateBits'];

class NativeMlkem1024 implements KemKey {
  readonly public: Uint8Array;
  readonly #key: CryptoKey;

  constructor(key: CryptoKey, publicKey: Uint8Array) {
    this.#key = key;
    this.public = publicKey;
  }

  async decapsulate(ciphertext: Uint8Array): Promise<Uint8Array> {
    checkCiphertext(ciphertext);
    return new Uint8Array(await subtle().decapsulateBits(ALGORITHM, this.#key, ciphertext));
  }
}

class PortableMlkem1024 implements KemKey {
  readonly public: Uint8Array;
  readonly #secretKey: Uint8Array;

  constructor(seed: Uint8Array) {
    const { publicKey, secretKey } = ml_kem1024.keygen(seed);
    this.public = publicKey;
    this.#secretKey = secretKey;
  }

  async decapsulate(ciphertext: Uint8Array): Promise<Uint8Array> {
    checkCiphertext(ciphertext);
    return ml_kem1024.decapsulate(ciphertext, this.#secretKey).slice();
  }
}

/** The key of a 64-byte seed d ‖ z (FIPS 203 section 7.1). */
export async function mlkem1024PrivateKey(seed: Uint8Array): Promise<KemKey> {
  checkKeySize(seed, MLKEM1024_SEED_SIZE, 'ML-KEM-1024 seed');
  if (!(await servedNatively('ML-KEM-1024'))) return new PortableMlkem1024(seed);
  return mlkem1024FromCryptoKey(await subtle().importKey('raw-seed', seed, ALGORITHM, false, USAGES));
}

/** The key held by the browser as a private CryptoKey of ML-KEM-1024 with usage decapsulateBits. */
export async function mlkem1024FromCryptoKey(key: CryptoKey): Promise<KemKey> {
  return new NativeMlkem1024(key, await nativePublic(key, ['encapsulateBits']));
}
