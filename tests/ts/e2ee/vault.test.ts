/** The vault: wraps, files, epochs, account keys; every altered byte is noticed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { HYBRID } from '../../../static/src/crypto/signature.ts';
import { hkdfBaseKey } from '../../../static/src/crypto/vaultkey.ts';
import { AccountKeys, addGeneration, openAccountKeys, rewrapAccountKeys, sealAccountKeys } from '../../../static/src/e2ee/accountkeys.ts';
import { AuthenticationFailed, Misuse, PeerViolation, ServerViolation } from '../../../static/src/e2ee/errors.ts';
import { newGeneration } from '../../../static/src/e2ee/identity.ts';
import {
  MAX_BLOB, MIN_BLOB, type Unlocking, WRAPS_PATH, Wraps, createVault, filePath, openFile, openVault, replaceRecovery, rotateVault, sealFile,
} from '../../../static/src/e2ee/vault.ts';
import { Contacts, Settings, archiveLabel, markPath, sessionLabel } from '../../../static/src/e2ee/vaultfiles.ts';
import { START, flipped, makeAccount, seeded } from './world.ts';

const ACCOUNT = sha256(utf8('an account'));
const random = seeded('vault tests');
const personal = await hkdfBaseKey(sha256(utf8('personal')));
const recovery = await hkdfBaseKey(sha256(utf8('recovery')));
const other = await hkdfBaseKey(sha256(utf8('other')));
const byPassword: Unlocking = { by: 'password', key: personal };
const byRecovery: Unlocking = { by: 'recovery', key: recovery };
const { vault, wraps } = await createVault(ACCOUNT, { password: personal, recovery }, random);

test('the vault opens by password and by recovery code, and by nothing else', async () => {
  const path = await filePath(vault, 'keys');
  const blob = await sealFile(vault, path, 3, utf8('a secret'), random);
  for (const unlocking of [byPassword, byRecovery]) {
    const opened = await openVault(wraps, ACCOUNT, unlocking);
    assert.deepEqual(await filePath(opened, 'keys'), path);
    assert.deepEqual(await openFile(opened, path, 3, blob), utf8('a secret'));
  }
  for (const wrong of [{ by: 'password', key: other }, { by: 'password', key: recovery }, { by: 'recovery', key: personal }] as const) {
    await assert.rejects(openVault(wraps, ACCOUNT, wrong), AuthenticationFailed);
  }
  await assert.rejects(openVault(wraps, sha256(utf8('another')), byPassword), ServerViolation);
});

test('no key of the vault can be read by the page', async () => {
  const opened = await openVault(wraps, ACCOUNT, byPassword);
  for (const key of [opened.names, ...opened.keys.values()]) {
    assert.equal(key.extractable, false);
    await assert.rejects(crypto.subtle.exportKey('raw', key));
  }
});

test('attack 15: every flipped byte of the wraps is noticed', async () => {
  for (let at = 0; at < wraps.length; at++) {
    const forged = wraps.slice();
    forged[at]! ^= 0x41;
    const results = await Promise.allSettled([byPassword, byRecovery].map((unlocking) => openVault(forged, ACCOUNT, unlocking)));
    assert.ok(results.some(({ status }) => status === 'rejected'), `byte ${at}`);
    for (const result of results) {
      if (result.status === 'rejected') assert.ok([AuthenticationFailed, PeerViolation, ServerViolation].some((kind) => result.reason instanceof kind));
    }
  }
});

test('attack 15: every flipped byte of a private file is noticed', async () => {
  const path = await filePath(vault, 'settings');
  const blob = await sealFile(vault, path, 1, new Uint8Array(100), random);
  assert.equal(blob.length, MIN_BLOB);
  for (let at = 0; at < blob.length; at++) {
    const forged = blob.slice();
    forged[at]! ^= 1 << (at % 8);
    await assert.rejects(openFile(vault, path, 1, forged), AuthenticationFailed, `byte ${at}`);
  }
});

test('attacks 11 and 17: an older version, another path or another account does not open', async () => {
  const [path, another] = [await filePath(vault, 'session/a'), await filePath(vault, 'session/b')];
  const blob = await sealFile(vault, path, 5, utf8('state 5'), random);
  await assert.rejects(openFile(vault, path, 6, blob), AuthenticationFailed);
  await assert.rejects(openFile(vault, path, 4, blob), AuthenticationFailed);
  await assert.rejects(openFile(vault, another, 5, blob), AuthenticationFailed);
  await assert.rejects(openFile({ ...vault, account: sha256(utf8('another')) }, path, 5, blob), AuthenticationFailed);
});

test('file sizes are powers of two from 1 KiB to 1 MiB, and say nothing else', async () => {
  const path = await filePath(vault, 'x');
  const overhead = 53 + 4;
  for (const [length, size] of [[0, 1024], [1024 - overhead, 1024], [1025 - overhead, 2048], [5000, 8192], [MAX_BLOB - overhead, MAX_BLOB]] as const) {
    const blob = await sealFile(vault, path, 1, new Uint8Array(length), random);
    assert.equal(blob.length, size);
    assert.equal((await openFile(vault, path, 1, blob)).length, length);
  }
  await assert.rejects(sealFile(vault, path, 1, new Uint8Array(MAX_BLOB - overhead + 1), random), Misuse);
});

test('two blobs of the same plaintext have nothing in common after the epoch', async () => {
  const path = await filePath(vault, 'x');
  const [a, b] = [await sealFile(vault, path, 1, utf8('same'), random), await sealFile(vault, path, 1, utf8('same'), random)];
  assert.deepEqual(a.slice(0, 5), b.slice(0, 5));
  assert.notDeepEqual(a.slice(5, 37), b.slice(5, 37));
  assert.notDeepEqual(a.slice(37), b.slice(37));
});

test('a new epoch: new owners, same names, older files still readable', async () => {
  const path = await filePath(vault, 'archive');
  const old = await sealFile(vault, path, 1, utf8('old'), random);
  const second = await rotateVault(wraps, ACCOUNT, byPassword, { password: other, recovery: null }, random);
  const third = await rotateVault(second.wraps, ACCOUNT, { by: 'password', key: other }, { password: other, recovery }, random);
  for (const opened of [third.vault, await openVault(third.wraps, ACCOUNT, byRecovery)]) {
    assert.equal(opened.epoch, 3);
    assert.deepEqual(await filePath(opened, 'archive'), path);
    assert.deepEqual(await openFile(opened, path, 1, old), utf8('old'));
    const fresh = await sealFile(opened, path, 2, utf8('new'), random);
    await assert.rejects(openFile(vault, path, 2, fresh), AuthenticationFailed);
  }
  await assert.rejects(openVault(third.wraps, ACCOUNT, byPassword), AuthenticationFailed);
  await assert.rejects(openVault(second.wraps, ACCOUNT, byRecovery), Misuse);
  assert.deepEqual(await openFile(await openVault(wraps, ACCOUNT, byPassword), path, 1, old), utf8('old'));
});

test('attack 11: the account\'s own files of an epoch that ended are refused', async () => {
  const next = await rotateVault(wraps, ACCOUNT, byPassword, { password: other, recovery: null }, random);
  for (const label of ['keys', 'prekeys', 'contacts', 'settings']) {
    const path = await filePath(vault, label);
    const old = await sealFile(vault, path, 1, utf8(label), random);
    assert.deepEqual(await openFile(vault, path, 1, old), utf8(label));
    await assert.rejects(openFile(next.vault, path, 1, old), ServerViolation);
  }
});

test('a new recovery code replaces the old one within the epoch', async () => {
  const renewed = await replaceRecovery(wraps, ACCOUNT, byPassword, other, random);
  assert.equal((await openVault(renewed, ACCOUNT, { by: 'recovery', key: other })).epoch, 1);
  assert.equal((await openVault(renewed, ACCOUNT, byPassword)).epoch, 1);
  await assert.rejects(openVault(renewed, ACCOUNT, byRecovery), AuthenticationFailed);
  const removed = await replaceRecovery(wraps, ACCOUNT, byPassword, null, random);
  assert.equal(Wraps.decode(removed).recovery, null);
});

test('account keys: sealed, opened, used, re-wrapped; swapped or altered blobs are refused', async () => {
  const alice = await makeAccount('vault alice', 1);
  const mine = await createVault(alice.id, { password: personal, recovery: null }, random);
  const sealed = await sealAccountKeys(mine.vault, alice.made.secrets, random);
  const next = await newGeneration(alice.made.root, alice.id, 2, START, random);
  const two = await addGeneration(mine.vault, sealed, next.secrets, random);
  const keys = AccountKeys.decode(AccountKeys.encode(two));
  const opened = await openAccountKeys(mine.vault, keys);
  assert.deepEqual(opened.root.public, alice.made.root.public);
  assert.deepEqual(opened.keys.map(({ generation }) => generation), [1, 2]);
  const message = utf8('signed by unwrapped keys');
  await HYBRID.verify(opened.keys[1]!.signing.public, message, await opened.keys[1]!.signing.sign(message));
  assert.deepEqual(opened.keys[0]!.agreement.public, alice.identity.keys[0]!.agreement.public);
  const [first, second] = keys.generations;
  const swapped = { ...keys, generations: [{ ...first!, x: second!.x }, second!] };
  await assert.rejects(openAccountKeys(mine.vault, swapped), AuthenticationFailed);
  const elsewhere = { ...keys, root: first!.signing };
  await assert.rejects(openAccountKeys(mine.vault, elsewhere), AuthenticationFailed);
  for (const bit of [0, 100, 300]) await assert.rejects(openAccountKeys(mine.vault, { ...keys, root: { ...keys.root, ed: flipped(keys.root.ed, bit) } }), AuthenticationFailed);
  const claimed = { ...keys, rootPublic: opened.keys[0]!.signing.public };
  await assert.rejects(openAccountKeys(mine.vault, claimed), PeerViolation);
  const rotated = await rotateVault(mine.wraps, alice.id, byPassword, { password: other, recovery: null }, random);
  await assert.rejects(openAccountKeys(rotated.vault, keys), AuthenticationFailed);
  const again = await rewrapAccountKeys(rotated.vault, 1, keys, random);
  assert.deepEqual((await openAccountKeys(rotated.vault, again)).root.public, alice.made.root.public);
});

test('labels and well-known paths', () => {
  const thread = new Uint8Array(32).fill(0xab);
  assert.equal(sessionLabel(thread), `session/${'ab'.repeat(32)}`);
  assert.equal(archiveLabel(thread, 12), `archive/${'ab'.repeat(32)}/12`);
  assert.deepEqual(markPath(thread), sha256(utf8('securemsg/file/mark/1'), thread));
  assert.deepEqual(WRAPS_PATH, sha256(utf8('securemsg/file/wraps/1')));
  const settings = { serverFingerprint: thread, checkpointSize: 1, checkpointRoot: thread, sendReadMarks: true, language: 'es', theme: 'dark' };
  assert.deepEqual(Settings.decode(Settings.encode(settings)), settings);
  const contact = { account: thread, name: 'Ana', fingerprint: thread, state: 'accepted', verified: false, thread, added: 3 } as const;
  assert.deepEqual(Contacts.decode(Contacts.encode({ contacts: [contact] })).contacts, [contact]);
});
