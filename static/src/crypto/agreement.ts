/** The hybrid agreement key X25519+ML-KEM-1024: two keys kept together, used separately, never combined here. */

import { concat } from './bytes.ts';
import { type DhKey, X25519_SIZE, x25519PrivateKey } from './dh.ts';
import { checkKeySize } from './errors.ts';
import { checkMlkem1024Public, type KemKey, mlkem1024PrivateKey } from './kem.ts';

export const AGREEMENT_PUBLIC_SIZE = 1600;
export const AGREEMENT_PRIVATE_SIZE = 96;

export interface AgreementKey {
  /** x(32) ‖ kem(1568). */
  readonly public: Uint8Array;
  /** X25519 with the peer's 32-byte key; InvalidKey as for DhKey.agree. */
  dh(peerX: Uint8Array): Promise<Uint8Array>;
  /** ML-KEM-1024; as KemKey.decapsulate. */
  decapsulate(ciphertext: Uint8Array): Promise<Uint8Array>;
}

export interface AgreementPublic {
  readonly x: Uint8Array;
  readonly kem: Uint8Array;
}

class JoinedAgreementKey implements AgreementKey {
  readonly public: Uint8Array;
  readonly #x: DhKey;
  readonly #kem: KemKey;

  constructor(x: DhKey, kem: KemKey) {
    this.public = concat(x.public, kem.public);
    this.#x = x;
    this.#kem = kem;
  }

  dh(peerX: Uint8Array): Promise<Uint8Array> {
    return this.#x.agree(peerX);
  }

  decapsulate(ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#kem.decapsulate(ciphertext);
  }
}

/** One agreement key of its two halves. */
export function joinAgreement(x: DhKey, kem: KemKey): AgreementKey {
  return new JoinedAgreementKey(x, kem);
}

/** The key of x(32) ‖ kem seed(64). */
export async function importAgreementKey(privateKey: Uint8Array): Promise<AgreementKey> {
  checkKeySize(privateKey, AGREEMENT_PRIVATE_SIZE, 'X25519+ML-KEM-1024 private key');
  const x = await x25519PrivateKey(privateKey.subarray(0, X25519_SIZE));
  return joinAgreement(x, await mlkem1024PrivateKey(privateKey.subarray(X25519_SIZE)));
}

/** The halves of a 1600-byte public key, the ML-KEM half checked; InvalidKey otherwise. */
export function splitPublic(publicKey: Uint8Array): AgreementPublic {
  checkKeySize(publicKey, AGREEMENT_PUBLIC_SIZE, 'X25519+ML-KEM-1024 public key');
  const kem = publicKey.slice(X25519_SIZE);
  checkMlkem1024Public(kem);
  return { x: publicKey.slice(0, X25519_SIZE), kem };
}
