/** ML-DSA-65 (FIPS 204), pure, with the caller's context. Private keys are stored as the 32-byte seed. */

import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { checkKeySize, InvalidSignature } from './errors.ts';
import { nativePublic, servedNatively, subtle } from './provider.ts';
import { checkContext, NO_CONTEXT, type SigningKey, type SignatureScheme } from './scheme.ts';

const NAME = 'ML-DSA-65';
const PUBLIC_SIZE = 1952;
const SEED_SIZE = 32;
const SIGNATURE_SIZE = 3309;
const USAGES = ['sign'];

class NativeMldsa65 implements SigningKey {
  readonly public: Uint8Array;
  readonly #key: CryptoKey;

  constructor(key: CryptoKey, publicKey: Uint8Array) {
    this.#key = key;
    this.public = publicKey;
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkContext(context);
    return new Uint8Array(await subtle().sign({ name: NAME, context }, this.#key, message));
  }
}

class PortableMldsa65 implements SigningKey {
  readonly public: Uint8Array;
  readonly #secretKey: Uint8Array;
  readonly #hedged: boolean;

  constructor(seed: Uint8Array, hedged: boolean) {
    const { publicKey, secretKey } = ml_dsa65.keygen(seed);
    this.public = publicKey;
    this.#secretKey = secretKey;
    this.#hedged = hedged;
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkContext(context);
    const options = this.#hedged ? { context } : { context, extraEntropy: false as const };
    return ml_dsa65.sign(message, this.#secretKey, options);
  }
}

async function nativeVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array, context: Uint8Array): Promise<boolean> {
  const key = await subtle().importKey('raw-public', publicKey, { name: NAME }, false, ['verify']);
  return subtle().verify({ name: NAME, context }, key, signature, message);
}

export const ML_DSA_65: SignatureScheme = {
  name: NAME,
  publicSize: PUBLIC_SIZE,
  seedSize: SEED_SIZE,
  async generate(seed) {
    checkKeySize(seed, SEED_SIZE, 'ML-DSA-65 seed');
    if (!(await servedNatively(NAME))) return new PortableMldsa65(seed, true);
    return mldsa65FromCryptoKey(await subtle().importKey('raw-seed', seed, { name: NAME }, false, USAGES));
  },
  async verify(publicKey, message, signature, context = NO_CONTEXT) {
    checkContext(context);
    const valid = publicKey.length === PUBLIC_SIZE
      && signature.length === SIGNATURE_SIZE
      && ((await servedNatively(NAME))
        ? await nativeVerify(publicKey, message, signature, context)
        : ml_dsa65.verify(signature, message, publicKey, { context }));
    if (!valid) throw new InvalidSignature('ML-DSA-65: the signature does not verify');
  },
};

/** The key held by the browser as a private CryptoKey of ML-DSA-65 with usage sign. */
export async function mldsa65FromCryptoKey(key: CryptoKey): Promise<SigningKey> {
  return new NativeMldsa65(key, await nativePublic(key, ['verify']));
}

/** A portable key that signs with rnd = 0 (FIPS 204 section 3.4), for published vectors; products hedge. */
export function deterministicMldsa65(seed: Uint8Array): SigningKey {
  checkKeySize(seed, SEED_SIZE, 'ML-DSA-65 seed');
  return new PortableMldsa65(seed, false);
}
