/** From a password or a recovery code to keys. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { hkdfSha512 } from '../../../static/src/crypto/kdf.ts';
import { deriveBytes } from '../../../static/src/crypto/vaultkey.ts';
import { Misuse, ServerViolation } from '../../../static/src/e2ee/errors.ts';
import {
  checkKeyDerivation, deriveFromMaster, deriveFromRecovery, formatRecoveryCode, mixSecondSecret, newRecoveryCode, parseRecoveryCode, passwordBytes, unlockSalt,
} from '../../../static/src/e2ee/unlock.ts';
import { seeded } from './world.ts';

test('weaker or exhausting derivation parameters are refused', () => {
  const good = { memoryKib: 65_536, passes: 3, lanes: 1 };
  checkKeyDerivation(good);
  checkKeyDerivation({ ...good, memoryKib: 1_048_576, passes: 16 });
  for (const change of [{ memoryKib: 65_535 }, { memoryKib: 1_048_577 }, { passes: 2 }, { passes: 17 }, { lanes: 2 }, { lanes: 0 }, { passes: 3.5 }, { memoryKib: Number.NaN }]) {
    assert.throws(() => checkKeyDerivation({ ...good, ...change }), ServerViolation);
  }
});

test('login key and personal key come from the master apart from each other', async () => {
  const [master, salt] = [sha256(utf8('master')), sha256(utf8('salt'))];
  const { loginKey, key } = await deriveFromMaster(master, salt);
  assert.deepEqual(loginKey, hkdfSha512(master, { salt, info: utf8('securemsg/login/1'), length: 32 }));
  const personal = hkdfSha512(master, { salt, info: utf8('securemsg/personal/1'), length: 32 });
  const [a, b] = [utf8('a salt'), utf8('an info')];
  assert.deepEqual(await deriveBytes(key, a, b, 32), hkdfSha512(personal, { salt: a, info: b, length: 32 }));
  assert.equal(key.extractable, false);
  assert.notDeepEqual(loginKey, personal);
  assert.notDeepEqual(mixSecondSecret(master, new Uint8Array(16), salt), master);
  await assert.rejects(deriveFromMaster(new Uint8Array(31), salt), Misuse);
});

test('the salt binds server, name and stored random', () => {
  const [server, stored] = [sha256(utf8('server')), sha256(utf8('stored'))];
  assert.deepEqual(unlockSalt(server, 'ana', stored), sha256(concat(server, utf8('ana'), stored)));
});

test('a password is the same however its accents are composed', () => {
  assert.deepEqual(passwordBytes('pin\u0303a \ufb01'), passwordBytes('pi\u00f1a fi'));
});

test('a recovery code survives paper: case, spaces, O, I and L', async () => {
  const random = seeded('recovery');
  for (let round = 0; round < 50; round++) {
    const code = newRecoveryCode(random);
    const text = formatRecoveryCode(code);
    assert.match(text, /^([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
    assert.deepEqual(parseRecoveryCode(text), code);
    const scribbled = ` ${text.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', round % 2 === 0 ? 'i' : 'L')} `;
    assert.deepEqual(parseRecoveryCode(scribbled), code);
  }
  assert.equal(formatRecoveryCode(new Uint8Array(20).fill(0xff)), 'ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ');
  for (const wrong of ['', 'ZZZZ', 'U'.repeat(32), '0'.repeat(31), '0'.repeat(33), `${'0'.repeat(31)}!`]) assert.equal(parseRecoveryCode(wrong), null);
});

test('recovery login key and recovery key are bound to the account', async () => {
  const code = new Uint8Array(20).fill(5);
  const [one, two] = [await deriveFromRecovery(code, sha256(utf8('one'))), await deriveFromRecovery(code, sha256(utf8('two')))];
  assert.notEqual(toHex(one.loginKey), toHex(two.loginKey));
  assert.notDeepEqual(await deriveBytes(one.key, one.loginKey, code, 32), await deriveBytes(two.key, one.loginKey, code, 32));
  await assert.rejects(deriveFromRecovery(new Uint8Array(19), code), Misuse);
});
