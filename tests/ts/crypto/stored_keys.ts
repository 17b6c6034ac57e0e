/** Private keys that the page can use but not read: made, kept in IndexedDB, used after a reload. Runs in a browser. */

import { joinAgreement, importAgreementKey, splitPublic } from '../../../static/src/crypto/agreement.ts';
import { utf8 } from '../../../static/src/crypto/bytes.ts';
import { x25519FromCryptoKey } from '../../../static/src/crypto/dh.ts';
import { ed25519FromCryptoKey } from '../../../static/src/crypto/ed25519.ts';
import { encodeAgreement, encodeSigning, sealKeyBlob, unwrapAgreement, unwrapCryptoKey, unwrapSigning, type WrappedAlgorithm } from '../../../static/src/crypto/keyblob.ts';
import { mlkem1024Encapsulate, mlkem1024FromCryptoKey } from '../../../static/src/crypto/kem.ts';
import { mldsa65FromCryptoKey } from '../../../static/src/crypto/mldsa65.ts';
import { useProvider } from '../../../static/src/crypto/provider.ts';
import { systemRandom } from '../../../static/src/crypto/random.ts';
import { HYBRID, importSigningKey, joinHybrid } from '../../../static/src/crypto/signature.ts';
import { newWrappingKey } from './interop.ts';
import { expect, expectBytes } from './vectors/reader.ts';

interface Stored {
  readonly wrapping: CryptoKey;
  readonly ed: CryptoKey;
  readonly mldsa: CryptoKey;
  readonly x: CryptoKey;
  readonly kem: CryptoKey;
  readonly signingPublic: Uint8Array;
  readonly agreementPublic: Uint8Array;
}

const AD = utf8('owner');

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('keys', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('keys');
  return settled(request);
}

async function expectUnreadable(key: CryptoKey): Promise<void> {
  expect(!key.extractable, `${key.algorithm.name}: non-extractable`);
  if (key.algorithm.name === 'HKDF') return;
  for (const format of ['pkcs8', 'jwk', 'raw', 'raw-seed', 'raw-secret']) {
    let refused = false;
    try {
      await crypto.subtle.exportKey(format as 'jwk', key);
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      refused = true;
    }
    expect(refused, `${key.algorithm.name} as ${format}: must not be readable`);
  }
}

/** Makes four private CryptoKeys out of blobs, tries to read them, and keeps them. */
export async function storeKeys(): Promise<void> {
  useProvider('native');
  const [wrapping, seed, privateKey] = [await newWrappingKey(), systemRandom(64), systemRandom(96)];
  const unwrapped = async (algorithm: WrappedAlgorithm, encoding: Uint8Array): Promise<CryptoKey> =>
    unwrapCryptoKey(algorithm, wrapping, await sealKeyBlob(wrapping, encoding, systemRandom(12), AD), AD);
  const [signing, agreement] = [encodeSigning(seed), encodeAgreement(privateKey)];
  const stored: Stored = {
    wrapping,
    ed: await unwrapped('Ed25519', signing.ed),
    mldsa: await unwrapped('ML-DSA-65', signing.mldsa),
    x: await unwrapped('X25519', agreement.x),
    kem: await unwrapped('ML-KEM-1024', agreement.kem),
    signingPublic: (await importSigningKey(seed)).public,
    agreementPublic: (await importAgreementKey(privateKey)).public,
  };
  for (const key of [stored.wrapping, stored.ed, stored.mldsa, stored.x, stored.kem]) await expectUnreadable(key);
  const database = await openDatabase();
  await settled(database.transaction('keys', 'readwrite').objectStore('keys').put(stored, 'mine'));
  database.close();
}

/** After a reload: the keys that come back are unreadable still, and do what they did. */
export async function useStoredKeys(): Promise<void> {
  useProvider('native');
  const database = await openDatabase();
  const stored = (await settled(database.transaction('keys').objectStore('keys').get('mine'))) as Stored;
  database.close();
  for (const key of [stored.wrapping, stored.ed, stored.mldsa, stored.x, stored.kem]) await expectUnreadable(key);
  const signing = joinHybrid(await ed25519FromCryptoKey(stored.ed), await mldsa65FromCryptoKey(stored.mldsa));
  expectBytes(signing.public, stored.signingPublic, 'signing public key');
  await HYBRID.verify(stored.signingPublic, AD, await signing.sign(AD, AD), AD);
  const agreement = joinAgreement(await x25519FromCryptoKey(stored.x), await mlkem1024FromCryptoKey(stored.kem));
  expectBytes(agreement.public, stored.agreementPublic, 'agreement public key');
  const { ciphertext, secret } = mlkem1024Encapsulate(splitPublic(stored.agreementPublic).kem, systemRandom(32));
  expectBytes(await agreement.decapsulate(ciphertext), secret, 'secret');
  const peer = await importAgreementKey(systemRandom(96));
  expectBytes(await agreement.dh(splitPublic(peer.public).x), await peer.dh(splitPublic(agreement.public).x), 'shared secret');
  await sealKeyBlob(stored.wrapping, encodeSigning(systemRandom(64)).ed, systemRandom(12), AD);
}

const WATCHED = ['importKey', 'unwrapKey', 'deriveKey', 'generateKey'] as const;

/** Every private or secret key that the product makes on any of its ways, as 'algorithm extractable'. */
export async function watchMadeKeys(): Promise<string[]> {
  useProvider('native');
  const made: string[] = [];
  const prototype = SubtleCrypto.prototype as unknown as Record<string, (...parameters: unknown[]) => Promise<CryptoKey>>;
  const originals = WATCHED.map((name) => [name, prototype[name]!] as const);
  for (const [name, original] of originals) {
    prototype[name] = async function (this: SubtleCrypto, ...parameters: unknown[]): Promise<CryptoKey> {
      const key = await original.apply(this, parameters);
      if (key.type !== 'public') made.push(`${key.algorithm.name} ${key.extractable}`);
      return key;
    };
  }
  try {
    await makeOneOfEach();
  } finally {
    for (const [name, original] of originals) prototype[name] = original;
  }
  return [...new Set(made)].sort();
}

async function makeOneOfEach(): Promise<void> {
  const [wrapping, seed, privateKey] = [await newWrappingKey(), systemRandom(64), systemRandom(96)];
  const seal = (bytes: Uint8Array): Promise<Uint8Array> => sealKeyBlob(wrapping, bytes, systemRandom(12), AD);
  const [signing, agreement] = [encodeSigning(seed), encodeAgreement(privateKey)];
  const signingPublic = (await importSigningKey(seed)).public;
  const agreementPublic = (await importAgreementKey(privateKey)).public;
  await unwrapSigning(wrapping, { ed: await seal(signing.ed), mldsa: await seal(signing.mldsa) }, signingPublic, AD);
  await unwrapAgreement(wrapping, { x: await seal(agreement.x), kem: await seal(agreement.kem) }, agreementPublic, AD);
}
