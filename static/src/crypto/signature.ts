/**
 * Signature schemes by name. Ed25519, ML-DSA-65 and their hybrid are here; Falcon and SLH-DSA are in
 * chunks of their own, loaded when asked for by name.
 */

import { concat, utf8 } from './bytes.ts';
import { ED25519 } from './ed25519.ts';
import { checkKeySize, InvalidParameter, InvalidSignature } from './errors.ts';
import { sha256 } from './hash.ts';
import { ML_DSA_65 } from './mldsa65.ts';
import { checkContext, NO_CONTEXT, type SigningKey, type SignatureScheme } from './scheme.ts';

export { ED25519 } from './ed25519.ts';
export { ML_DSA_65 } from './mldsa65.ts';
export type { SigningKey, SignatureScheme } from './scheme.ts';

const ED_SEED_SIZE = 32;
const ED_PUBLIC_SIZE = 32;
const ED_SIGNATURE_SIZE = 64;
export const HYBRID_PUBLIC_SIZE = 1984;
export const HYBRID_SEED_SIZE = 64;
export const HYBRID_SIGNATURE_SIZE = 3373;
const KEY_ID_LABEL = utf8('securemsg/hybrid-key/1');

class HybridKey implements SigningKey {
  readonly public: Uint8Array;
  readonly #ed: SigningKey;
  readonly #mldsa: SigningKey;

  constructor(ed: SigningKey, mldsa: SigningKey) {
    this.public = concat(ed.public, mldsa.public);
    this.#ed = ed;
    this.#mldsa = mldsa;
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkContext(context);
    return concat(await this.#ed.sign(message), await this.#mldsa.sign(message, context));
  }
}

/** One hybrid key of its two halves. */
export function joinHybrid(ed: SigningKey, mldsa: SigningKey): SigningKey {
  return new HybridKey(ed, mldsa);
}

/**
 * Ed25519+ML-DSA-65: both halves sign the same bytes and both must verify. The context is ML-DSA's alone;
 * what must be bound in both halves belongs into the message.
 */
export const HYBRID: SignatureScheme = {
  name: 'Ed25519+ML-DSA-65',
  publicSize: HYBRID_PUBLIC_SIZE,
  seedSize: HYBRID_SEED_SIZE,
  async generate(seed) {
    checkKeySize(seed, HYBRID_SEED_SIZE, 'Ed25519+ML-DSA-65 seed');
    const ed = await ED25519.generate(seed.subarray(0, ED_SEED_SIZE));
    return joinHybrid(ed, await ML_DSA_65.generate(seed.subarray(ED_SEED_SIZE)));
  },
  async verify(publicKey, message, signature, context = NO_CONTEXT) {
    if (publicKey.length !== HYBRID_PUBLIC_SIZE || signature.length !== HYBRID_SIGNATURE_SIZE) {
      throw new InvalidSignature('Ed25519+ML-DSA-65: the signature does not verify');
    }
    await ED25519.verify(publicKey.subarray(0, ED_PUBLIC_SIZE), message, signature.subarray(0, ED_SIGNATURE_SIZE));
    await ML_DSA_65.verify(publicKey.subarray(ED_PUBLIC_SIZE), message, signature.subarray(ED_SIGNATURE_SIZE), context);
  },
};

/** The hybrid key of ed seed(32) ‖ mldsa seed(32). */
export function importSigningKey(seed: Uint8Array): Promise<SigningKey> {
  return HYBRID.generate(seed);
}

/** SHA-256 over a label and the 1984-byte public key. */
export function hybridKeyId(publicKey: Uint8Array): Uint8Array {
  checkKeySize(publicKey, HYBRID_PUBLIC_SIZE, 'Ed25519+ML-DSA-65 public key');
  return sha256(KEY_ID_LABEL, publicKey);
}

const LOADERS: Readonly<Record<string, () => Promise<SignatureScheme>>> = {
  [ED25519.name]: async () => ED25519,
  [ML_DSA_65.name]: async () => ML_DSA_65,
  [HYBRID.name]: async () => HYBRID,
  'Falcon-1024': async () => (await import('./falcon.ts')).FALCON_1024,
  'SLH-DSA-SHAKE-128f': async () => (await import('./slhdsa.ts')).SLH_DSA_SHAKE_128F,
  'SLH-DSA-SHAKE-256f': async () => (await import('./slhdsa.ts')).SLH_DSA_SHAKE_256F,
};

/** InvalidParameter for a name that is not in the table of docs/spec/crypto.md. */
export async function schemeByName(name: string): Promise<SignatureScheme> {
  const load = Object.hasOwn(LOADERS, name) ? LOADERS[name] : undefined;
  if (load === undefined) throw new InvalidParameter('unknown signature scheme name');
  return load();
}
