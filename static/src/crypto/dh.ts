/** X25519 (RFC 7748 section 6.1). A result of all zeros, which a low-order peer key gives, is refused. */

import { x25519 } from '@noble/curves/ed25519.js';
import { checkKeySize, InvalidKey, refusalAs } from './errors.ts';
import { toPkcs8 } from './pkcs8.ts';
import { nativePublic, servedNatively, subtle } from './provider.ts';

export const X25519_SIZE = 32;

export interface DhKey {
  readonly public: Uint8Array;
  /** The 32-byte shared secret; InvalidKey for a peer key of another length or of low order. */
  agree(peer: Uint8Array): Promise<Uint8Array>;
}

const ALGORITHM = { name: 'X25519' };
const USAGES = ['deriveBits'];
const REFUSED = 'X25519: the peer key is of low order';
/** What the library says of an all-zero result, or of a u coordinate that is zero. */
const LIBRARY_REFUSAL = 'invalid private or public key received';

class NativeX25519 implements DhKey {
  readonly public: Uint8Array;
  readonly #key: CryptoKey;

  constructor(key: CryptoKey, publicKey: Uint8Array) {
    this.#key = key;
    this.public = publicKey;
  }

  async agree(peer: Uint8Array): Promise<Uint8Array> {
    checkKeySize(peer, X25519_SIZE, 'X25519 public key');
    const imported = await subtle().importKey('raw', peer, ALGORITHM, false, []);
    return refusalAs(InvalidKey, REFUSED, async () =>
      new Uint8Array(await subtle().deriveBits({ ...ALGORITHM, public: imported }, this.#key, 256)));
  }
}

class PortableX25519 implements DhKey {
  readonly public: Uint8Array;
  readonly #seed: Uint8Array;

  constructor(seed: Uint8Array) {
    this.#seed = seed.slice();
    this.public = x25519.getPublicKey(this.#seed);
  }

  async agree(peer: Uint8Array): Promise<Uint8Array> {
    checkKeySize(peer, X25519_SIZE, 'X25519 public key');
    try {
      return x25519.getSharedSecret(this.#seed, peer);
    } catch (error) {
      if (error instanceof Error && error.message === LIBRARY_REFUSAL) throw new InvalidKey(REFUSED);
      throw error;
    }
  }
}

/** The key of a 32-byte private value. */
export async function x25519PrivateKey(seed: Uint8Array): Promise<DhKey> {
  checkKeySize(seed, X25519_SIZE, 'X25519 private key');
  if (!(await servedNatively('X25519'))) return new PortableX25519(seed);
  return x25519FromCryptoKey(await subtle().importKey('pkcs8', toPkcs8('X25519', seed), ALGORITHM, false, USAGES));
}

/** The key held by the browser as a private CryptoKey of X25519 with usage deriveBits. */
export async function x25519FromCryptoKey(key: CryptoKey): Promise<DhKey> {
  return new NativeX25519(key, await nativePublic(key, []));
}
