/** One message's bytes: sizes, suites, and that no part of it can be altered. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Envelope, SIZE_CLASSES, readEnvelope } from '../../../static/src/codec/messages.ts';
import { MalformedData, Unencodable } from '../../../static/src/codec/schema.ts';
import { importAgreementKey } from '../../../static/src/crypto/agreement.ts';
import { utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { importSigningKey } from '../../../static/src/crypto/signature.ts';
import { MAX_TEXT, type OpenedMessage, type SealRequest, openArchived, openEnvelope, sealEnvelope } from '../../../static/src/e2ee/envelope.ts';
import { AuthenticationFailed, Misuse, PeerViolation } from '../../../static/src/e2ee/errors.ts';
import { pad, padTo, unpad, unpadFrom } from '../../../static/src/e2ee/padding.ts';
import { type SendStep, sendStep, startInitiator } from '../../../static/src/e2ee/ratchet.ts';
import { flipped, seeded } from './world.ts';

const HASH = (label: string): Uint8Array => sha256(utf8(label));
const place = { thread: HASH('thread'), session: HASH('session'), author: HASH('author') };
const signer = await importSigningKey(seeded('signer')(64));
const another = await importSigningKey(seeded('another signer')(64));
const prekey = await importAgreementKey(seeded('prekey')(96));
const ratchet = startInitiator({ root: HASH('r'), headerA: HASH('x'), headerB: HASH('y') }, prekey.public);
const step: SendStep = await sendStep(ratchet, place, seeded('step'));
const find = (): Uint8Array => signer.public;

function request(text: string, change: Partial<SealRequest> = {}): SealRequest {
  return {
    id: null, place, confirm: HASH('confirm'), seen: 5, aead: 'AES-256-GCM', signer,
    signed: {
      generation: 1, time: 99, previousSequence: 4, previous: HASH('previous'), sessionVersion: 3,
      checkpointSize: 8, checkpointRoot: HASH('checkpoint'), content: { kind: 'text', text },
    },
    ...change,
  };
}

async function sealed(text = 'hello', change: Partial<SealRequest> = {}): Promise<{ envelope: Envelope; contentKey: Uint8Array; body: Uint8Array }> {
  const { body, contentKey } = await sealEnvelope(request(text, change), step, seeded('message'));
  return { envelope: readEnvelope(body), contentKey, body };
}

function open(envelope: Envelope, confirm = HASH('confirm'), messageKey = step.messageKey): Promise<OpenedMessage> {
  return openEnvelope(envelope, place.thread, confirm, messageKey, find);
}

for (const aead of ['AES-256-GCM', 'ChaCha20-Poly1305', 'AES-XChaCha'] as const) {
  test(`a message comes back, by its message key and by its content key: ${aead}`, async () => {
    const { envelope, contentKey } = await sealed('¡hola! 🙂', { aead });
    const opened = await open(envelope);
    assert.deepEqual(opened.signed, request('¡hola! 🙂').signed);
    assert.deepEqual(opened.contentKey, contentKey);
    assert.deepEqual(await openArchived(envelope, place.thread, contentKey, find), opened.signed);
  });
}

test('attack 43: only size classes are seen', async () => {
  const sizes = new Set<number>();
  for (const length of [0, 1, 200, 400, 4_000, 4_500, 12_000, 20_000, MAX_TEXT]) {
    const { envelope, body } = await sealed('x'.repeat(length));
    assert.ok(SIZE_CLASSES.includes(envelope.body.length - 16));
    assert.ok(body.length < 65_535);
    sizes.add(body.length);
  }
  assert.equal(sizes.size, SIZE_CLASSES.length);
});

test('text over 32,768 bytes is refused, also when its characters are fewer', async () => {
  await assert.rejects(sealed('x'.repeat(MAX_TEXT + 1)), Unencodable);
  await assert.rejects(sealed('é'.repeat(MAX_TEXT / 2 + 1)), Unencodable);
});

test('no part of an envelope can be altered', async () => {
  const { envelope, contentKey } = await sealed();
  const changes: Partial<Envelope>[] = [
    { author: { kind: 'member', account: HASH('somebody else') } },
    { session: HASH('another session') },
    { id: flipped(envelope.id, 0) },
    { seen: 6 },
    { salt: flipped(envelope.salt, 17) },
    { aead: 'ChaCha20-Poly1305' },
    { header: flipped(envelope.header, 1) },
    { wrap: flipped(envelope.wrap, 77) },
    { commitment: flipped(envelope.commitment, 255) },
    { body: flipped(envelope.body, 5_000) },
  ];
  for (const change of changes) {
    await assert.rejects(open({ ...envelope, ...change }), AuthenticationFailed, JSON.stringify(Object.keys(change)));
    if (!('wrap' in change)) await assert.rejects(openArchived({ ...envelope, ...change }, place.thread, contentKey, find), AuthenticationFailed);
  }
  await assert.rejects(openEnvelope(envelope, HASH('another thread'), HASH('confirm'), step.messageKey, find), AuthenticationFailed);
  await assert.rejects(open(envelope, HASH('another derivation')), AuthenticationFailed);
  await assert.rejects(open(envelope, HASH('confirm'), HASH('another key')), AuthenticationFailed);
  await assert.rejects(openArchived(envelope, place.thread, flipped(contentKey, 0), find), AuthenticationFailed);
});

test('attack 19: a message signed by another key than the author\'s is refused', async () => {
  const { envelope } = await sealed('hello', { signer: another });
  await assert.rejects(open(envelope), AuthenticationFailed);
});

test('an envelope of another suite, length or field count is malformed', async () => {
  const { envelope, body } = await sealed();
  assert.throws(() => Envelope.encode({ ...envelope, suite: 'SM0' as 'SM1' }), Unencodable);
  assert.throws(() => readEnvelope(Envelope.encode({ ...envelope, body: new Uint8Array(4_000) })), MalformedData);
  for (const cut of [body.slice(0, -1), body.slice(1), Uint8Array.of(...body, 0), new Uint8Array(0)]) assert.throws(() => readEnvelope(cut), MalformedData);
});

test('padding: every length fits, comes back, and has one form', () => {
  for (const length of [0, 1, 3_838, 3_839, 3_840, 7_935, 7_936, 65_023]) {
    const padded = pad(new Uint8Array(length).fill(0x80));
    assert.ok(SIZE_CLASSES.includes(padded.length));
    assert.equal(unpad(padded).length, length);
  }
  assert.throws(() => pad(new Uint8Array(65_024)), Misuse);
  assert.throws(() => unpad(padTo(new Uint8Array(10), 7_936)), PeerViolation);
  assert.throws(() => unpadFrom(new Uint8Array(64)), PeerViolation);
  assert.throws(() => unpadFrom(Uint8Array.of(0x80, 1)), PeerViolation);
  assert.deepEqual(unpadFrom(Uint8Array.of(0x80, 0, 0)), new Uint8Array(0));
});
