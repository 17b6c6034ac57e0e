/** Accounts, bundles and prekeys: what is accepted, and everything that is not. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchEntry, BatchStatement, Bundle, CredentialEvent, KeysEntry, KeysStatement, PrekeyHanded, PrekeyStatement, TYPE_KEYS, TYPE_POSSESSION, TYPE_PREKEY } from '../../../static/src/codec/accounts.ts';
import { signDetached, signStatement, unverifiedPayload } from '../../../static/src/codec/statement.ts';
import { importAgreementKey } from '../../../static/src/crypto/agreement.ts';
import { concat, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { importSigningKey } from '../../../static/src/crypto/signature.ts';
import { PeerViolation, ServerViolation } from '../../../static/src/e2ee/errors.ts';
import { checkCurrent, newGeneration, openBundle, safetyNumber, viewOf } from '../../../static/src/e2ee/identity.ts';
import { MIN_UNUSED, PREKEY_KEPT, PREKEY_LIFETIME, Prekeys, addBatch, addSignedPrekey, dropOldPrekeys, replenish, unusedOneTime, useUp } from '../../../static/src/e2ee/prekeys.ts';
import { AccountViolation, applyEntry, keysOf } from '../../../static/src/ledger/accountchain.ts';
import { SERVER_ID, START, flipped, makeAccount, seeded } from './world.ts';

const alice = await makeAccount('alice', 4);
const mallory = await makeAccount('mallory', 4);
const view = alice.identity.view;
const { root } = alice.made;
const random = seeded('identity tests');
const expected = { server: SERVER_ID, account: alice.id, pinned: alice.fingerprint };
const good = Bundle.decode(alice.bundle());

async function refused(change: Partial<Bundle>, rule: RegExp): Promise<void> {
  await assert.rejects(openBundle(Bundle.encode({ ...good, ...change }), expected), (error) => error instanceof PeerViolation && rule.test(error.message));
}

test('a bundle opens, with its one-time prekey and without', async () => {
  const full = await openBundle(Bundle.encode(good), expected);
  assert.deepEqual(full.oneTime?.index, 0);
  assert.deepEqual(full.keys, keysOf(view));
  const last = await openBundle(Bundle.encode({ ...good, oneTime: null }), { ...expected, pinned: null });
  assert.equal(last.oneTime, null);
  checkCurrent(last, view);
});

test('attack 1: another key in any place of a bundle is refused', async () => {
  const other = Bundle.decode(mallory.bundle());
  await refused({ account: other.account }, /another account/);
  await refused({ keys: other.keys }, /another key/);
  await refused({ prekey: other.prekey }, /another key/);
  await refused({ oneTime: { ...good.oneTime!, batch: other.oneTime!.batch } }, /another key/);
  await refused({ oneTime: { ...good.oneTime!, key: other.oneTime!.key } }, /another root/);
  await refused({ oneTime: { ...good.oneTime!, index: 1 } }, /another root/);
  await refused({ oneTime: { ...good.oneTime!, index: 4 } }, /outside the tree/);
  await refused({ oneTime: { ...good.oneTime!, path: good.oneTime!.path.slice(1) } }, /too short/);
  await assert.rejects(openBundle(Bundle.encode(other), expected), PeerViolation);
  await assert.rejects(openBundle(Bundle.encode(good), { ...expected, pinned: mallory.fingerprint }), /pinned/);
  await assert.rejects(openBundle(Bundle.encode(good), { ...expected, server: mallory.id }), /another server/);
});

test('a flipped bit anywhere in a bundle is refused', async () => {
  const data = Bundle.encode({ ...good });
  for (let at = 0; at < 24; at++) {
    const bit = Math.floor(((at + 0.5) / 24) * data.length * 8);
    await assert.rejects(openBundle(flipped(data, bit), expected), PeerViolation);
  }
});

test('attack 6: working keys without possession, or of another type of statement, are refused', async () => {
  const signing = await importSigningKey(random(64));
  const agreement = await importAgreementKey(random(96));
  const claim = { account: alice.id, generation: 2, signing: signing.public, agreement: agreement.public, suites: ['SM1'], created: START };
  const payload = KeysStatement.encode(claim);
  const statement = await signStatement(root, TYPE_KEYS, payload);
  const possession = await signDetached(signing, TYPE_POSSESSION, payload);
  await applyEntry(view, 'keys', KeysEntry.encode({ statement, possession }));
  const stolen = await signDetached(root, TYPE_POSSESSION, payload);
  await assert.rejects(applyEntry(view, 'keys', KeysEntry.encode({ statement, possession: stolen })), /possession/);
  const mistyped = await signStatement(root, TYPE_PREKEY, payload);
  await assert.rejects(applyEntry(view, 'keys', KeysEntry.encode({ statement: mistyped, possession })), AccountViolation);
  const foreign = KeysStatement.encode({ ...claim, account: mallory.id });
  const entry = KeysEntry.encode({ statement: await signStatement(root, TYPE_KEYS, foreign), possession: await signDetached(signing, TYPE_POSSESSION, foreign) });
  await assert.rejects(applyEntry(view, 'keys', entry), /another account/);
});

test('attack 3: a generation without a common suite is refused', async () => {
  const signing = await importSigningKey(random(64));
  const agreement = await importAgreementKey(random(96));
  const payload = KeysStatement.encode({ account: alice.id, generation: 2, signing: signing.public, agreement: agreement.public, suites: ['SM0'], created: START });
  const entry = KeysEntry.encode({ statement: await signStatement(root, TYPE_KEYS, payload), possession: await signDetached(signing, TYPE_POSSESSION, payload) });
  await assert.rejects(applyEntry(view, 'keys', entry), /suite/);
});

test('attack 7: a statement over an ML-KEM key that is not reduced is refused', async () => {
  const agreement = concat(view.prekeys[0]!.agreement.slice(0, 32), new Uint8Array(1568).fill(0xff));
  const body = await signStatement(root, TYPE_PREKEY, PrekeyStatement.encode({ account: alice.id, id: 2, agreement, created: START }));
  await assert.rejects(applyEntry(view, 'prekey', body), /not reduced/);
});

test('generations, prekeys and batches count up by one', async () => {
  const skipping = { ...alice.made.prekeys, nextPrekey: 3, nextBatch: 3 };
  await assert.rejects(applyEntry(view, 'prekey', (await addSignedPrekey(skipping, root, alice.id, START, random)).entry.body), /count up/);
  await assert.rejects(applyEntry(view, 'prekey-batch', (await addBatch(skipping, root, alice.id, 2, START, random)).entry.body), /count up/);
  await assert.rejects(applyEntry(view, 'keys', (await newGeneration(root, alice.id, 3, START, random)).entry.body), /count up/);
  await assert.rejects(applyEntry(view, 'keys', alice.entries[1]!.body), /count up/);
  const next = await newGeneration(root, alice.id, 2, START + 1, random);
  assert.equal((await applyEntry(view, 'keys', next.entry.body)).keys.length, 2);
});

test('a batch entry holds exactly the keys that its statement commits to', async () => {
  const { entry } = await addBatch(alice.made.prekeys, root, alice.id, 3, START, random);
  const { statement, keys } = BatchEntry.decode(entry.body);
  for (const wrong of [keys.slice(0, 2), [...keys].reverse(), [...keys, keys[0]!]]) {
    await assert.rejects(applyEntry(view, 'prekey-batch', BatchEntry.encode({ statement, keys: wrong })), AccountViolation);
  }
  assert.equal(BatchStatement.decode(unverifiedPayload(statement)).count, 3);
});

test('a chain begins with its account, and has no unknown kinds', async () => {
  await assert.rejects(viewOf(alice.entries.slice(1), SERVER_ID, alice.id), PeerViolation);
  await assert.rejects(viewOf([alice.entries[0]!, alice.entries[0]!], SERVER_ID, alice.id), PeerViolation);
  await assert.rejects(viewOf([], SERVER_ID, alice.id), PeerViolation);
  await assert.rejects(applyEntry(view, 'message', new Uint8Array(1)), AccountViolation);
  await assert.rejects(applyEntry(view, 'prekey', null), AccountViolation);
  assert.equal((await applyEntry(view, 'credential', CredentialEvent.encode({ reason: 'changed' }))), view);
});

test('what is left out of a batch leaves its place; each one-time prekey is handed out once', async () => {
  const known = await applyEntry(view, 'prekey-handed', PrekeyHanded.encode({ batch: 1, index: 3 }));
  await assert.rejects(applyEntry(known, 'prekey-handed', PrekeyHanded.encode({ batch: 1, index: 3 })), /once/);
  await assert.rejects(applyEntry(view, 'prekey-handed', PrekeyHanded.encode({ batch: 1, index: 4 })), /no such/);
  await assert.rejects(applyEntry(view, 'prekey-handed', PrekeyHanded.encode({ batch: 2, index: 0 })), /no such/);
  const blind = await applyEntry(view, 'prekey-batch', null);
  await applyEntry(blind, 'prekey-handed', PrekeyHanded.encode({ batch: 2, index: 31 }));
});

test('superseded or foreign keys in a bundle are noticed', async () => {
  const bundle = await openBundle(Bundle.encode(good), expected);
  const next = await newGeneration(root, alice.id, 2, START, random);
  const newer = await applyEntry(view, 'keys', next.entry.body);
  assert.throws(() => checkCurrent(bundle, newer), ServerViolation);
  assert.throws(() => checkCurrent(bundle, mallory.identity.view), PeerViolation);
});

test('replenishing: a week, eight keys, thirty days', async () => {
  const { prekeys } = alice.made;
  const nothing = await replenish({ ...prekeys }, root, view, START, random);
  assert.deepEqual(nothing.entries.map(({ kind }) => kind), ['prekey-batch']);
  assert.ok(unusedOneTime(nothing.prekeys, view) >= MIN_UNUSED);
  const full = nothing.prekeys;
  assert.deepEqual((await replenish(full, root, view, START + PREKEY_LIFETIME - 1, random)).entries, []);
  const weekly = await replenish(full, root, view, START + PREKEY_LIFETIME, random);
  assert.deepEqual(weekly.entries.map(({ kind }) => kind), ['prekey']);
  assert.equal(weekly.prekeys.signed.length, 2);
  assert.equal(dropOldPrekeys(weekly.prekeys, START + PREKEY_KEPT).signed.length, 2);
  const third = await addSignedPrekey(weekly.prekeys, root, alice.id, START + 2 * PREKEY_LIFETIME, random);
  assert.deepEqual(dropOldPrekeys(third.prekeys, START + PREKEY_KEPT).signed.map(({ id }) => id), [2, 3]);
  const spent = useUp(prekeys, { batch: 1, index: 2 });
  assert.equal(unusedOneTime(spent, view), 3);
  assert.equal(unusedOneTime(spent, { ...view, handed: [{ batch: 1, index: 0 }] }), 2);
  assert.deepEqual(Prekeys.decode(Prekeys.encode(spent)), spent);
});

test('a safety number is the same for both, and of digits', () => {
  const [a, b] = [sha256(utf8('a')), sha256(utf8('b'))];
  assert.equal(safetyNumber(a, b), safetyNumber(b, a));
  assert.match(safetyNumber(a, b), /^(\d{5} ){11}\d{5}$/);
  assert.notEqual(safetyNumber(a, b), safetyNumber(a, a));
});
