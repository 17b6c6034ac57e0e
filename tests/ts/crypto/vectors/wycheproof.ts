/** Wycheproof files against the product's functions (pass rule: tests/vectors/README.md). */

import { AES_256_GCM, type Aead, CHACHA20_POLY1305, XCHACHA20_POLY1305 } from '../../../../static/src/crypto/aead.ts';
import { concat } from '../../../../static/src/crypto/bytes.ts';
import { x25519PrivateKey } from '../../../../static/src/crypto/dh.ts';
import { hkdfSha256, hkdfSha512, type HkdfOptions } from '../../../../static/src/crypto/kdf.ts';
import { mlkem1024Encapsulate, mlkem1024PrivateKey } from '../../../../static/src/crypto/kem.ts';
import { equal, hmacSha256, hmacSha512 } from '../../../../static/src/crypto/mac.ts';
import { deterministicMldsa65 } from '../../../../static/src/crypto/mldsa65.ts';
import { ED25519, ML_DSA_65, type SignatureScheme } from '../../../../static/src/crypto/signature.ts';
import { expect, expectBytes, Fields, isRefused, outcome, type Suite, Tally, type Verdict } from './reader.ts';

type Result = 'valid' | 'invalid' | 'acceptable';

interface Shape {
  readonly algorithm: string;
  readonly groupKeys: readonly string[];
  readonly optionalGroupKeys?: readonly string[];
  readonly testKeys: readonly string[];
  readonly optionalTestKeys?: readonly string[];
  run(test: Fields, group: Fields, result: Result): Promise<Verdict>;
}

function suite(shape: Shape): Suite {
  return async (data) => {
    const file = new Fields(data, ['algorithm', 'schema', 'numberOfTests', 'selection', 'testGroups'], ['header', 'notes']);
    expect(file.text('algorithm') === shape.algorithm, 'another algorithm');
    const tally = new Tally();
    for (const value of file.list('testGroups')) {
      const group = new Fields(value, ['type', 'source', 'tests', ...shape.groupKeys], shape.optionalGroupKeys);
      for (const one of group.list('tests')) {
        const test = new Fields(one, ['tcId', 'result', ...shape.testKeys], ['comment', 'flags', ...(shape.optionalTestKeys ?? [])]);
        await tally.add(test.number('tcId'), () => shape.run(test, group, resultOf(test)));
      }
    }
    expect(tally.counts().cases === file.number('numberOfTests'), 'numberOfTests does not hold');
    return tally.counts();
  };
}

function resultOf(test: Fields): Result {
  const result = test.text('result');
  expect(result === 'valid' || result === 'invalid' || result === 'acceptable', 'unknown result');
  return result as Result;
}

function judge(result: Result, got: Uint8Array | undefined, expected: Uint8Array): Verdict {
  if (result === 'invalid') expect(got === undefined, 'must be refused');
  else if (result === 'valid' || got !== undefined) expectBytes(got, expected, 'output');
  return 'passed';
}

function aead(algorithm: string, cipher: Aead): Suite {
  return suite({
    algorithm,
    groupKeys: ['ivSize', 'keySize', 'tagSize'],
    testKeys: ['key', 'iv', 'aad', 'msg', 'ct', 'tag'],
    async run(test, _group, result) {
      const [key, nonce, ad, message] = [test.hex('key'), test.hex('iv'), test.hex('aad'), test.hex('msg')];
      const sealed = concat(test.hex('ct'), test.hex('tag'));
      // A nonce of another size is refused whatever the file says (tests/vectors/README.md).
      const expected = nonce.length === cipher.nonceSize ? result : 'invalid';
      judge(expected, await outcome(() => cipher.open(key, nonce, sealed, ad)), message);
      if (expected === 'valid') expectBytes(await cipher.seal(key, nonce, message, ad), sealed, 'sealed');
      else if (nonce.length !== cipher.nonceSize) expect(await isRefused(() => cipher.seal(key, nonce, message, ad)), 'seal must refuse');
      return 'passed';
    },
  });
}

function hmac(algorithm: string, mac: (key: Uint8Array, message: Uint8Array) => Uint8Array): Suite {
  return suite({
    algorithm,
    groupKeys: ['keySize', 'tagSize'],
    testKeys: ['key', 'msg', 'tag'],
    async run(test, group, result) {
      const tag = mac(test.hex('key'), test.hex('msg')).subarray(0, group.number('tagSize') / 8);
      expect(equal(tag, test.hex('tag')) === (result === 'valid'), 'tag');
      return 'passed';
    },
  });
}

function hkdf(algorithm: string, derive: (ikm: Uint8Array, options: HkdfOptions) => Uint8Array): Suite {
  return suite({
    algorithm,
    groupKeys: ['keySize'],
    testKeys: ['ikm', 'salt', 'info', 'size', 'okm'],
    async run(test, _group, result) {
      const options = { salt: test.hex('salt'), info: test.hex('info'), length: test.number('size') };
      return judge(result, await outcome(() => derive(test.hex('ikm'), options)), test.hex('okm'));
    },
  });
}

const x25519 = suite({
  algorithm: 'XDH',
  groupKeys: ['curve'],
  testKeys: ['public', 'private', 'shared'],
  async run(test, _group, result) {
    const key = await x25519PrivateKey(test.hex('private'));
    const got = await outcome(() => key.agree(test.hex('public')));
    const zero = test.hex('shared').every((byte) => byte === 0);
    expect(zero === test.list('flags').includes('ZeroSharedSecret'), 'flag ZeroSharedSecret');
    // Everything but an all-zero secret is taken, 'acceptable' or not, so that no two platforms differ.
    expect(!zero || result === 'acceptable', 'a valid all-zero secret');
    return judge(zero ? 'invalid' : 'valid', got, test.hex('shared'));
  },
});

async function verdictOf(scheme: SignatureScheme, publicKey: Uint8Array, test: Fields, result: Result): Promise<Verdict> {
  const context = test.optionalHex('ctx');
  const refused = await isRefused(() => scheme.verify(publicKey, test.hex('msg'), test.hex('sig'), context));
  expect(refused === (result !== 'valid'), 'verdict of the signature');
  return 'passed';
}

const ed25519 = suite({
  algorithm: 'EDDSA',
  groupKeys: ['publicKey', 'publicKeyDer', 'publicKeyPem', 'publicKeyJwk'],
  testKeys: ['msg', 'sig'],
  run(test, group, result) {
    const key = new Fields(group.raw('publicKey'), ['type', 'curve', 'keySize', 'pk']);
    return verdictOf(ED25519, key.hex('pk'), test, result);
  },
});

const mldsaVerify = suite({
  algorithm: 'ML-DSA-65',
  groupKeys: ['publicKey'],
  optionalGroupKeys: ['publicKeyDer'],
  testKeys: ['msg', 'sig'],
  optionalTestKeys: ['ctx'],
  run: (test, group, result) => verdictOf(ML_DSA_65, group.hex('publicKey'), test, result),
});

/**
 * Signing from a seed: the key's public half, the deterministic signature where it is one, verification of
 * the given signature, and a signature of the provider's own key. Cases with mu alone are the library's.
 */
const mldsaSignSeed = suite({
  algorithm: 'ML-DSA-65',
  groupKeys: ['privateSeed', 'publicKey'],
  optionalGroupKeys: ['privateKeyPkcs8'],
  testKeys: ['sig'],
  optionalTestKeys: ['msg', 'mu', 'ctx', 'rnd'],
  async run(test, group, result) {
    if (!test.has('msg')) return 'not offered';
    const [message, context, seed] = [test.hex('msg'), test.optionalHex('ctx'), group.hex('privateSeed')];
    const made = await outcome(() => deterministicMldsa65(seed).sign(message, context));
    if (!test.has('rnd')) judge(result, made, test.hex('sig'));
    const key = await outcome(() => ML_DSA_65.generate(seed));
    if (result === 'invalid') {
      expect(key === undefined || (await isRefused(() => key.sign(message, context))), 'must be refused');
      return 'passed';
    }
    expectBytes(key?.public, group.hex('publicKey'), 'public key');
    await ML_DSA_65.verify(key!.public, message, await key!.sign(message, context), context);
    return verdictOf(ML_DSA_65, group.hex('publicKey'), test, result);
  },
});

/** Expanded private keys are never taken; what they signed must verify. */
const mldsaSignNoSeed = suite({
  algorithm: 'ML-DSA-65',
  groupKeys: ['privateKey', 'publicKey'],
  testKeys: ['sig'],
  optionalTestKeys: ['msg', 'mu', 'ctx', 'rnd'],
  async run(test, group, result) {
    expect(await isRefused(() => ML_DSA_65.generate(group.hex('privateKey'))), 'an expanded key must be refused');
    if (!test.has('msg') || !group.has('publicKey') || result !== 'valid') return 'not offered';
    return verdictOf(ML_DSA_65, group.hex('publicKey'), test, result);
  },
});

const mlkemDecapsulate = suite({
  algorithm: 'ML-KEM',
  groupKeys: ['parameterSet'],
  testKeys: ['seed', 'c', 'K'],
  optionalTestKeys: ['ek'],
  async run(test, _group, result) {
    const key = await outcome(() => mlkem1024PrivateKey(test.hex('seed')));
    if (key !== undefined && test.has('ek')) expectBytes(key.public, test.hex('ek'), 'public key');
    const secret = await outcome(() => key?.decapsulate(test.hex('c')));
    return judge(result === 'invalid' && test.text('K') !== '' ? 'valid' : result, secret, test.hex('K'));
  },
});

const mlkemEncapsulate = suite({
  algorithm: 'ML-KEM',
  groupKeys: ['parameterSet'],
  testKeys: ['ek', 'm', 'c', 'K'],
  async run(test, _group, result) {
    const made = await outcome(() => mlkem1024Encapsulate(test.hex('ek'), test.hex('m')));
    judge(result, made?.ciphertext, test.hex('c'));
    return judge(result, made?.secret, test.hex('K'));
  },
});

const mlkemKeygen = suite({
  algorithm: 'ML-KEM',
  groupKeys: ['parameterSet'],
  testKeys: ['seed', 'ek', 'dk'],
  async run(test, _group, result) {
    const key = await outcome(() => mlkem1024PrivateKey(test.hex('seed')));
    return judge(result, key?.public, test.hex('ek'));
  },
});

/** Expanded decapsulation keys are never taken. */
const mlkemSemiExpanded = suite({
  algorithm: 'ML-KEM',
  groupKeys: ['parameterSet'],
  testKeys: ['dk', 'ek', 'c'],
  optionalTestKeys: ['K'],
  async run(test) {
    expect(await isRefused(() => mlkem1024PrivateKey(test.hex('dk'))), 'an expanded key must be refused');
    return 'not offered';
  },
});

export const WYCHEPROOF: Readonly<Record<string, Suite>> = {
  'wycheproof/aes_gcm_test.json': aead('AES-GCM', AES_256_GCM),
  'wycheproof/chacha20_poly1305_test.json': aead('CHACHA20-POLY1305', CHACHA20_POLY1305),
  'wycheproof/xchacha20_poly1305_test.json': aead('XCHACHA20-POLY1305', XCHACHA20_POLY1305),
  'wycheproof/hmac_sha256_test.json': hmac('HMACSHA256', hmacSha256),
  'wycheproof/hmac_sha512_test.json': hmac('HMACSHA512', hmacSha512),
  'wycheproof/hkdf_sha256_test.json': hkdf('HKDF-SHA-256', hkdfSha256),
  'wycheproof/hkdf_sha512_test.json': hkdf('HKDF-SHA-512', hkdfSha512),
  'wycheproof/x25519_test.json': x25519,
  'wycheproof/ed25519_test.json': ed25519,
  'wycheproof/mldsa_65_verify_test.json': mldsaVerify,
  'wycheproof/mldsa_65_sign_seed_test.json': mldsaSignSeed,
  'wycheproof/mldsa_65_sign_noseed_test.json': mldsaSignNoSeed,
  'wycheproof/mlkem_1024_test.json': mlkemDecapsulate,
  'wycheproof/mlkem_1024_encaps_test.json': mlkemEncapsulate,
  'wycheproof/mlkem_1024_keygen_seed_test.json': mlkemKeygen,
  'wycheproof/mlkem_1024_semi_expanded_decaps_test.json': mlkemSemiExpanded,
};
