/** The shape that every signature scheme has (docs/spec/crypto.md). */

import { InvalidParameter } from './errors.ts';
import type { RandomBytes } from './random.ts';

export interface SigningKey {
  readonly public: Uint8Array;
  sign(message: Uint8Array, context?: Uint8Array): Promise<Uint8Array>;
}

export interface SignatureScheme {
  readonly name: string;
  readonly publicSize: number;
  /** Bytes of the private key as it is stored. */
  readonly seedSize: number;
  /** The key of this seed; InvalidKey if it is malformed. */
  generate(seed: Uint8Array): Promise<SigningKey>;
  /** Resolves if the signature verifies; InvalidSignature if not, malformed keys and lengths included. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array, context?: Uint8Array): Promise<void>;
}

export const NO_CONTEXT = new Uint8Array(0);
const MAX_CONTEXT_SIZE = 255;

/** FIPS 204 and FIPS 205 contexts have at most 255 bytes. */
export function checkContext(context: Uint8Array): void {
  if (context.length > MAX_CONTEXT_SIZE) throw new InvalidParameter('context: at most 255 bytes expected');
}

/** A scheme whose private keys are stored expanded: `generate` takes the stored form, `seedSize` is its size. */
export interface StoredKeyScheme extends SignatureScheme {
  /** A fresh private key in its stored form. */
  newPrivate(random: RandomBytes): Promise<Uint8Array>;
}
