/**
 * Long-term private keys in the vault (docs/spec/crypto.md): nonce(12) ‖ AES-256-GCM over PKCS#8 (Ed25519,
 * X25519) or the raw seed (ML-DSA-65, ML-KEM-1024). Where the browser has the algorithm the blob is opened
 * inside it and the page never holds the key's bytes.
 */

import { AES_256_GCM } from './aead.ts';
import { type AgreementKey, joinAgreement } from './agreement.ts';
import { concat, equalBytes } from './bytes.ts';
import { type DhKey, x25519FromCryptoKey, x25519PrivateKey } from './dh.ts';
import { ED25519, ed25519FromCryptoKey } from './ed25519.ts';
import { checkKeySize, checkSize, DecryptionFailed, InvalidKey, InvalidParameter, Unavailable } from './errors.ts';
import { type KemKey, mlkem1024FromCryptoKey, mlkem1024PrivateKey } from './kem.ts';
import { ML_DSA_65, mldsa65FromCryptoKey } from './mldsa65.ts';
import { fromPkcs8, PKCS8_SIZE, toPkcs8 } from './pkcs8.ts';
import { type NativeFormat, type ProbedAlgorithm, servedNatively, subtle } from './provider.ts';
import { joinHybrid, type SigningKey } from './signature.ts';

export type WrappedAlgorithm = Exclude<ProbedAlgorithm, 'ChaCha20-Poly1305'>;

const NONCE_SIZE = AES_256_GCM.nonceSize;

interface Encoding {
  readonly format: NativeFormat;
  /** Bytes of the private encoding. */
  readonly size: number;
  readonly usages: readonly string[];
}

const ENCODINGS: Readonly<Record<WrappedAlgorithm, Encoding>> = {
  Ed25519: { format: 'pkcs8', size: PKCS8_SIZE, usages: ['sign'] },
  X25519: { format: 'pkcs8', size: PKCS8_SIZE, usages: ['deriveBits'] },
  'ML-DSA-65': { format: 'raw-seed', size: 32, usages: ['sign'] },
  'ML-KEM-1024': { format: 'raw-seed', size: 64, usages: ['decapsulateBits'] },
};

/** Something for each half of a hybrid signing key. */
export interface SigningHalves {
  readonly ed: Uint8Array;
  readonly mldsa: Uint8Array;
}

/** Something for each half of a hybrid agreement key. */
export interface AgreementHalves {
  readonly x: Uint8Array;
  readonly kem: Uint8Array;
}

/** What is sealed for a hybrid signing key of ed seed(32) ‖ mldsa seed(32). */
export function encodeSigning(seed: Uint8Array): SigningHalves {
  checkKeySize(seed, 64, 'Ed25519+ML-DSA-65 seed');
  return { ed: toPkcs8('Ed25519', seed.subarray(0, 32)), mldsa: seed.slice(32) };
}

/** What is sealed for a hybrid agreement key of x(32) ‖ kem seed(64). */
export function encodeAgreement(privateKey: Uint8Array): AgreementHalves {
  checkKeySize(privateKey, 96, 'X25519+ML-KEM-1024 private key');
  return { x: toPkcs8('X25519', privateKey.subarray(0, 32)), kem: privateKey.slice(32) };
}

function aesGcm(iv: Uint8Array, ad: Uint8Array): { name: string; iv: Uint8Array; additionalData: Uint8Array } {
  return { name: 'AES-GCM', iv, additionalData: ad };
}

/** nonce ‖ sealed, by an AES-256-GCM key with usage encrypt; the nonce must be fresh for that key. */
export async function sealKeyBlob(wrappingKey: CryptoKey, privateEncoding: Uint8Array, nonce: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  checkSize(nonce, NONCE_SIZE, 'key blob nonce');
  const sealed = await subtle().encrypt(aesGcm(nonce, ad), wrappingKey, privateEncoding);
  return concat(nonce, new Uint8Array(sealed));
}

/** WebCrypto tells an unauthentic blob (OperationError) from an authentic one that holds no such key (DataError). */
async function openedAs<T>(algorithm: WrappedAlgorithm, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    if (error.name === 'OperationError') throw new DecryptionFailed(`${algorithm} key blob: not authentic`);
    if (error.name === 'InvalidAccessError') throw new InvalidParameter('the wrapping key does not allow this use');
    throw new InvalidKey(`${algorithm} key blob: not a key of this kind`);
  }
}

/**
 * The key of one blob as a non-extractable CryptoKey, which IndexedDB can hold; Unavailable where the
 * browser lacks the algorithm. `x25519FromCryptoKey` and its like make it usable.
 */
export async function unwrapCryptoKey(algorithm: WrappedAlgorithm, wrappingKey: CryptoKey, blob: Uint8Array, ad: Uint8Array): Promise<CryptoKey> {
  checkBlobSize(algorithm, blob);
  if (!(await servedNatively(algorithm))) throw new Unavailable(`${algorithm} is not offered by this browser`);
  return unwrapNative(algorithm, wrappingKey, blob, ad);
}

function checkBlobSize(algorithm: WrappedAlgorithm, blob: Uint8Array): void {
  const size = NONCE_SIZE + ENCODINGS[algorithm].size + AES_256_GCM.overhead;
  if (blob.length !== size) throw new DecryptionFailed(`${algorithm} key blob: ${size} bytes expected`);
}

async function unwrapNative(algorithm: WrappedAlgorithm, wrappingKey: CryptoKey, blob: Uint8Array, ad: Uint8Array): Promise<CryptoKey> {
  const { format, usages } = ENCODINGS[algorithm];
  const [nonce, sealed] = [blob.subarray(0, NONCE_SIZE), blob.subarray(NONCE_SIZE)];
  return openedAs(algorithm, () =>
    subtle().unwrapKey(format, sealed, wrappingKey, aesGcm(nonce, ad), { name: algorithm }, false, usages));
}

async function unwrapBytes(algorithm: WrappedAlgorithm, wrappingKey: CryptoKey, blob: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  const [nonce, sealed] = [blob.subarray(0, NONCE_SIZE), blob.subarray(NONCE_SIZE)];
  return new Uint8Array(await openedAs(algorithm, () => subtle().decrypt(aesGcm(nonce, ad), wrappingKey, sealed)));
}

/** Opens a blob by `native` inside the browser where it has the algorithm, by `portable` in the page elsewhere. */
async function unwrap<K>(
  algorithm: WrappedAlgorithm, wrappingKey: CryptoKey, blob: Uint8Array, ad: Uint8Array,
  native: (key: CryptoKey) => Promise<K>, portable: (encoded: Uint8Array) => Promise<K>,
): Promise<K> {
  checkBlobSize(algorithm, blob);
  if (await servedNatively(algorithm)) return native(await unwrapNative(algorithm, wrappingKey, blob, ad));
  const encoded = await unwrapBytes(algorithm, wrappingKey, blob, ad);
  try {
    return await portable(encoded);
  } finally {
    encoded.fill(0);
  }
}

function checkBelongs(found: Uint8Array, expected: Uint8Array, what: string): void {
  if (!equalBytes(found, expected)) throw new InvalidKey(`${what}: the private key has another public key`);
}

/**
 * The hybrid signing key of two blobs; `ad` is the associated data of each, or one for both.
 * DecryptionFailed if a blob is not authentic, InvalidKey if it holds another kind of key or not the
 * private half of `publicKey`.
 */
export async function unwrapSigning(wrappingKey: CryptoKey, blobs: SigningHalves, publicKey: Uint8Array, ad: Uint8Array | SigningHalves): Promise<SigningKey> {
  const { ed: edAd, mldsa: mldsaAd } = ad instanceof Uint8Array ? { ed: ad, mldsa: ad } : ad;
  const ed = await unwrap('Ed25519', wrappingKey, blobs.ed, edAd, ed25519FromCryptoKey,
    (encoded) => ED25519.generate(fromPkcs8('Ed25519', encoded)));
  const mldsa = await unwrap('ML-DSA-65', wrappingKey, blobs.mldsa, mldsaAd, mldsa65FromCryptoKey, ML_DSA_65.generate);
  const key = joinHybrid(ed, mldsa);
  checkBelongs(key.public, publicKey, 'signing key blob');
  return key;
}

/** The hybrid agreement key of two blobs; errors as for unwrapSigning. */
export async function unwrapAgreement(wrappingKey: CryptoKey, blobs: AgreementHalves, publicKey: Uint8Array, ad: Uint8Array | AgreementHalves): Promise<AgreementKey> {
  const { x: xAd, kem: kemAd } = ad instanceof Uint8Array ? { x: ad, kem: ad } : ad;
  const x: DhKey = await unwrap('X25519', wrappingKey, blobs.x, xAd, x25519FromCryptoKey,
    (encoded) => x25519PrivateKey(fromPkcs8('X25519', encoded)));
  const kem: KemKey = await unwrap('ML-KEM-1024', wrappingKey, blobs.kem, kemAd, mlkem1024FromCryptoKey, mlkem1024PrivateKey);
  const key = joinAgreement(x, kem);
  checkBelongs(key.public, publicKey, 'agreement key blob');
  return key;
}
