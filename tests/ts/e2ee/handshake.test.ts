/** The handshake: both sides agree, and nothing about it can be taken away, altered or repeated. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Handshake, TYPE_HANDSHAKE, type UnsignedHandshake, readHandshake } from '../../../static/src/codec/messages.ts';
import { MalformedData, Unencodable } from '../../../static/src/codec/schema.ts';
import { signDetached } from '../../../static/src/codec/statement.ts';
import { equalBytes, fromHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { AuthenticationFailed, NeedsAccount, PeerViolation } from '../../../static/src/e2ee/errors.ts';
import { type Session, initiate, respond, transcriptOf } from '../../../static/src/e2ee/handshake.ts';
import { openBundle } from '../../../static/src/e2ee/identity.ts';
import { Prekeys } from '../../../static/src/e2ee/prekeys.ts';
import { SERVER_ID, START, flipped, makeAccount, seeded } from './world.ts';

const [alice, bob, mallory] = [await makeAccount('alice'), await makeAccount('bob', 16), await makeAccount('mallory')];
const THREAD = sha256(utf8('thread'));
const NONE = new Uint8Array(0);
/** u coordinates of low order (RFC 7748 section 6.1 and the lists that implementations refuse). */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

async function begin(withOneTime = true): Promise<{ body: Uint8Array; session: Session }> {
  const bundle = await openBundle(bob.bundle(withOneTime), { server: SERVER_ID, account: bob.id, pinned: bob.fingerprint });
  return initiate(alice.identity, { thread: THREAD, replaces: NONE, bundle, now: START }, seeded('initiate'));
}

function accept(body: Uint8Array, prekeys = bob.made.prekeys): ReturnType<typeof respond> {
  return respond(bob.identity, prekeys, alice.identity.view, THREAD, body);
}

for (const withOneTime of [true, false]) {
  test(`both sides derive the same: ${withOneTime ? 'one-time prekey' : 'last resort'}`, async () => {
    const { body, session } = await begin(withOneTime);
    const answer = await accept(body);
    for (const field of ['id', 'replaces', 'confirm', 'mark'] as const) assert.deepEqual(answer.session[field], session[field]);
    assert.deepEqual(answer.session.ratchet.root, session.ratchet.root);
    assert.deepEqual(answer.session.ratchet.nextReceive, session.ratchet.nextSend);
    assert.deepEqual([answer.session.initiated, session.initiated], [false, true]);
    assert.equal(answer.session.lastResort, !withOneTime);
    assert.equal(answer.prekeys === bob.made.prekeys, !withOneTime);
  });
}

test('a one-time prekey is used once; a second handshake over it is refused and changes nothing', async () => {
  const { body } = await begin();
  const { prekeys } = await accept(body);
  const bytes = Prekeys.encode(prekeys);
  await assert.rejects(accept(body, prekeys), /spent/);
  assert.deepEqual(Prekeys.encode(prekeys), bytes);
});

test('attack 3: every field stripped or altered, the handshake is refused', async () => {
  const { body } = await begin();
  const whole = readHandshake(body);
  const changes: Partial<Record<keyof Handshake, unknown>>[] = [
    { suite: 'SM0' }, { suite: '' }, { thread: sha256(utf8('another')) }, { initiator: mallory.id }, { responder: mallory.id },
    { initiatorKeys: 2 }, { responderKeys: 2 }, { prekey: 2 }, { oneTime: null }, { oneTime: null, ctOneTime: null },
    { oneTime: { batch: 1, index: 3 } }, { oneTime: { batch: 9, index: 0 } }, { replaces: new Uint8Array(32) }, { replaces: new Uint8Array(5) },
    { ephemeral: flipped(whole.ephemeral, 1) }, { ephemeral: new Uint8Array(32) },
    { ctIdentity: flipped(whole.ctIdentity, 9) }, { ctPrekey: flipped(whole.ctPrekey, 9) }, { ctOneTime: flipped(whole.ctOneTime!, 9) },
    { ctIdentity: new Uint8Array(0) }, { ctPrekey: new Uint8Array(0) }, { ctOneTime: null },
    { created: START + 1 }, { signature: flipped(whole.signature, 3) }, { signature: flipped(whole.signature, 64 * 8 + 3) },
    { signature: new Uint8Array(3373) },
  ];
  for (const change of changes) {
    const tried = (async () => accept(Handshake.encode({ ...whole, ...change } as Handshake)))();
    await assert.rejects(tried, (error) =>
      [PeerViolation, AuthenticationFailed, NeedsAccount, Unencodable].some((kind) => error instanceof kind), JSON.stringify(Object.keys(change)));
  }
  for (let field = 0; field < 15; field++) {
    const values = Handshake.toValue(whole).filter((_, at) => at !== field);
    assert.throws(() => Handshake.fromValue(values), MalformedData);
  }
});

test('attack 6: a handshake that another account signs, or that is for another, is refused', async () => {
  const { body } = await begin();
  const whole = readHandshake(body);
  const forged = Handshake.encode({ ...whole, initiator: mallory.id, signature: await signDetached(mallory.identity.keys[0]!.signing, TYPE_HANDSHAKE, body) });
  await assert.rejects(respond(bob.identity, bob.made.prekeys, mallory.identity.view, THREAD, forged), AuthenticationFailed);
  await assert.rejects(respond(bob.identity, bob.made.prekeys, mallory.identity.view, THREAD, body), PeerViolation);
  await assert.rejects(respond(mallory.identity, mallory.made.prekeys, alice.identity.view, THREAD, body), PeerViolation);
});

test('attack 7: low-order ephemeral keys are refused though the initiator signed them', async () => {
  const { body } = await begin(false);
  const { signature, ...whole } = readHandshake(body);
  const sign = async (unsigned: UnsignedHandshake): Promise<Uint8Array> => {
    const transcript = transcriptOf(unsigned, {
      server: SERVER_ID,
      initiator: { root: alice.identity.view.root, keys: alice.identity.view.keys[0]! },
      responder: { root: bob.identity.view.root, keys: bob.identity.view.keys[0]! },
      prekey: bob.identity.view.prekeys[0]!.statement, batch: null, oneTime: null,
    });
    return Handshake.encode({ ...unsigned, signature: await signDetached(alice.identity.keys[0]!.signing, TYPE_HANDSHAKE, transcript) });
  };
  assert.equal((await accept(await sign(whole))).session.lastResort, true);
  for (const low of LOW_ORDER) {
    await assert.rejects(accept(await sign({ ...whole, ephemeral: fromHex(low) })), (error) => error instanceof PeerViolation && /low order/.test(error.rule));
  }
  assert.equal(signature.length, 3373);
});

test('keys that only another browser has published are asked for', async () => {
  const { body } = await begin();
  const whole = readHandshake(body);
  for (const change of [{ responderKeys: 2 }, { prekey: 2 }, { oneTime: { batch: 2, index: 0 } }]) {
    await assert.rejects(accept(Handshake.encode({ ...whole, ...change })), (error) =>
      error instanceof NeedsAccount && equalBytes(error.account, bob.id));
  }
  await assert.rejects(accept(Handshake.encode({ ...whole, initiatorKeys: 2 })), (error) =>
    error instanceof NeedsAccount && equalBytes(error.account, alice.id));
});
