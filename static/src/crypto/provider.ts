/**
 * Which implementation serves an algorithm: the browser's own (native) or the bundled one (portable).
 * The browser is asked once, algorithm by algorithm, by making a key and using it.
 */

import { Unavailable } from './errors.ts';
import { toPkcs8 } from './pkcs8.ts';

export type ProbedAlgorithm = 'Ed25519' | 'X25519' | 'ML-DSA-65' | 'ML-KEM-1024' | 'ChaCha20-Poly1305';
export type Provider = 'native' | 'portable';
export type NativeFormat = 'pkcs8' | 'raw' | 'raw-public' | 'raw-seed' | 'raw-secret';

interface NativeAlgorithm {
  readonly name: string;
  readonly [parameter: string]: unknown;
}

/**
 * The part of SubtleCrypto that is used here, with the formats and methods of "Modern Algorithms in the
 * Web Cryptography API" that TypeScript's DOM library does not know yet.
 */
export interface NativeSubtle {
  importKey(format: NativeFormat, data: Uint8Array, algorithm: NativeAlgorithm, extractable: boolean, usages: readonly string[]): Promise<CryptoKey>;
  exportKey(format: NativeFormat, key: CryptoKey): Promise<ArrayBuffer>;
  unwrapKey(format: NativeFormat, wrapped: Uint8Array, wrapping: CryptoKey, wrapAlgorithm: NativeAlgorithm, algorithm: NativeAlgorithm, extractable: boolean, usages: readonly string[]): Promise<CryptoKey>;
  getPublicKey(key: CryptoKey, usages: readonly string[]): Promise<CryptoKey>;
  sign(algorithm: NativeAlgorithm, key: CryptoKey, data: Uint8Array): Promise<ArrayBuffer>;
  verify(algorithm: NativeAlgorithm, key: CryptoKey, signature: Uint8Array, data: Uint8Array): Promise<boolean>;
  encrypt(algorithm: NativeAlgorithm, key: CryptoKey, data: Uint8Array): Promise<ArrayBuffer>;
  decrypt(algorithm: NativeAlgorithm, key: CryptoKey, data: Uint8Array): Promise<ArrayBuffer>;
  deriveBits(algorithm: NativeAlgorithm, key: CryptoKey, bits: number): Promise<ArrayBuffer>;
  deriveKey(algorithm: NativeAlgorithm, key: CryptoKey, derived: NativeAlgorithm, extractable: boolean, usages: readonly string[]): Promise<CryptoKey>;
  decapsulateBits(algorithm: NativeAlgorithm, key: CryptoKey, ciphertext: Uint8Array): Promise<ArrayBuffer>;
}

/** WebCrypto of this page or worker; Unavailable outside a secure context. */
export function subtle(): NativeSubtle {
  const found = globalThis.crypto?.subtle;
  if (found === undefined) throw new Unavailable('WebCrypto needs a secure context (https or localhost)');
  return found as unknown as NativeSubtle;
}

const PROBE_SEED = new Uint8Array(32).fill(1);

const PROBES: Readonly<Record<ProbedAlgorithm, (native: NativeSubtle) => Promise<unknown>>> = {
  async Ed25519(native) {
    const key = await native.importKey('pkcs8', toPkcs8('Ed25519', PROBE_SEED), { name: 'Ed25519' }, false, ['sign']);
    await native.getPublicKey(key, ['verify']);
    await native.sign({ name: 'Ed25519' }, key, new Uint8Array(1));
  },
  async X25519(native) {
    const key = await native.importKey('pkcs8', toPkcs8('X25519', PROBE_SEED), { name: 'X25519' }, false, ['deriveBits']);
    const peer = await native.getPublicKey(key, []);
    await native.deriveBits({ name: 'X25519', public: peer }, key, 256);
  },
  async 'ML-DSA-65'(native) {
    const key = await native.importKey('raw-seed', PROBE_SEED, { name: 'ML-DSA-65' }, false, ['sign']);
    await native.getPublicKey(key, ['verify']);
    await native.sign({ name: 'ML-DSA-65', context: new Uint8Array(1) }, key, PROBE_SEED);
  },
  async 'ML-KEM-1024'(native) {
    const seed = new Uint8Array(64).fill(1);
    const key = await native.importKey('raw-seed', seed, { name: 'ML-KEM-1024' }, false, ['decapsulateBits']);
    await native.getPublicKey(key, ['encapsulateBits']);
    await native.decapsulateBits({ name: 'ML-KEM-1024' }, key, new Uint8Array(1568));
  },
  async 'ChaCha20-Poly1305'(native) {
    const name = 'ChaCha20-Poly1305';
    const key = await native.importKey('raw-secret', new Uint8Array(32), { name }, false, ['encrypt']);
    await native.encrypt({ name, iv: new Uint8Array(12), additionalData: new Uint8Array(1) }, key, new Uint8Array(1));
  },
};

let probed: Promise<ReadonlySet<ProbedAlgorithm>> | undefined;
let forced: Provider | undefined;

/** The algorithms that this browser has; asked once, then remembered. */
export function probe(): Promise<ReadonlySet<ProbedAlgorithm>> {
  probed ??= probeAll();
  return probed;
}

async function probeAll(): Promise<ReadonlySet<ProbedAlgorithm>> {
  const native = subtle();
  const names = Object.keys(PROBES) as ProbedAlgorithm[];
  const answers = await Promise.all(names.map((name) => works(() => PROBES[name](native))));
  return new Set(names.filter((_, index) => answers[index]));
}

async function works(step: () => Promise<unknown>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    // A format or an algorithm that the browser lacks is a DOMException or TypeError; a missing method a TypeError.
    if (error instanceof DOMException || error instanceof TypeError) return false;
    throw error;
  }
}

/** Forces one implementation for all algorithms ('auto' returns to the probe's choice). For tests. */
export function useProvider(provider: Provider | 'auto'): void {
  forced = provider === 'auto' ? undefined : provider;
}

/** Whether the browser's own implementation serves `algorithm`; Unavailable if it is forced and missing. */
export async function servedNatively(algorithm: ProbedAlgorithm): Promise<boolean> {
  if (forced === 'portable') return false;
  const present = (await probe()).has(algorithm);
  if (forced === 'native' && !present) throw new Unavailable(`${algorithm} is not offered by this browser`);
  return present;
}

/** The public half of a native private key, as raw bytes. */
export async function nativePublic(key: CryptoKey, usages: readonly string[]): Promise<Uint8Array> {
  const native = subtle();
  return new Uint8Array(await native.exportKey('raw-public', await native.getPublicKey(key, usages)));
}
