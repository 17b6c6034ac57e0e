/** Native and portable must give and take each other's keys, signatures, secrets and blobs. Runs in a browser. */

import { CHACHA20_POLY1305 } from '../../../static/src/crypto/aead.ts';
import { importAgreementKey, splitPublic } from '../../../static/src/crypto/agreement.ts';
import { equalBytes, utf8 } from '../../../static/src/crypto/bytes.ts';
import { x25519PrivateKey } from '../../../static/src/crypto/dh.ts';
import { DecryptionFailed, InvalidSignature } from '../../../static/src/crypto/errors.ts';
import { hkdfSha512 } from '../../../static/src/crypto/kdf.ts';
import { mlkem1024Encapsulate, mlkem1024PrivateKey } from '../../../static/src/crypto/kem.ts';
import { encodeAgreement, encodeSigning, sealKeyBlob, unwrapAgreement, unwrapSigning } from '../../../static/src/crypto/keyblob.ts';
import { type Provider, useProvider } from '../../../static/src/crypto/provider.ts';
import { systemRandom } from '../../../static/src/crypto/random.ts';
import { ED25519, HYBRID, ML_DSA_65, type SignatureScheme } from '../../../static/src/crypto/signature.ts';
import { deriveAesKey, deriveBytes, hkdfBaseKey } from '../../../static/src/crypto/vaultkey.ts';
import { mustRefuse } from './refusals.ts';
import { edgePointVerdicts } from './vectors/others.ts';
import { expect, expectBytes } from './vectors/reader.ts';

const DIRECTIONS: readonly (readonly [Provider, Provider])[] = [['native', 'portable'], ['portable', 'native']];
const CONTEXT = utf8('securemsg/test/1');

async function signedAndVerified(scheme: SignatureScheme, maker: Provider, checker: Provider): Promise<void> {
  const [seed, message] = [systemRandom(scheme.seedSize), systemRandom(1000)];
  const context = scheme === ED25519 ? new Uint8Array(0) : CONTEXT;
  useProvider(maker);
  const key = await scheme.generate(seed);
  const signature = await key.sign(message, context);
  useProvider(checker);
  expectBytes((await scheme.generate(seed)).public, key.public, 'public key');
  await scheme.verify(key.public, message, signature, context);
  signature[signature.length - 40]! ^= 1;
  await mustRefuse(InvalidSignature, scheme.name, () => scheme.verify(key.public, message, signature, context));
}

async function signatures(): Promise<void> {
  for (const [maker, checker] of DIRECTIONS) {
    for (const scheme of [ED25519, ML_DSA_65, HYBRID]) await signedAndVerified(scheme, maker, checker);
  }
}

interface NativeEncapsulation {
  readonly ciphertext: ArrayBuffer;
  readonly sharedKey: ArrayBuffer;
}

/** The browser's encapsulation, which draws its own randomness and which the product does not use. */
async function nativeEncapsulate(publicKey: Uint8Array): Promise<{ ciphertext: Uint8Array; secret: Uint8Array }> {
  const subtle = crypto.subtle as unknown as {
    importKey(...parameters: readonly unknown[]): Promise<CryptoKey>;
    encapsulateBits(algorithm: { name: string }, key: CryptoKey): Promise<NativeEncapsulation>;
  };
  const key = await subtle.importKey('raw-public', publicKey, { name: 'ML-KEM-1024' }, false, ['encapsulateBits']);
  const { ciphertext, sharedKey } = await subtle.encapsulateBits({ name: 'ML-KEM-1024' }, key);
  return { ciphertext: new Uint8Array(ciphertext), secret: new Uint8Array(sharedKey) };
}

async function encapsulations(): Promise<void> {
  const seed = systemRandom(64);
  useProvider('native');
  const native = await mlkem1024PrivateKey(seed);
  useProvider('portable');
  const portable = await mlkem1024PrivateKey(seed);
  expectBytes(native.public, portable.public, 'public key');
  const made = [await nativeEncapsulate(portable.public), mlkem1024Encapsulate(native.public, systemRandom(32))];
  for (const { ciphertext, secret } of made) {
    expectBytes(await native.decapsulate(ciphertext), secret, 'native secret');
    expectBytes(await portable.decapsulate(ciphertext), secret, 'portable secret');
    ciphertext[0]! ^= 1;
    const rejected = await native.decapsulate(ciphertext);
    expect(!equalBytes(rejected, secret), 'an altered ciphertext gives another secret');
    expectBytes(await portable.decapsulate(ciphertext), rejected, 'implicit rejection');
  }
}

async function agreements(): Promise<void> {
  useProvider('native');
  const native = await x25519PrivateKey(systemRandom(32));
  useProvider('portable');
  const portable = await x25519PrivateKey(systemRandom(32));
  expectBytes(await native.agree(portable.public), await portable.agree(native.public), 'shared secret');
}

async function sealedMessages(): Promise<void> {
  const [key, nonce, message] = [systemRandom(32), systemRandom(12), systemRandom(1000)];
  for (const [maker, checker] of DIRECTIONS) {
    useProvider(maker);
    const sealed = await CHACHA20_POLY1305.seal(key, nonce, message, CONTEXT);
    useProvider(checker);
    expectBytes(await CHACHA20_POLY1305.open(key, nonce, sealed, CONTEXT), message, 'plaintext');
    await mustRefuse(DecryptionFailed, 'other data', () => CHACHA20_POLY1305.open(key, nonce, sealed, message));
  }
}

export async function newWrappingKey(): Promise<CryptoKey> {
  const base = await hkdfBaseKey(systemRandom(32));
  return deriveAesKey(base, new Uint8Array(0), CONTEXT, ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']);
}

async function unwrappedBlobs(): Promise<void> {
  const [wrapping, seed, privateKey] = [await newWrappingKey(), systemRandom(64), systemRandom(96)];
  const seal = (bytes: Uint8Array, ad: Uint8Array): Promise<Uint8Array> => sealKeyBlob(wrapping, bytes, systemRandom(12), ad);
  const ads = { ed: utf8('ed'), mldsa: utf8('mldsa'), x: utf8('x'), kem: utf8('kem') };
  const { ed, mldsa } = encodeSigning(seed);
  const signing = { ed: await seal(ed, ads.ed), mldsa: await seal(mldsa, ads.mldsa) };
  const { x, kem } = encodeAgreement(privateKey);
  const agreement = { x: await seal(x, ads.x), kem: await seal(kem, ads.kem) };
  useProvider('portable');
  const signingPublic = (await HYBRID.generate(seed)).public;
  const agreementPublic = (await importAgreementKey(privateKey)).public;
  const { ciphertext, secret } = mlkem1024Encapsulate(splitPublic(agreementPublic).kem, systemRandom(32));
  const peer = await x25519PrivateKey(systemRandom(32));
  const shared: Uint8Array[] = [];
  for (const [maker, checker] of DIRECTIONS) {
    useProvider(maker);
    const signature = await (await unwrapSigning(wrapping, signing, signingPublic, ads)).sign(CONTEXT, CONTEXT);
    const key = await unwrapAgreement(wrapping, agreement, agreementPublic, ads);
    shared.push(await key.dh(peer.public));
    expectBytes(await key.decapsulate(ciphertext), secret, 'secret');
    useProvider(checker);
    await HYBRID.verify(signingPublic, CONTEXT, signature, CONTEXT);
  }
  expectBytes(shared[0], shared[1]!, 'shared secret');
}

async function derivations(): Promise<void> {
  for (const [salt, length] of [[new Uint8Array(0), 32], [systemRandom(32), 100], [systemRandom(200), 16320]] as const) {
    const ikm = systemRandom(32);
    const base = await hkdfBaseKey(ikm);
    expectBytes(await deriveBytes(base, salt, CONTEXT, length), hkdfSha512(ikm, { salt, info: CONTEXT, length }), 'HKDF');
  }
}

export const INTEROP: Readonly<Record<string, () => Promise<void>>> = {
  signatures, encapsulations, agreements, sealedMessages, unwrappedBlobs, derivations,
};

/** The numbers of the edge points on which the two providers differ; none may. */
export async function differingEdgePoints(data: unknown): Promise<number[]> {
  useProvider('native');
  const native = await edgePointVerdicts(data);
  useProvider('portable');
  const portable = await edgePointVerdicts(data);
  return [...native.keys()].filter((number) => native.get(number) !== portable.get(number));
}
