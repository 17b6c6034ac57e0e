/** NIST ACVP files against the product's functions; internal interfaces are tried on the library in library.test.ts. */

import { concat } from '../../../../static/src/crypto/bytes.ts';
import { checkMlkem1024Public, mlkem1024Encapsulate, mlkem1024PrivateKey } from '../../../../static/src/crypto/kem.ts';
import { deterministicMldsa65 } from '../../../../static/src/crypto/mldsa65.ts';
import type { StoredKeyScheme } from '../../../../static/src/crypto/scheme.ts';
import { ML_DSA_65 } from '../../../../static/src/crypto/signature.ts';
import { SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_256F } from '../../../../static/src/crypto/slhdsa.ts';
import { expect, expectBytes, Fields, isRefused, type Suite, Tally, type Verdict, VectorError } from './reader.ts';

type Run = (test: Fields, group: Fields) => Promise<Verdict>;

const FILE_KEYS = ['vsId', 'algorithm', 'mode', 'revision', 'isSample', 'selection', 'testGroups'];

export interface AcvpShape {
  readonly algorithm: string;
  readonly mode: string;
  readonly optionalGroupKeys?: readonly string[];
  readonly testKeys: readonly string[];
  readonly optionalTestKeys?: readonly string[];
  readonly run: Run;
}

export function acvp(shape: AcvpShape): Suite {
  return async (data) => {
    const file = new Fields(data, FILE_KEYS);
    expect(file.text('algorithm') === shape.algorithm && file.text('mode') === shape.mode, 'another algorithm or mode');
    const tally = new Tally();
    for (const value of file.list('testGroups')) {
      const group = new Fields(value, ['tgId', 'parameterSet', 'tests'], ['testType', ...(shape.optionalGroupKeys ?? [])]);
      for (const one of group.list('tests')) {
        const test = new Fields(one, ['tcId', ...shape.testKeys], shape.optionalTestKeys);
        await tally.add(test.number('tcId'), () => shape.run(test, group));
      }
    }
    return tally.counts();
  };
}

const mlkemKeygen = acvp({
  algorithm: 'ML-KEM',
  mode: 'keyGen',
  testKeys: ['d', 'z', 'ek', 'dk'],
  async run(test) {
    const key = await mlkem1024PrivateKey(concat(test.hex('d'), test.hex('z')));
    expectBytes(key.public, test.hex('ek'), 'ek');
    return 'passed';
  },
});

const MLKEM_FUNCTIONS: Readonly<Record<string, Run>> = {
  async encapsulation(test) {
    const { ciphertext, secret } = mlkem1024Encapsulate(test.hex('ek'), test.hex('m'));
    expectBytes(ciphertext, test.hex('c'), 'c');
    expectBytes(secret, test.hex('k'), 'k');
    return 'passed';
  },
  /** Seeds are given for the expanded keys too. */
  async decapsulation(test) {
    const key = await mlkem1024PrivateKey(concat(test.hex('d'), test.hex('z')));
    expectBytes(key.public, test.hex('ek'), 'ek');
    expectBytes(await key.decapsulate(test.hex('c')), test.hex('k'), 'k');
    return 'passed';
  },
  async decapsulationKeyCheck(test) {
    expect(await isRefused(() => mlkem1024PrivateKey(test.hex('dk'))), 'an expanded key must be refused');
    return 'not offered';
  },
  async encapsulationKeyCheck(test) {
    expect((await isRefused(() => checkMlkem1024Public(test.hex('ek')))) === !test.flag('testPassed'), 'key check');
    return 'passed';
  },
};

const mlkemEncapDecap = acvp({
  algorithm: 'ML-KEM',
  mode: 'encapDecap',
  optionalGroupKeys: ['function', 'keyFormat'],
  testKeys: ['ek', 'dk'],
  optionalTestKeys: ['c', 'k', 'm', 'd', 'z', 'reason', 'testPassed'],
  async run(test, group) {
    const run = MLKEM_FUNCTIONS[group.text('function')];
    if (run === undefined) throw new VectorError('unknown function');
    return run(test, group);
  },
});

const mldsaKeygen = acvp({
  algorithm: 'ML-DSA',
  mode: 'keyGen',
  testKeys: ['seed', 'pk', 'sk'],
  async run(test) {
    expectBytes((await ML_DSA_65.generate(test.hex('seed'))).public, test.hex('pk'), 'pk');
    return 'passed';
  },
});

const mldsaSign = acvp({
  algorithm: 'ML-DSA',
  mode: 'sigGen',
  optionalGroupKeys: ['keyFormat', 'deterministic', 'signatureInterface', 'preHash', 'externalMu'],
  testKeys: ['seed', 'signature'],
  optionalTestKeys: ['message', 'context', 'mu', 'rnd'],
  async run(test, group) {
    if (group.text('signatureInterface') !== 'external') return 'not offered';
    expect(group.text('preHash') === 'pure', 'an unknown preHash');
    const [seed, message, context] = [test.hex('seed'), test.hex('message'), test.hex('context')];
    if (group.flag('deterministic')) {
      expectBytes(await deterministicMldsa65(seed).sign(message, context), test.hex('signature'), 'signature');
    }
    const key = await ML_DSA_65.generate(seed);
    await ML_DSA_65.verify(key.public, message, test.hex('signature'), context);
    await ML_DSA_65.verify(key.public, message, await key.sign(message, context), context);
    return 'passed';
  },
});

const mldsaVerify = acvp({
  algorithm: 'ML-DSA',
  mode: 'sigVer',
  optionalGroupKeys: ['signatureInterface', 'preHash', 'externalMu'],
  testKeys: ['pk', 'signature', 'testPassed', 'reason'],
  optionalTestKeys: ['message', 'context', 'mu'],
  async run(test, group) {
    if (group.text('signatureInterface') !== 'external') return 'not offered';
    const [pk, message, signature, context] = [test.hex('pk'), test.hex('message'), test.hex('signature'), test.hex('context')];
    expect((await isRefused(() => ML_DSA_65.verify(pk, message, signature, context))) === !test.flag('testPassed'), 'verdict');
    return 'passed';
  },
});

const SLH_SCHEMES = new Map<string, StoredKeyScheme>([SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_256F].map((scheme) => [scheme.name, scheme]));

const slhKeygen = acvp({
  algorithm: 'SLH-DSA',
  mode: 'keyGen',
  testKeys: ['skSeed', 'skPrf', 'pkSeed', 'sk', 'pk'],
  async run(test, group) {
    const scheme = SLH_SCHEMES.get(group.text('parameterSet'));
    if (scheme === undefined) return 'not offered';
    const seed = concat(test.hex('skSeed'), test.hex('skPrf'), test.hex('pkSeed'));
    expectBytes(await scheme.newPrivate(() => seed), test.hex('sk'), 'sk');
    expectBytes((await scheme.generate(test.hex('sk'))).public, test.hex('pk'), 'pk');
    return 'passed';
  },
});

export const ACVP: Readonly<Record<string, Suite>> = {
  'acvp/ML-KEM-keyGen.json': mlkemKeygen,
  'acvp/ML-KEM-encapDecap.json': mlkemEncapDecap,
  'acvp/ML-DSA-keyGen.json': mldsaKeygen,
  'acvp/ML-DSA-sigGen.json': mldsaSign,
  'acvp/ML-DSA-sigVer.json': mldsaVerify,
  'acvp/SLH-DSA-keyGen.json': slhKeygen,
};
