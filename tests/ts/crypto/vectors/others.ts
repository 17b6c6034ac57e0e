/** CCTV, Falcon and RFC 9106 files against the product's functions. */

import { shake128 } from '@noble/hashes/sha3.js';
import { concat, utf8 } from '../../../../static/src/crypto/bytes.ts';
import { FALCON_1024 } from '../../../../static/src/crypto/falcon.ts';
import { checkMlkem1024Public, mlkem1024Encapsulate } from '../../../../static/src/crypto/kem.ts';
import { argon2id } from '../../../../static/src/crypto/password.ts';
import { deterministicMldsa65 } from '../../../../static/src/crypto/mldsa65.ts';
import { ED25519, ML_DSA_65 } from '../../../../static/src/crypto/signature.ts';
import { expect, expectBytes, Fields, isRefused, nonEmptyList, type Suite, Tally } from './reader.ts';

const badEncapsulationKeys: Suite = async (data) => {
  const file = new Fields(data, ['note', 'ek']);
  const tally = new Tally();
  for (const [index, key] of file.list('ek').entries()) {
    await tally.add(index, async () => {
      const ek = new Fields({ key }, ['key']).hex('key');
      expect(await isRefused(() => checkMlkem1024Public(ek)), 'the check must refuse');
      expect(await isRefused(() => mlkem1024Encapsulate(ek, new Uint8Array(32))), 'encapsulation must refuse');
      return 'passed';
    });
  }
  return tally.counts();
};

const ROUNDS = '100';

/** The ML-KEM line of the method writes dk, which the product never shows: library.test.ts reaches that digest. */
async function mldsaAccumulated(): Promise<Uint8Array> {
  const seeds = shake128.create({});
  const digest = shake128.create({ dkLen: 32 });
  for (let round = 0; round < Number(ROUNDS); round++) {
    const seed = seeds.xof(32);
    const key = deterministicMldsa65(seed);
    digest.update(key.public).update(await key.sign(new Uint8Array(0)));
    expectBytes((await ML_DSA_65.generate(seed)).public, key.public, 'public key');
  }
  return digest.digest();
}

const accumulated: Suite = async (data) => {
  const file = new Fields(data, ['ML-KEM', 'ML-DSA']);
  new Fields(file.raw('ML-KEM'), ['method', 'origin', 'ML-KEM-1024']);
  const mldsa = new Fields(file.raw('ML-DSA'), ['method', 'origin', 'ML-DSA-65']);
  const tally = new Tally();
  await tally.add('ML-KEM-1024', async () => 'not offered');
  await tally.add('ML-DSA-65', async () => {
    expectBytes(await mldsaAccumulated(), new Fields(mldsa.raw('ML-DSA-65'), [ROUNDS]).hex(ROUNDS), 'digest');
    return 'passed';
  });
  return tally.counts();
};

const EDGE_FLAGS = new Set(['low_order_R', 'low_order_A', 'low_order_component_R', 'low_order_component_A',
  'low_order_residue', 'non_canonical_R', 'non_canonical_A', 'reencoded_k']);
/** With one of these flags a signature is refused by the rules of ed25519.ts, or by every check without cofactor. */
const REFUSED_FLAGS = new Set(['low_order_R', 'low_order_A', 'low_order_residue', 'non_canonical_R', 'non_canonical_A']);

/** The verdict for each edge point, by number: true where the product accepts. */
export async function edgePointVerdicts(data: unknown): Promise<ReadonlyMap<number, boolean>> {
  const verdicts = new Map<number, boolean>();
  for (const value of nonEmptyList(data, 'edge points')) {
    const one = new Fields(value, ['number', 'key', 'sig', 'msg', 'flags']);
    const refused = await isRefused(() => ED25519.verify(one.hex('key'), utf8(one.text('msg')), one.hex('sig')));
    verdicts.set(one.number('number'), !refused);
  }
  return verdicts;
}

const edgePoints: Suite = async (data) => {
  const verdicts = await edgePointVerdicts(data);
  const tally = new Tally();
  for (const value of nonEmptyList(data, 'edge points')) {
    const one = new Fields(value, ['number', 'key', 'sig', 'msg', 'flags']);
    await tally.add(one.number('number'), async () => {
      const flags = one.list('flags').map(String);
      expect(flags.every((flag) => EDGE_FLAGS.has(flag)), 'unknown flag');
      const refusedByRule = flags.some((flag) => REFUSED_FLAGS.has(flag));
      expect(verdicts.get(one.number('number')) === !refusedByRule, `verdict for ${flags.join(', ')}`);
      return 'passed';
    });
  }
  return tally.counts();
};

/** sm is 2-byte signature length ‖ nonce ‖ message ‖ 0x2a ‖ s; detached it is 0x3a ‖ nonce ‖ s. */
export function falconDetached(sm: Uint8Array, messageSize: number): Uint8Array {
  const size = (sm[0]! << 8) | sm[1]!;
  const signature = sm.subarray(42 + messageSize);
  expect(signature.length === size && signature[0] === 0x2a, 'layout of sm');
  return concat(Uint8Array.of(0x3a), sm.subarray(2, 42), signature.subarray(1));
}

const falcon: Suite = async (data) => {
  const file = new Fields(data, ['note', 'cases']);
  const tally = new Tally();
  for (const value of file.list('cases')) {
    const one = new Fields(value, ['count', 'seed', 'mlen', 'msg', 'pk', 'sk', 'smlen', 'sm']);
    await tally.add(one.number('count'), async () => {
      const [message, publicKey, sm] = [one.hex('msg'), one.hex('pk'), one.hex('sm')];
      expect(message.length === one.number('mlen') && sm.length === one.number('smlen'), 'lengths');
      expectBytes(sm.subarray(42, 42 + message.length), message, 'message in sm');
      const signature = falconDetached(sm, message.length);
      await FALCON_1024.verify(publicKey, message, signature);
      signature[500]! ^= 1;
      expect(await isRefused(() => FALCON_1024.verify(publicKey, message, signature)), 'an altered signature');
      const key = await FALCON_1024.generate(concat(one.hex('sk'), publicKey));
      await FALCON_1024.verify(publicKey, message, await key.sign(message));
      return 'passed';
    });
  }
  return tally.counts();
};

/** A case with a secret or associated data, which the product's function does not take, is tried on the library. */
const argon2idRfc: Suite = async (data) => {
  const file = new Fields(data, ['note', 'cases']);
  const tally = new Tally();
  for (const [index, value] of file.list('cases').entries()) {
    const one = new Fields(value, ['password', 'salt', 'secret', 'ad', 'memory_kib', 'iterations', 'lanes', 'length', 'tag']);
    await tally.add(index, async () => {
      if (one.text('secret') !== '' || one.text('ad') !== '') return 'not offered';
      const options = { memoryKib: one.number('memory_kib'), passes: one.number('iterations'), lanes: one.number('lanes'), length: one.number('length') };
      expectBytes(await argon2id(one.hex('password'), one.hex('salt'), options), one.hex('tag'), 'tag');
      return 'passed';
    });
  }
  return tally.counts();
};

export const OTHERS: Readonly<Record<string, Suite>> = {
  'cctv/mlkem1024_bad_encapsulation_keys.json': badEncapsulationKeys,
  'cctv/accumulated.json': accumulated,
  'cctv/ed25519_edge_points.json': edgePoints,
  'falcon/falcon1024_round3_kat.json': falcon,
  'kdf/rfc9106_argon2id.json': argon2idRfc,
};
