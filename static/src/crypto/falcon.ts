/**
 * Falcon-1024 as submitted to NIST's third round (not final FN-DSA), detached signatures of variable
 * length: header 0x3a ‖ nonce(40) ‖ compressed s, without zero padding. It takes no context. Key generation
 * uses floating point, so private(2305) ‖ public(1793) and not a seed is stored. Load this module with `import()`.
 */

import { falcon1024 } from '@noble/post-quantum/falcon.js';
import { concat, equalBytes } from './bytes.ts';
import { checkKeySize, InvalidKey, InvalidParameter, InvalidSignature } from './errors.ts';
import { NO_CONTEXT, type SigningKey, type StoredKeyScheme } from './scheme.ts';

const PUBLIC_SIZE = 1793;
const PRIVATE_SIZE = 2305;
const STORED_SIZE = PRIVATE_SIZE + PUBLIC_SIZE;
const GENERATOR_SEED_SIZE = 48;
const MIN_SIGNATURE_SIZE = 42;
const MAX_SIGNATURE_SIZE = 1462;
/** First bytes: format in the high nibble, log2 of the degree in the low one (round 3, sections 3.11.3 to 3.11.5). */
const PUBLIC_HEADER = 0x0a;
const SIGNATURE_HEADER = 0x3a;

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

/** Every coefficient ends in a 1 bit (section 3.11.2): a last byte of 0 is padding, a second spelling. */
function isUnpadded(signature: Uint8Array): boolean {
  return signature.length >= MIN_SIGNATURE_SIZE
    && signature.length <= MAX_SIGNATURE_SIZE
    && signature[0] === SIGNATURE_HEADER
    && signature.at(-1) !== 0;
}

export const FALCON_1024: StoredKeyScheme = {
  name: 'Falcon-1024',
  publicSize: PUBLIC_SIZE,
  seedSize: STORED_SIZE,
  async newPrivate(random) {
    const { secretKey, publicKey } = falcon1024.keygen(random(GENERATOR_SEED_SIZE));
    return concat(secretKey, publicKey);
  },
  async generate(stored) {
    checkKeySize(stored, STORED_SIZE, 'Falcon-1024 private key');
    const secretKey = stored.slice(0, PRIVATE_SIZE);
    const publicKey = publicOf(secretKey);
    if (!equalBytes(publicKey, stored.subarray(PRIVATE_SIZE))) {
      throw new InvalidKey('Falcon-1024 private key: the halves do not belong together');
    }
    return new FalconKey(secretKey, publicKey);
  },
  async verify(publicKey, message, signature, context = NO_CONTEXT) {
    checkNoContext(context);
    const valid = publicKey.length === PUBLIC_SIZE
      && publicKey[0] === PUBLIC_HEADER
      && isUnpadded(signature)
      && falcon1024.verify(signature, message, publicKey);
    if (!valid) throw new InvalidSignature('Falcon-1024: the signature does not verify');
  },
};
