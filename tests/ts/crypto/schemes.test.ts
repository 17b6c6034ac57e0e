/** Signature schemes that have no native form, and what all portable schemes share. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { concat, utf8 } from '../../../static/src/crypto/bytes.ts';
import { InvalidKey, InvalidParameter, InvalidSignature } from '../../../static/src/crypto/errors.ts';
import { FALCON_1024 } from '../../../static/src/crypto/falcon.ts';
import { useProvider } from '../../../static/src/crypto/provider.ts';
import { seededRandom } from '../../../static/src/crypto/random.ts';
import type { StoredKeyScheme } from '../../../static/src/crypto/scheme.ts';
import { HYBRID, hybridKeyId, ML_DSA_65 } from '../../../static/src/crypto/signature.ts';
import { SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_256F } from '../../../static/src/crypto/slhdsa.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';

const random = seededRandom(utf8('schemes'));
const MESSAGE = utf8('message');

before(() => useProvider('portable'));

async function roundTrip(scheme: StoredKeyScheme, context: Uint8Array): Promise<void> {
  const stored = await scheme.newPrivate(random);
  assert.equal(stored.length, scheme.seedSize);
  const key = await scheme.generate(stored);
  assert.equal(key.public.length, scheme.publicSize);
  const signature = await key.sign(MESSAGE, context);
  await scheme.verify(key.public, MESSAGE, signature, context);
  for (const at of [0, 50, signature.length >> 1, signature.length - 1]) {
    const changed = signature.slice();
    changed[at]! ^= 0x40;
    await assert.rejects(scheme.verify(key.public, MESSAGE, changed, context), InvalidSignature, `byte ${at}`);
  }
  const wrong = [signature.slice(0, -1), concat(signature, Uint8Array.of(0)), new Uint8Array(0)];
  for (const one of wrong) await assert.rejects(scheme.verify(key.public, MESSAGE, one, context), InvalidSignature);
  await assert.rejects(scheme.verify(key.public, utf8('messagf'), signature, context), InvalidSignature);
  await assert.rejects(scheme.verify(key.public.slice(1), MESSAGE, signature, context), InvalidSignature);
  for (const wrong of [stored.slice(1), concat(stored, Uint8Array.of(0)), new Uint8Array(stored.length)]) {
    await assert.rejects(scheme.generate(wrong), InvalidKey);
  }
  stored[stored.length - 1]! ^= 1;
  await assert.rejects(scheme.generate(stored), InvalidKey, 'another public half');
}

test('Falcon-1024', async () => {
  await roundTrip(FALCON_1024, new Uint8Array(0));
  const key = await FALCON_1024.generate(await FALCON_1024.newPrivate(random));
  const signature = await key.sign(MESSAGE);
  assert.equal(signature[0], 0x3a);
  assert.ok(signature.length <= 1462);
  await assert.rejects(key.sign(MESSAGE, utf8('context')), InvalidParameter);
  await assert.rejects(FALCON_1024.verify(key.public, MESSAGE, signature, utf8('context')), InvalidParameter);
  const twin = key.public.slice();
  twin[0]! ^= 0x10;
  await assert.rejects(FALCON_1024.verify(twin, MESSAGE, signature), InvalidSignature);
  for (let size = signature.length + 1; size <= 1462; size++) {
    const padded = concat(signature, new Uint8Array(size - signature.length));
    await assert.rejects(FALCON_1024.verify(key.public, MESSAGE, padded), InvalidSignature, 'zero padding');
  }
});

test('SLH-DSA-SHAKE-128f', async () => {
  await roundTrip(SLH_DSA_SHAKE_128F, utf8('context'));
});

test('SLH-DSA-SHAKE-256f', async () => {
  const key = await SLH_DSA_SHAKE_256F.generate(await SLH_DSA_SHAKE_256F.newPrivate(random));
  const signature = await key.sign(MESSAGE, utf8('context'));
  assert.equal(signature.length, 49856);
  await SLH_DSA_SHAKE_256F.verify(key.public, MESSAGE, signature, utf8('context'));
  await assert.rejects(SLH_DSA_SHAKE_256F.verify(key.public, MESSAGE, signature), InvalidSignature);
  await assert.rejects(SLH_DSA_SHAKE_128F.verify(key.public, MESSAGE, signature), InvalidSignature);
});

test('products hedge their ML-DSA-65 signatures', async () => {
  const key = await ML_DSA_65.generate(random(32));
  assert.notDeepEqual(await key.sign(MESSAGE), await key.sign(MESSAGE));
});

test('the hybrid key id is a labelled hash', async () => {
  const { public: publicKey } = await HYBRID.generate(random(64));
  assert.deepEqual(hybridKeyId(publicKey), sha256(utf8('securemsg/hybrid-key/1'), publicKey));
});
