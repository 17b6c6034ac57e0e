/**
 * Vectors of functions that the product does not offer but stands on: ML-DSA's internal interface, mu and
 * expanded keys; ML-KEM's expanded keys; SLH-DSA's internal verification; Falcon's generator. They are tried
 * on the bundled library itself, so that its rejection loops and boundary cases are covered.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rngAesCtrDrbg256 } from '@noble/ciphers/aes.js';
import { shake128 } from '@noble/hashes/sha3.js';
import { falcon1024 } from '@noble/post-quantum/falcon.js';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { slh_dsa_shake_128f, slh_dsa_shake_256f } from '@noble/post-quantum/slh-dsa.js';
import { concat, toHex } from '../../../static/src/crypto/bytes.ts';
import { Fields } from './vectors/reader.ts';
import { acvp } from './vectors/acvp.ts';

function read(path: string): unknown {
  return JSON.parse(readFileSync(`tests/vectors/${path}`, 'utf8'));
}

/** The library's answer, or undefined where it throws. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    assert.ok(error instanceof Error);
    return undefined;
  }
}

function mldsaSign(test: Fields, secretKey: Uint8Array): Uint8Array {
  const extraEntropy = test.has('rnd') ? test.hex('rnd') : (false as const);
  if (test.has('mu')) return ml_dsa65.internal.sign(test.hex('mu'), secretKey, { externalMu: true, extraEntropy });
  if (test.has('context') || test.has('ctx')) {
    const context = test.hex(test.has('ctx') ? 'ctx' : 'context');
    return ml_dsa65.sign(test.hex(test.has('msg') ? 'msg' : 'message'), secretKey, { context, extraEntropy });
  }
  return ml_dsa65.sign(test.hex('msg'), secretKey, { extraEntropy });
}

for (const [path, keyField] of [['mldsa_65_sign_seed_test', 'privateSeed'], ['mldsa_65_sign_noseed_test', 'privateKey']] as const) {
  test(`${path}: mu, rnd and expanded keys`, () => {
    const file = new Fields(read(`wycheproof/${path}.json`), ['algorithm', 'schema', 'numberOfTests', 'selection', 'testGroups', 'header', 'notes']);
    let cases = 0;
    for (const value of file.list('testGroups')) {
      const group = new Fields(value, ['type', 'source', 'tests', 'publicKey', keyField], ['privateKeyPkcs8']);
      for (const one of group.list('tests')) {
        const test = new Fields(one, ['tcId', 'result', 'sig'], ['comment', 'flags', 'msg', 'mu', 'ctx', 'rnd']);
        const key = group.hex(keyField);
        const made = attempt(() => mldsaSign(test, keyField === 'privateSeed' ? ml_dsa65.keygen(key).secretKey : key));
        assert.equal(made && toHex(made), test.text('result') === 'valid' ? test.text('sig') : undefined, `case ${test.number('tcId')}`);
        cases += 1;
      }
    }
    assert.equal(cases, file.number('numberOfTests'));
  });
}

test('ACVP ML-DSA signing, all interfaces', async () => {
  const suite = acvp({
    algorithm: 'ML-DSA',
    mode: 'sigGen',
    optionalGroupKeys: ['keyFormat', 'deterministic', 'signatureInterface', 'preHash', 'externalMu'],
    testKeys: ['seed', 'signature'],
    optionalTestKeys: ['message', 'context', 'mu', 'rnd'],
    async run(test, group) {
      const { secretKey } = ml_dsa65.keygen(test.hex('seed'));
      const plainInternal = group.text('signatureInterface') === 'internal' && !group.flag('externalMu');
      const made = plainInternal ? ml_dsa65.internal.sign(test.hex('message'), secretKey, { extraEntropy: false }) : mldsaSign(test, secretKey);
      assert.deepEqual(made, test.hex('signature'));
      return 'passed';
    },
  });
  assert.deepEqual(await suite(read('acvp/ML-DSA-sigGen.json')), { cases: 31, passed: 31 });
});

test('ACVP ML-DSA verification, internal interface', async () => {
  const suite = acvp({
    algorithm: 'ML-DSA',
    mode: 'sigVer',
    optionalGroupKeys: ['signatureInterface', 'preHash', 'externalMu'],
    testKeys: ['pk', 'signature', 'testPassed', 'reason'],
    optionalTestKeys: ['message', 'context', 'mu'],
    async run(test, group) {
      if (group.text('signatureInterface') === 'external') return 'not offered';
      const externalMu = group.flag('externalMu');
      const message = test.hex(externalMu ? 'mu' : 'message');
      assert.equal(ml_dsa65.internal.verify(test.hex('signature'), message, test.hex('pk'), { externalMu }), test.flag('testPassed'));
      return 'passed';
    },
  });
  assert.deepEqual(await suite(read('acvp/ML-DSA-sigVer.json')), { cases: 26, passed: 19 });
});

test('ACVP ML-KEM expanded keys', async () => {
  const suite = acvp({
    algorithm: 'ML-KEM',
    mode: 'encapDecap',
    optionalGroupKeys: ['function', 'keyFormat'],
    testKeys: ['ek', 'dk'],
    optionalTestKeys: ['c', 'k', 'm', 'd', 'z', 'reason', 'testPassed'],
    async run(test, group) {
      const dk = test.hex('dk');
      if (group.text('function') === 'decapsulation') assert.deepEqual(ml_kem1024.decapsulate(test.hex('c'), dk), test.hex('k'));
      else if (group.text('function') === 'decapsulationKeyCheck') {
        assert.equal(attempt(() => ml_kem1024.decapsulate(new Uint8Array(1568), dk)) !== undefined, test.flag('testPassed'));
      } else return 'not offered';
      return 'passed';
    },
  });
  assert.deepEqual(await suite(read('acvp/ML-KEM-encapDecap.json')), { cases: 32, passed: 15 });
});

test('Wycheproof ML-KEM expanded keys and key generation', () => {
  const semi = new Fields(read('wycheproof/mlkem_1024_semi_expanded_decaps_test.json'), ['algorithm', 'schema', 'numberOfTests', 'notes', 'selection', 'testGroups']);
  for (const value of semi.list('testGroups')) {
    for (const one of new Fields(value, ['type', 'source', 'parameterSet', 'tests']).list('tests')) {
      const test = new Fields(one, ['tcId', 'comment', 'flags', 'dk', 'c', 'ek', 'result'], ['K']);
      const secret = attempt(() => ml_kem1024.decapsulate(test.hex('c'), test.hex('dk')));
      assert.equal(secret && toHex(secret), test.text('result') === 'valid' ? test.text('K') : undefined);
    }
  }
  const keygen = new Fields(read('wycheproof/mlkem_1024_keygen_seed_test.json'), ['algorithm', 'schema', 'numberOfTests', 'selection', 'testGroups']);
  for (const value of keygen.list('testGroups')) {
    for (const one of new Fields(value, ['type', 'source', 'parameterSet', 'tests']).list('tests')) {
      const test = new Fields(one, ['tcId', 'seed', 'ek', 'dk', 'result', 'comment']);
      assert.deepEqual(ml_kem1024.keygen(test.hex('seed')).secretKey, test.hex('dk'));
    }
  }
});

test('CCTV accumulated ML-KEM-1024', () => {
  const file = new Fields(read('cctv/accumulated.json'), ['ML-KEM', 'ML-DSA']);
  const expected = new Fields(new Fields(file.raw('ML-KEM'), ['method', 'origin', 'ML-KEM-1024']).raw('ML-KEM-1024'), ['100']);
  const [random, digest] = [shake128.create({}), shake128.create({ dkLen: 32 })];
  for (let round = 0; round < 100; round++) {
    const { publicKey, secretKey } = ml_kem1024.keygen(random.xof(64));
    const { cipherText, sharedSecret } = ml_kem1024.encapsulate(publicKey, random.xof(32));
    digest.update(publicKey).update(secretKey).update(cipherText).update(sharedSecret);
    digest.update(ml_kem1024.decapsulate(random.xof(1568), secretKey));
  }
  assert.deepEqual(digest.digest(), expected.hex('100'));
});

test('ACVP SLH-DSA internal verification', async () => {
  const suite = acvp({
    algorithm: 'SLH-DSA',
    mode: 'sigVer',
    optionalGroupKeys: ['messageLengths'],
    testKeys: ['pk', 'signature', 'message', 'messageLength', 'testPassed', 'reason'],
    async run(test, group) {
      const signer = group.text('parameterSet') === 'SLH-DSA-SHAKE-128f' ? slh_dsa_shake_128f : slh_dsa_shake_256f;
      const verdict = attempt(() => signer.internal.verify(test.hex('signature'), test.hex('message'), test.hex('pk')));
      assert.equal(verdict ?? false, test.flag('testPassed'));
      return 'passed';
    },
  });
  assert.deepEqual(await suite(read('acvp/SLH-DSA-sigVer-internal.json')), { cases: 11, passed: 11 });
});

test('Falcon round 3: keys and signatures are reproduced', () => {
  const file = new Fields(read('falcon/falcon1024_round3_kat.json'), ['note', 'cases']);
  for (const value of file.list('cases')) {
    const one = new Fields(value, ['count', 'seed', 'mlen', 'msg', 'pk', 'sk', 'smlen', 'sm']);
    const random = rngAesCtrDrbg256(one.hex('seed'));
    const { publicKey, secretKey } = falcon1024.keygen(random.randomBytes(48));
    assert.deepEqual(concat(publicKey, secretKey), concat(one.hex('pk'), one.hex('sk')));
    const sm = falcon1024.attached.seal(one.hex('msg'), secretKey, { random: (size = 0) => random.randomBytes(size) });
    assert.deepEqual(sm, one.hex('sm'));
  }
});
