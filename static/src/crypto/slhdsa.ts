/**
 * SLH-DSA-SHAKE-128f and -256f (FIPS 205), pure, with the caller's context. Signing takes seconds: call it
 * in a worker. Load this module with `import()`.
 */

import { slh_dsa_shake_128f, slh_dsa_shake_256f, type SphincsSigner } from '@noble/post-quantum/slh-dsa.js';
import { equalBytes } from './bytes.ts';
import { checkKeySize, InvalidKey, InvalidSignature } from './errors.ts';
import { checkContext, NO_CONTEXT, type SigningKey, type StoredKeyScheme } from './scheme.ts';

class SlhDsaKey implements SigningKey {
  readonly public: Uint8Array;
  readonly #signer: SphincsSigner;
  readonly #secretKey: Uint8Array;

  constructor(signer: SphincsSigner, secretKey: Uint8Array, publicKey: Uint8Array) {
    this.#signer = signer;
    this.#secretKey = secretKey;
    this.public = publicKey;
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkContext(context);
    return this.#signer.sign(message, this.#secretKey, { context });
  }
}

/**
 * `n` is the security parameter of FIPS 205 table 2. The private key is stored as section 9.1 encodes it:
 * SK.seed ‖ SK.prf ‖ PK.seed ‖ PK.root.
 */
function slhDsa(name: string, n: number, signatureSize: number, signer: SphincsSigner): StoredKeyScheme {
  return {
    name,
    publicSize: 2 * n,
    seedSize: 4 * n,
    async newPrivate(random) {
      return signer.keygen(random(3 * n)).secretKey;
    },
    async generate(stored) {
      checkKeySize(stored, 4 * n, `${name} private key`);
      // Signing under a false PK.root would leak one-time keys, so the root is computed again.
      const { secretKey, publicKey } = signer.keygen(stored.slice(0, 3 * n));
      if (!equalBytes(secretKey, stored)) throw new InvalidKey(`${name} private key: PK.root does not belong to it`);
      return new SlhDsaKey(signer, secretKey, publicKey);
    },
    async verify(publicKey, message, signature, context = NO_CONTEXT) {
      checkContext(context);
      const valid = publicKey.length === 2 * n
        && signature.length === signatureSize
        && signer.verify(signature, message, publicKey, { context });
      if (!valid) throw new InvalidSignature(`${name}: the signature does not verify`);
    },
  };
}

export const SLH_DSA_SHAKE_128F = slhDsa('SLH-DSA-SHAKE-128f', 16, 17088, slh_dsa_shake_128f);
export const SLH_DSA_SHAKE_256F = slhDsa('SLH-DSA-SHAKE-256f', 32, 49856, slh_dsa_shake_256f);
