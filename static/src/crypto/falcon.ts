/**
 * Falcon-1024 as submitted to NIST's third round (not final FN-DSA), detached signatures of variable
 * length: header 0x3a ‖ nonce(40) ‖ compressed s. It takes no context. Key generation uses floating
 * point, so the private key and not the seed is what is stored. Load this module with `import()`.
 */

import { falcon1024 } from '@noble/post-quantum/falcon.js';
import { checkKeySize, InvalidKey, InvalidParameter, InvalidSignature } from './errors.ts';
import { NO_CONTEXT, type SigningKey, type StoredKeyScheme } from './scheme.ts';

const PUBLIC_SIZE = 1793;
const PRIVATE_SIZE = 2305;
const SEED_SIZE = 48;
const MAX_SIGNATURE_SIZE = 1462;

function checkNoContext(context: Uint8Array): void {
  if (context.length !== 0) throw new InvalidParameter('Falcon-1024 takes no context');
}

class FalconKey implements SigningKey {
  readonly public: Uint8Array;
  readonly #secretKey: Uint8Array;

  constructor(secretKey: Uint8Array, publicKey: Uint8Array) {
    this.#secretKey = secretKey;
    this.public = publicKey;
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkNoContext(context);
    return falcon1024.sign(message, this.#secretKey);
  }
}

function publicOf(privateKey: Uint8Array): Uint8Array {
  try {
    return falcon1024.getPublicKey(privateKey);
  } catch (error) {
    if (error instanceof Error) throw new InvalidKey('Falcon-1024 private key: malformed');
    throw error;
  }
}

export const FALCON_1024: StoredKeyScheme = {
  name: 'Falcon-1024',
  publicSize: PUBLIC_SIZE,
  seedSize: SEED_SIZE,
  privateSize: PRIVATE_SIZE,
  async expand(seed) {
    checkKeySize(seed, SEED_SIZE, 'Falcon-1024 seed');
    return falcon1024.keygen(seed).secretKey;
  },
  async importPrivate(privateKey) {
    checkKeySize(privateKey, PRIVATE_SIZE, 'Falcon-1024 private key');
    return new FalconKey(privateKey.slice(), publicOf(privateKey));
  },
  async generate(seed) {
    checkKeySize(seed, SEED_SIZE, 'Falcon-1024 seed');
    const { secretKey, publicKey } = falcon1024.keygen(seed);
    return new FalconKey(secretKey, publicKey);
  },
  async verify(publicKey, message, signature, context = NO_CONTEXT) {
    checkNoContext(context);
    const valid = publicKey.length === PUBLIC_SIZE
      && signature.length <= MAX_SIGNATURE_SIZE
      && falcon1024.verify(signature, message, publicKey);
    if (!valid) throw new InvalidSignature('Falcon-1024: the signature does not verify');
  },
};
