/** What can go wrong in cryptography (docs/spec/crypto.md, "Refusals"). No message carries secret data. */

export class CryptoError extends Error {
  override get name(): string {
    return 'CryptoError';
  }
}

/** A key has the wrong length, a refused encoding, or does not belong to what it is used with. */
export class InvalidKey extends CryptoError {
  override get name(): string {
    return 'InvalidKey';
  }
}

/** A signature does not verify. */
export class InvalidSignature extends CryptoError {
  override get name(): string {
    return 'InvalidSignature';
  }
}

/** A ciphertext is not authentic under the given key, nonce and associated data. */
export class DecryptionFailed extends CryptoError {
  override get name(): string {
    return 'DecryptionFailed';
  }
}

/** A nonce, context, length or name is outside what the algorithm takes. */
export class InvalidParameter extends CryptoError {
  override get name(): string {
    return 'InvalidParameter';
  }
}

/** The algorithm is not offered by this platform or provider. */
export class Unavailable extends CryptoError {
  override get name(): string {
    return 'Unavailable';
  }
}

/** Throws InvalidKey unless `key` has exactly `size` bytes. */
export function checkKeySize(key: Uint8Array, size: number, what: string): void {
  if (key.length !== size) throw new InvalidKey(`${what}: ${size} bytes expected`);
}

/** Throws InvalidParameter unless `value` has exactly `size` bytes. */
export function checkSize(value: Uint8Array, size: number, what: string): void {
  if (value.length !== size) throw new InvalidParameter(`${what}: ${size} bytes expected`);
}

/**
 * Runs a step of WebCrypto and turns its refusal (a DOMException) into a typed error.
 * Anything else is a fault of this program and passes through unchanged.
 */
export async function refusalAs<T>(
  Kind: new (message: string) => CryptoError,
  message: string,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof DOMException) throw new Kind(message);
    throw error;
  }
}
