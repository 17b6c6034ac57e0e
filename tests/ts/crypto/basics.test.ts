/** Conversions, hashes, random streams, names. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { AEADS_IN_SPEC, SCHEMES_IN_SPEC } from './spec_table.ts';
import { aeadByName, AES_256_GCM, AES_XCHACHA, XCHACHA20_POLY1305 } from '../../../static/src/crypto/aead.ts';
import { concat, equalBytes, fromBase64url, fromHex, fromUtf8, toBase64url, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { CryptoError, DecryptionFailed, InvalidKey, InvalidParameter, InvalidSignature, Unavailable } from '../../../static/src/crypto/errors.ts';
import { sha256, sha3_512, sha512 } from '../../../static/src/crypto/hash.ts';
import { hkdfSha512 } from '../../../static/src/crypto/kdf.ts';
import { ED25519, schemeByName } from '../../../static/src/crypto/signature.ts';
import { fromPkcs8, toPkcs8 } from '../../../static/src/crypto/pkcs8.ts';
import { servedNatively, useProvider } from '../../../static/src/crypto/provider.ts';
import { seededRandom, systemRandom } from '../../../static/src/crypto/random.ts';
import { deriveAesKey, deriveBytes, hkdfBaseKey } from '../../../static/src/crypto/vaultkey.ts';

test('text has one spelling each way', () => {
  for (let size = 0; size < 70; size++) {
    const bytes = systemRandom(size);
    assert.deepEqual(fromHex(toHex(bytes)), bytes);
    assert.deepEqual(fromBase64url(toBase64url(bytes)), bytes);
  }
  assert.equal(toBase64url(Uint8Array.of(251, 255)), '-_8');
  for (const text of ['A', 'AAAAA', 'AB', 'AA==', 'A+', 'A/', ' AA', 'AA\n', 'Ā']) {
    assert.throws(() => fromBase64url(text), InvalidParameter, JSON.stringify(text));
  }
  for (const text of ['0', 'AB', '0x', 'zz', '00 ', '00\n']) assert.throws(() => fromHex(text), InvalidParameter, text);
});

test('UTF-8 is strict', () => {
  const text = '\ufeffñ 🙂\0';
  assert.equal(fromUtf8(utf8(text)), text);
  assert.throws(() => utf8('\ud83d'), InvalidParameter);
  for (const bytes of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xff], [0xf0, 0x9f]]) {
    assert.throws(() => fromUtf8(Uint8Array.from(bytes)), InvalidParameter);
  }
});

test('bytes are compared and joined', () => {
  assert.deepEqual(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3));
  assert.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!equalBytes(Uint8Array.of(1), Uint8Array.of(1, 0)));
});

test('hashes of "abc" in parts (FIPS 180-4 and FIPS 202 examples)', () => {
  const parts = [utf8('a'), utf8('bc')];
  assert.equal(toHex(sha256(...parts)), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(toHex(sha512(...parts)).slice(0, 32), 'ddaf35a193617abacc417349ae204131');
  assert.equal(toHex(sha3_512(...parts)).slice(0, 32), 'b751850b1a57168a5693cd924b6b096e');
});

test('errors keep their names and share a base', () => {
  for (const Kind of [InvalidKey, InvalidSignature, DecryptionFailed, InvalidParameter, Unavailable]) {
    assert.ok(new Kind('x') instanceof CryptoError);
    assert.equal(new Kind('x').name, Kind.name);
  }
});

test('a seeded stream does not depend on how it is read', () => {
  const seed = utf8('seed');
  const whole = seededRandom(seed)(1000);
  const random = seededRandom(seed);
  assert.deepEqual(concat(...[0, 1, 63, 64, 65, 128, 679].map((size) => random(size))), whole);
  assert.notDeepEqual(seededRandom(utf8('seee'))(64), whole.slice(0, 64));
  for (const size of [-1, 1.5, Number.NaN]) {
    assert.throws(() => random(size), InvalidParameter);
    assert.throws(() => systemRandom(size), InvalidParameter);
  }
  assert.equal(systemRandom(200_000).length, 200_000);
});

test('the cascade is XChaCha20-Poly1305 around AES-256-GCM', async () => {
  const [key, nonce] = [systemRandom(64), systemRandom(36)];
  const [message, ad] = [utf8('message'), utf8('ad')];
  const inner = await AES_256_GCM.seal(key.slice(0, 32), nonce.slice(0, 12), message, ad);
  const outer = await XCHACHA20_POLY1305.seal(key.slice(32), nonce.slice(12), inner, ad);
  const sealed = await AES_XCHACHA.seal(key, nonce, message, ad);
  assert.deepEqual(sealed, outer);
  assert.deepEqual(await AES_XCHACHA.open(key, nonce, sealed, ad), message);
});

test('suites and schemes have the names and sizes of the page', async () => {
  for (const [name, keySize, nonceSize, overhead] of AEADS_IN_SPEC) {
    const aead = aeadByName(name);
    assert.deepEqual([aead.name, aead.keySize, aead.nonceSize, aead.overhead], [name, keySize, nonceSize, overhead]);
  }
  for (const [name, publicSize, seedSize] of SCHEMES_IN_SPEC) {
    const scheme = await schemeByName(name);
    assert.deepEqual([scheme.name, scheme.publicSize, scheme.seedSize], [name, publicSize, seedSize]);
  }
  for (const name of ['', 'aes-256-gcm', 'toString', '__proto__']) {
    assert.throws(() => aeadByName(name), InvalidParameter);
    await assert.rejects(schemeByName(name), InvalidParameter);
  }
});

test('PKCS#8 has one form', () => {
  const seed = systemRandom(32);
  for (const algorithm of ['Ed25519', 'X25519'] as const) {
    const encoded = toPkcs8(algorithm, seed);
    assert.equal(encoded.length, 48);
    assert.deepEqual(fromPkcs8(algorithm, encoded), seed);
    assert.throws(() => fromPkcs8(algorithm === 'Ed25519' ? 'X25519' : 'Ed25519', encoded), InvalidKey);
    for (let at = 0; at < 16; at++) {
      const changed = encoded.slice();
      changed[at]! ^= 1;
      assert.throws(() => fromPkcs8(algorithm, changed), InvalidKey);
    }
    assert.throws(() => fromPkcs8(algorithm, concat(encoded, Uint8Array.of(0))), InvalidKey);
  }
  // The example of RFC 8410 section 10.3.
  const example = fromHex('302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842');
  assert.deepEqual(toPkcs8('Ed25519', fromPkcs8('Ed25519', example)), example);
});

test('keys that the page cannot read derive what bytes derive', async () => {
  const ikm = systemRandom(32);
  const base = await hkdfBaseKey(ikm);
  assert.equal(base.extractable, false);
  const [none, info] = [new Uint8Array(0), utf8('info')];
  assert.deepEqual(await deriveBytes(base, none, info, 80), hkdfSha512(ikm, { salt: none, info, length: 80 }));
  await assert.rejects(deriveBytes(base, none, info, 0), InvalidParameter);
  const key = await deriveAesKey(base, none, info, ['encrypt']);
  assert.deepEqual([key.extractable, key.usages], [false, ['encrypt']]);
  const nonce = new Uint8Array(12);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce }, key, new Uint8Array(3)));
  const bytes = hkdfSha512(ikm, { salt: none, info, length: 32 });
  assert.deepEqual(await AES_256_GCM.open(bytes, nonce, sealed, none), new Uint8Array(3));
});

test('all eight points of small order are refused as A and as R', async () => {
  useProvider('portable');
  const torsion = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  const points = new Set<string>();
  let point = ed25519.Point.ZERO;
  for (let i = 0; i < 8; i++, point = point.add(torsion)) points.add(point.toHex());
  assert.equal(points.size, 8);
  const key = await ED25519.generate(systemRandom(32));
  for (const small of points) {
    const signature = concat(fromHex(small), new Uint8Array(32));
    await assert.rejects(ED25519.verify(fromHex(small), utf8(''), signature), InvalidSignature);
    await assert.rejects(ED25519.verify(key.public, utf8(''), signature), InvalidSignature);
  }
});

test('a provider that is forced and missing is said to be', async () => {
  useProvider('native');
  // Node 20 has no ML-DSA; a later Node may.
  const native = await servedNatively('ML-DSA-65').catch((error: unknown) => error);
  assert.ok(native === true || native instanceof Unavailable);
  useProvider('portable');
  assert.equal(await servedNatively('ML-DSA-65'), false);
});
