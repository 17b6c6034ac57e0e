/** Attacks by their numbers (the list behind docs/threats.md); what touches one module alone is tested beside it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIND_HANDSHAKE, KIND_MESSAGE, readEnvelope } from '../../../static/src/codec/messages.ts';
import { toHex } from '../../../static/src/crypto/bytes.ts';
import { RolledBack, ServerViolation } from '../../../static/src/e2ee/errors.ts';
import type { ThreadEvent } from '../../../static/src/e2ee/events.ts';
import { Prekeys } from '../../../static/src/e2ee/prekeys.ts';
import { type Sent, send } from '../../../static/src/e2ee/send.ts';
import { ThreadState, newThread } from '../../../static/src/e2ee/state.ts';
import { type ServedEntry, receive } from '../../../static/src/e2ee/thread.ts';
import { type Browser, type Server, flipped, placeEntry, seeded, twoPeople } from './world.ts';

interface Body {
  readonly kind: string;
  readonly body: Uint8Array;
}

async function conversation(label: string): Promise<{ server: Server; alice: Browser; bob: Browser; bodies: Body[] }> {
  const { server, alice, bob } = await twoPeople(label);
  for (const text of ['a1', 'a2']) await alice.say(text);
  await bob.sync();
  for (const text of ['b1', 'b2']) await bob.say(text);
  await alice.sync();
  for (const text of ['a3', 'a4', 'a5']) await alice.say(text);
  return { server, alice, bob, bodies: bodiesOf(server) };
}

function bodiesOf(server: Server): Body[] {
  const kinds = ['opened', 'handshake', 'opening', 'message', 'message', 'opening', 'message', 'message', 'opening', 'message', 'message', 'message'];
  return server.entries.map(({ body }, index) => ({ kind: kinds[index]!, body: body! }));
}

/** A chain that a lying server makes of these bodies: whole, signed for all that a client can tell, and wrong. */
function chainOf(thread: Uint8Array, bodies: readonly Body[]): ServedEntry[] {
  return bodies.map(({ kind, body }, index) => placeEntry(thread, index, kind, body, 1, new Uint8Array(32).fill(index)));
}

function shuffled<T>(items: readonly T[], random: (size: number) => Uint8Array): T[] {
  const rest = [...items];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice(random(1)[0]! % rest.length, 1));
  return out;
}

function textsOf(events: readonly ThreadEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'Received' ? [event.content.text] : []));
}

function isFlagged(event: ThreadEvent): boolean {
  return event.kind === 'Undecryptable' || event.kind === 'Refused' || (event.kind === 'Received' && event.gap > 0);
}

/** Bob reads from nothing, as in a new browser that has his prekeys. */
async function freshRead(bob: Browser, entries: readonly ServedEntry[], prekeys: Prekeys): Promise<readonly ThreadEvent[]> {
  const start = newThread(bob.server.thread, bob.peer.id);
  return (await receive(start, entries, { ...(await bob.context()), prekeys, unknownOwnBelow: entries.length })).events;
}

test('attack 8: a replayed handshake is refused; session and prekeys stay what they were, byte for byte', async () => {
  const { server, bob } = await conversation('attack 8');
  await bob.sync();
  const [sessions, prekeys] = [bob.state.sessions, Prekeys.encode(bob.prekeys)];
  const replayed = server.entries[1]!.body!;
  for (const body of [replayed, replayed]) server.append(KIND_HANDSHAKE, body, bob.now);
  const events = await bob.sync();
  assert.deepEqual(events.map(({ kind }) => kind), ['Refused', 'Refused']);
  assert.deepEqual(bob.state.sessions, sessions);
  assert.deepEqual(Prekeys.encode(bob.prekeys), prekeys);
});

test('attack 8: a rival handshake that made room is not taken again', async () => {
  const { server, alice, bob } = await twoPeople('attack 8 rivals');
  const context = await alice.sendContext(false);
  const tries: Sent[] = [];
  for (let number = 0; number < 6; number++) tries.push(await send(alice.state, { kind: 'text', text: `try ${number}` }, context));
  server.append(tries[0]!.appends[0]!.kind, tries[0]!.appends[0]!.body, bob.now);
  const show = (): void => {
    for (const { appends } of tries) for (const { kind, body } of appends.slice(1)) server.append(kind, body, bob.now);
  };
  show();
  assert.equal((await bob.sync()).filter(({ kind }) => kind === 'SessionStarted').length, 4);
  assert.deepEqual(bob.texts, ['try 0', 'try 1', 'try 2', 'try 3']);
  // As after a few hundred messages more: the content keys are in the archive.
  bob.state = { ...bob.state, kept: [] };
  const { sessions } = bob.state;
  show();
  assert.ok((await bob.sync()).every(({ kind }) => kind === 'Refused' || kind === 'Undecryptable'));
  assert.deepEqual(bob.state.sessions, sessions);
});

test('attack 9: reordered, replayed and moved messages are refused or shown as such', async () => {
  const { server, bob, bodies } = await conversation('attack 9');
  const elsewhere = await conversation('attack 9 elsewhere');
  const prekeys = bob.account.made.prekeys;
  const honest = textsOf(await freshRead(bob, chainOf(server.thread, bodies), prekeys));
  assert.deepEqual(new Set(honest).size, honest.length);
  const theirs = ['a1', 'a2', 'a3', 'a4', 'a5'];
  const random = seeded('attack 9 schedule');
  for (let round = 0; round < 100; round++) {
    const kept = shuffled(bodies.slice(1), random);
    const extra = [elsewhere.bodies, bodies].map((from) => from[1 + (random(1)[0]! % (from.length - 1))]!);
    const order = shuffled(round % 2 === 0 ? kept : [...kept, ...extra], random);
    const events = await freshRead(bob, chainOf(server.thread, [bodies[0]!, ...order]), prekeys);
    const texts = textsOf(events);
    assert.ok(texts.every((text) => theirs.includes(text)), `round ${round}: only what the peer wrote`);
    assert.equal(new Set(texts).size, texts.length, `round ${round}: nothing twice`);
    assert.ok(events.every((event) => event.kind !== 'Received' || toHex(event.author) === toHex(bob.peer.id)), `round ${round}: the right author`);
    assert.ok(events.some(isFlagged), `round ${round}: it is shown`);
  }
});

test('attack 9: a message of one sender or thread is none of another', async () => {
  const { server, alice, bob, bodies } = await conversation('attack 9 moved');
  await bob.sync();
  const mirrored = bodies.filter(({ kind }) => kind === KIND_MESSAGE).slice(0, 2);
  for (const { kind, body } of mirrored) server.append(kind, body, bob.now);
  const [bobs, alices] = [await bob.sync(), await receive(alice.state, server.entries.slice(alice.state.chain.size), await alice.context())];
  assert.ok(bobs.every(({ kind }) => kind === 'Undecryptable'));
  assert.deepEqual(textsOf(alices.events), []);
});

test('attack 10: each message dropped in turn leaves a visible gap', async () => {
  const { server, bob, bodies } = await conversation('attack 10');
  const prekeys = bob.account.made.prekeys;
  const messages = bodies.flatMap(({ kind, body }, index) =>
    (kind === KIND_MESSAGE && toHex(readEnvelope(body).author.account) === toHex(bob.peer.id) ? [index] : []));
  assert.equal(messages.length, 5);
  for (const dropped of messages.slice(0, -1)) {
    const left = chainOf(server.thread, bodies.filter((_, index) => index !== dropped));
    assert.ok((await freshRead(bob, left, prekeys)).some(isFlagged), `entry ${dropped} dropped`);
    const erased = server.entries.map((entry, index) => (index === dropped ? { ...entry, body: null } : entry));
    const events = await freshRead(bob, erased, prekeys);
    assert.ok(events.some((event) => event.kind === 'Undecryptable' && event.reason === 'erased' && event.sequence === dropped));
  }
  await assert.rejects(freshRead(bob, server.entries.filter((_, index) => index !== 4), prekeys), ServerViolation);
});

test('attack 11: every older session file is noticed, and its keys never meet another message', async () => {
  const { server, alice, bob } = await twoPeople('attack 11', 8);
  const snapshots: { state: ThreadState; size: number }[] = [];
  const keep = (): unknown => snapshots.push({ state: alice.state, size: server.entries.length });
  for (let round = 0; round < 4; round++) {
    await alice.say(`a${round}`, { renew: round === 2 });
    keep();
    await alice.say(`a${round} again`);
    keep();
    await bob.say(`b${round}`);
    await alice.sync();
    keep();
  }
  const salts = new Set(server.entries.filter(({ body }) => body !== null).flatMap(({ body }) => saltOf(body!)));
  const sent = salts.size;
  for (const { state, size } of snapshots.slice(0, -3)) {
    const bytes = ThreadState.encode(state);
    await assert.rejects(receive(state, server.entries.slice(state.chain.size), await alice.context()), RolledBack);
    assert.deepEqual(ThreadState.encode(state), bytes, `a snapshot at ${size}`);
    const forced = await send(state, { kind: 'text', text: 'from the past' }, { ...(await alice.sendContext()), random: alice.random });
    for (const { kind, body } of forced.appends) if (kind === KIND_MESSAGE) salts.add(saltOf(body)[0]!);
  }
  assert.equal(salts.size, sent + snapshots.length - 3);
  const last = snapshots.at(-1)!;
  assert.deepEqual((await receive(last.state, server.entries.slice(last.state.chain.size), await alice.context())).events, []);
});

/** What every key of a message is derived with. */
function saltOf(body: Uint8Array): string[] {
  try {
    return [toHex(readEnvelope(body).salt)];
  } catch {
    return [];
  }
}

test('attack 19: sender, session, time of seeing and id are inside what is authenticated', async () => {
  const { server, bob, bodies } = await conversation('attack 19');
  const prekeys = bob.account.made.prekeys;
  for (let round = 0; round < 40; round++) {
    const { body } = bodies[3]!;
    const bit = Math.floor(((round + 0.5) / 40) * 8 * body.length);
    const forged = bodies.map((one, index) => (index === 3 ? { ...one, body: flipped(body, bit) } : one));
    const events = await freshRead(bob, chainOf(server.thread, forged.slice(0, 4)), prekeys);
    assert.deepEqual(textsOf(events), [], `bit ${bit}`);
    assert.equal(events.at(-1)!.kind, 'Undecryptable');
  }
});

