/** Argon2id: the WebAssembly library against a second one, and against RFC 9106 section 5.3. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { argon2id as nobleArgon2id } from '@noble/hashes/argon2.js';
import { utf8 } from '../../../static/src/crypto/bytes.ts';
import { InvalidParameter } from '../../../static/src/crypto/errors.ts';
import { argon2id } from '../../../static/src/crypto/password.ts';
import { Fields } from './vectors/reader.ts';

test('the second library reaches RFC 9106', () => {
  const file = new Fields(JSON.parse(readFileSync('tests/vectors/kdf/rfc9106_argon2id.json', 'utf8')), ['note', 'cases']);
  for (const value of file.list('cases')) {
    const one = new Fields(value, ['password', 'salt', 'secret', 'ad', 'memory_kib', 'iterations', 'lanes', 'length', 'tag']);
    const options = { m: one.number('memory_kib'), t: one.number('iterations'), p: one.number('lanes'), dkLen: one.number('length') };
    const tag = nobleArgon2id(one.hex('password'), one.hex('salt'), { ...options, key: one.hex('secret'), personalization: one.hex('ad') });
    assert.deepEqual(tag, one.hex('tag'));
  }
});

test('both libraries agree', async () => {
  const salt = utf8('a salt of 16 byt');
  const cases = [
    ['p', { memoryKib: 8, passes: 1, lanes: 1, length: 4 }],
    ['password', { memoryKib: 64, passes: 3, lanes: 1, length: 32 }],
    ['contraseña 🔑', { memoryKib: 256, passes: 2, lanes: 4, length: 64 }],
    ['x'.repeat(1000), { memoryKib: 1024, passes: 3, lanes: 2, length: 100 }],
  ] as const;
  for (const [text, options] of cases) {
    const expected = nobleArgon2id(utf8(text), salt, { m: options.memoryKib, t: options.passes, p: options.lanes, dkLen: options.length });
    assert.deepEqual(await argon2id(utf8(text), salt, options), expected);
  }
});

test('the product\'s cost of 64 MiB and 3 passes works', async () => {
  const options = { memoryKib: 65536, passes: 3, lanes: 1, length: 32 };
  const [one, other] = [await argon2id(utf8('password'), utf8('salt of a user 1'), options), await argon2id(utf8('password'), utf8('salt of a user 2'), options)];
  assert.equal(one.length, 32);
  assert.notDeepEqual(one, other);
});

test('parameters outside RFC 9106 are refused', async () => {
  const [salt, options] = [new Uint8Array(16), { memoryKib: 64, passes: 1, lanes: 1, length: 32 }];
  const wrong = [{ memoryKib: 7 }, { passes: 0 }, { lanes: 0 }, { lanes: 9 }, { length: 3 }, { length: 1.5 }, { memoryKib: 2 ** 22 }];
  for (const change of wrong) await assert.rejects(argon2id(utf8('p'), salt, { ...options, ...change }), InvalidParameter, JSON.stringify(change));
  await assert.rejects(argon2id(utf8('p'), new Uint8Array(7), options), InvalidParameter);
  await assert.rejects(argon2id(utf8(''), salt, options), InvalidParameter);
});
