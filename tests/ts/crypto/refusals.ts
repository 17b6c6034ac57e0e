/**
 * Attack 7: the network or the server sends low-order points, non-reduced KEM keys, wrong lengths.
 * The checks run with whichever provider is chosen: portable under node, native in the browser.
 */

import { AES_256_GCM, AES_XCHACHA, CHACHA20_POLY1305, XCHACHA20_POLY1305 } from '../../../static/src/crypto/aead.ts';
import { AGREEMENT_PRIVATE_SIZE, importAgreementKey, splitPublic } from '../../../static/src/crypto/agreement.ts';
import { concat, fromHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { x25519PrivateKey } from '../../../static/src/crypto/dh.ts';
import { DecryptionFailed, InvalidKey, InvalidParameter, InvalidSignature } from '../../../static/src/crypto/errors.ts';
import { encodeAgreement, encodeSigning, sealKeyBlob, unwrapAgreement, unwrapSigning } from '../../../static/src/crypto/keyblob.ts';
import { checkMlkem1024Public, mlkem1024Encapsulate, mlkem1024PrivateKey } from '../../../static/src/crypto/kem.ts';
import { ED25519, HYBRID, hybridKeyId, importSigningKey, ML_DSA_65, type SignatureScheme } from '../../../static/src/crypto/signature.ts';
import { deriveAesKey, hkdfBaseKey } from '../../../static/src/crypto/vaultkey.ts';
import { expect } from './vectors/reader.ts';

type Kind = new (message: string) => Error;

/** Fails unless the step throws exactly this kind of error. */
export async function mustRefuse(Kind: Kind, what: string, step: () => unknown): Promise<void> {
  let thrown: unknown;
  try {
    await step();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) throw new Error(`${what}: accepted`);
  if (!(thrown instanceof Kind)) throw new Error(`${what}: refused as ${String(thrown)}`, { cause: thrown });
}

/** The u coordinates of RFC 7748 section 6.1's warning, non-canonical spellings included. */
const LOW_ORDER_U = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

function withHighBit(u: Uint8Array): Uint8Array {
  const twin = u.slice();
  twin[31]! |= 0x80;
  return twin;
}

async function lowOrderX25519Points(): Promise<void> {
  const key = await x25519PrivateKey(new Uint8Array(32).fill(7));
  const agreement = await importAgreementKey(new Uint8Array(AGREEMENT_PRIVATE_SIZE).fill(9));
  for (const text of LOW_ORDER_U) {
    for (const peer of [fromHex(text), withHighBit(fromHex(text))]) {
      await mustRefuse(InvalidKey, `X25519 ${text}`, () => key.agree(peer));
      await mustRefuse(InvalidKey, `agreement ${text}`, () => agreement.dh(peer));
    }
  }
}

/** Sets the 12-bit coefficient `index` (FIPS 203 section 4.2.1, ByteEncode12). */
function withCoefficient(publicKey: Uint8Array, index: number, value: number): Uint8Array {
  const changed = publicKey.slice();
  const at = 3 * (index >> 1);
  if (index % 2 === 0) {
    changed[at] = value & 0xff;
    changed[at + 1] = (changed[at + 1]! & 0xf0) | (value >> 8);
  } else {
    changed[at + 1] = (changed[at + 1]! & 0x0f) | ((value & 15) << 4);
    changed[at + 2] = value >> 4;
  }
  return changed;
}

async function nonReducedKemKeys(): Promise<void> {
  const { public: publicKey } = await mlkem1024PrivateKey(new Uint8Array(64).fill(3));
  for (let index = 0; index < 1024; index++) {
    checkMlkem1024Public(withCoefficient(publicKey, index, 3328));
    for (const value of [3329, 4095]) {
      await mustRefuse(InvalidKey, `coefficient ${index}`, () => checkMlkem1024Public(withCoefficient(publicKey, index, value)));
    }
  }
  const bad = withCoefficient(publicKey, 1023, 3329);
  await mustRefuse(InvalidKey, 'split', () => splitPublic(concat(new Uint8Array(32), bad)));
  await mustRefuse(InvalidKey, 'encapsulation', () => mlkem1024Encapsulate(bad, new Uint8Array(32)));
}

async function wrongLengthsOfKeys(): Promise<void> {
  const lengths: readonly [string, number, (key: Uint8Array) => unknown][] = [
    ['X25519 private', 32, x25519PrivateKey],
    ['ML-KEM-1024 seed', 64, mlkem1024PrivateKey],
    ['agreement private', 96, importAgreementKey],
    ['agreement public', 1600, splitPublic],
    ['hybrid seed', 64, importSigningKey],
    ['Ed25519 seed', 32, ED25519.generate],
    ['ML-DSA-65 seed', 32, ML_DSA_65.generate],
    ['ML-KEM-1024 public', 1568, (key) => mlkem1024Encapsulate(key, new Uint8Array(32))],
    ['hybrid public', 1984, hybridKeyId],
  ];
  for (const [what, size, use] of lengths) {
    await use(new Uint8Array(size));
    for (const wrong of [0, size - 1, size + 1, 2 * size]) {
      await mustRefuse(InvalidKey, `${what}, ${wrong} bytes`, () => use(new Uint8Array(wrong)));
    }
  }
  const key = await x25519PrivateKey(new Uint8Array(32).fill(7));
  for (const wrong of [0, 31, 33]) await mustRefuse(InvalidKey, 'X25519 peer', () => key.agree(new Uint8Array(wrong).fill(9)));
}

async function wrongLengthsOfCiphertexts(): Promise<void> {
  const key = await mlkem1024PrivateKey(new Uint8Array(64).fill(3));
  for (const wrong of [0, 1567, 1569]) await mustRefuse(DecryptionFailed, 'KEM ciphertext', () => key.decapsulate(new Uint8Array(wrong)));
  for (const wrong of [0, 31, 33]) await mustRefuse(InvalidParameter, 'KEM randomness', () => mlkem1024Encapsulate(key.public, new Uint8Array(wrong)));
  const none = new Uint8Array(0);
  for (const aead of [AES_256_GCM, CHACHA20_POLY1305, XCHACHA20_POLY1305, AES_XCHACHA]) {
    const [k, n] = [new Uint8Array(aead.keySize), new Uint8Array(aead.nonceSize)];
    for (let size = 0; size < aead.overhead; size++) {
      await mustRefuse(DecryptionFailed, aead.name, () => aead.open(k, n, new Uint8Array(size), none));
    }
    for (const off of [-1, 1]) {
      await mustRefuse(InvalidKey, `${aead.name} key`, () => aead.seal(new Uint8Array(aead.keySize + off), n, none, none));
      await mustRefuse(InvalidParameter, `${aead.name} nonce`, () => aead.seal(k, new Uint8Array(aead.nonceSize + off), none, none));
    }
  }
}

/** Every single-bit flip of sealed bytes, nonce and associated data. */
async function alteredCiphertexts(): Promise<void> {
  const [plaintext, ad] = [utf8('secret'), utf8('context')];
  for (const aead of [AES_256_GCM, CHACHA20_POLY1305, XCHACHA20_POLY1305, AES_XCHACHA]) {
    const [key, nonce] = [new Uint8Array(aead.keySize).fill(1), new Uint8Array(aead.nonceSize).fill(2)];
    const sealed = await aead.seal(key, nonce, plaintext, ad);
    for (const [what, bytes] of [['sealed', sealed], ['nonce', nonce], ['ad', ad]] as const) {
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        await mustRefuse(DecryptionFailed, `${aead.name} ${what} bit ${bit}`, () => aead.open(key, nonce, sealed, ad));
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
    await aead.open(key, nonce, sealed, ad);
  }
}

async function wrongLengthsOfSignatures(): Promise<void> {
  const message = utf8('message');
  const schemes: readonly [SignatureScheme, number][] = [[ED25519, 32], [ML_DSA_65, 32], [HYBRID, 64]];
  for (const [scheme, seedSize] of schemes) {
    const key = await scheme.generate(new Uint8Array(seedSize).fill(5));
    const signature = await key.sign(message);
    await scheme.verify(key.public, message, signature);
    for (const wrong of [signature.slice(0, -1), concat(signature, Uint8Array.of(0)), new Uint8Array(0)]) {
      await mustRefuse(InvalidSignature, `${scheme.name} signature`, () => scheme.verify(key.public, message, wrong));
    }
    for (const wrong of [key.public.slice(0, -1), concat(key.public, Uint8Array.of(0)), new Uint8Array(0)]) {
      await mustRefuse(InvalidSignature, `${scheme.name} public`, () => scheme.verify(wrong, message, signature));
    }
  }
}

/** Each half of a hybrid signature alone is worth nothing, and neither half may be swapped for another key's. */
async function halvesOfHybridSignatures(): Promise<void> {
  const [message, context] = [utf8('message'), utf8('context')];
  const key = await importSigningKey(new Uint8Array(64).fill(5));
  const other = await importSigningKey(new Uint8Array(64).fill(6));
  const [mine, theirs] = [await key.sign(message, context), await other.sign(message, context)];
  await HYBRID.verify(key.public, message, mine, context);
  const forged = [
    concat(mine.slice(0, 64), theirs.slice(64)),
    concat(theirs.slice(0, 64), mine.slice(64)),
    concat(mine.slice(0, 64), new Uint8Array(3309)),
    concat(new Uint8Array(64), mine.slice(64)),
  ];
  for (const signature of forged) {
    await mustRefuse(InvalidSignature, 'half a signature', () => HYBRID.verify(key.public, message, signature, context));
  }
  await mustRefuse(InvalidSignature, 'another context', () => HYBRID.verify(key.public, message, mine, utf8('contexu')));
  await mustRefuse(InvalidParameter, 'a long context', () => key.sign(message, new Uint8Array(256)));
  await mustRefuse(InvalidParameter, 'a long context', () => HYBRID.verify(key.public, message, mine, new Uint8Array(256)));
}

const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian32(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

async function malleableEd25519(): Promise<void> {
  const message = utf8('message');
  const key = await ED25519.generate(new Uint8Array(32).fill(5));
  const signature = await key.sign(message);
  const s = signature.slice(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  await mustRefuse(InvalidSignature, 's + L', () => ED25519.verify(key.public, message, concat(signature.slice(0, 32), littleEndian32(s + L))));
  await mustRefuse(InvalidParameter, 'a context', () => ED25519.verify(key.public, message, signature, Uint8Array.of(1)));
  // With A of order 1 and R = [s]B every message would verify.
  const identity = littleEndian32(1n);
  await mustRefuse(InvalidSignature, 'small order', () => ED25519.verify(identity, message, concat(identity, new Uint8Array(32))));
}

async function wrappingKey(): Promise<CryptoKey> {
  const base = await hkdfBaseKey(new Uint8Array(32).fill(4));
  return deriveAesKey(base, new Uint8Array(0), utf8('test'), ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']);
}

async function alteredKeyBlobs(): Promise<void> {
  const [wrapping, ad, seed] = [await wrappingKey(), utf8('owner'), new Uint8Array(64).fill(5)];
  const encodings = encodeSigning(seed);
  const publicKey = (await importSigningKey(seed)).public;
  const seal = (bytes: Uint8Array, fill: number): Promise<Uint8Array> => sealKeyBlob(wrapping, bytes, new Uint8Array(12).fill(fill), ad);
  const [ed, mldsa] = [await seal(encodings.ed, 1), await seal(encodings.mldsa, 2)];
  await unwrapSigning(wrapping, { ed, mldsa }, publicKey, ad);
  for (let at = 0; at < ed.length; at++) {
    const changed = ed.slice();
    changed[at]! ^= 1;
    await mustRefuse(DecryptionFailed, `blob byte ${at}`, () => unwrapSigning(wrapping, { ed: changed, mldsa }, publicKey, ad));
  }
  await mustRefuse(DecryptionFailed, 'other data', () => unwrapSigning(wrapping, { ed, mldsa }, publicKey, utf8('other')));
  await mustRefuse(DecryptionFailed, 'a longer blob', async () => unwrapSigning(wrapping, { ed: await seal(concat(encodings.ed, Uint8Array.of(0)), 3), mldsa }, publicKey, ad));
  await mustRefuse(DecryptionFailed, 'swapped blobs', () => unwrapSigning(wrapping, { ed: mldsa, mldsa: ed }, publicKey, ad));
  const other = (await importSigningKey(new Uint8Array(64).fill(6))).public;
  await mustRefuse(InvalidKey, 'another public key', () => unwrapSigning(wrapping, { ed, mldsa }, other, ad));
}

/** An X25519 key has the same size as an Ed25519 key and must not be taken for one. */
async function keyBlobsOfAnotherKind(): Promise<void> {
  const [wrapping, ad] = [await wrappingKey(), utf8('owner')];
  const [seed, privateKey] = [new Uint8Array(64).fill(5), new Uint8Array(96).fill(5)];
  const seal = (bytes: Uint8Array, fill: number): Promise<Uint8Array> => sealKeyBlob(wrapping, bytes, new Uint8Array(12).fill(fill), ad);
  const [signing, agreement] = [encodeSigning(seed), encodeAgreement(privateKey)];
  const x = await seal(agreement.x, 1);
  const ed = await seal(signing.ed, 2);
  const [mldsa, kem] = [await seal(signing.mldsa, 3), await seal(agreement.kem, 4)];
  const [signingPublic, agreementPublic] = [(await importSigningKey(seed)).public, (await importAgreementKey(privateKey)).public];
  await mustRefuse(InvalidKey, 'X25519 as Ed25519', () => unwrapSigning(wrapping, { ed: x, mldsa }, signingPublic, ad));
  await mustRefuse(InvalidKey, 'Ed25519 as X25519', () => unwrapAgreement(wrapping, { x: ed, kem }, agreementPublic, ad));
  const key = await unwrapAgreement(wrapping, { x, kem }, agreementPublic, ad);
  expect(key.public.length === 1600, 'the right blobs open');
}

export const REFUSALS: Readonly<Record<string, () => Promise<void>>> = {
  attack_07_low_order_x25519_points: lowOrderX25519Points,
  attack_07_non_reduced_kem_keys: nonReducedKemKeys,
  attack_07_wrong_lengths_of_keys: wrongLengthsOfKeys,
  attack_07_wrong_lengths_of_ciphertexts: wrongLengthsOfCiphertexts,
  attack_07_altered_ciphertexts: alteredCiphertexts,
  attack_07_wrong_lengths_of_signatures: wrongLengthsOfSignatures,
  attack_07_malleable_ed25519: malleableEd25519,
  attack_03_halves_of_hybrid_signatures: halvesOfHybridSignatures,
  attack_15_altered_key_blobs: alteredKeyBlobs,
  attack_15_key_blobs_of_another_kind: keyBlobsOfAnotherKind,
};
