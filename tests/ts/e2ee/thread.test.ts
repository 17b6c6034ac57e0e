/** Conversations as people have them, and what a thread's machine refuses. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Envelope, KIND_HANDSHAKE, KIND_MESSAGE, KIND_OPENING, Opened, TYPE_OPENED, readEnvelope } from '../../../static/src/codec/messages.ts';
import { signStatement } from '../../../static/src/codec/statement.ts';
import { equalBytes, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { AuthenticationFailed, Misuse, NeedsAccount, PeerViolation, RolledBack, ServerViolation, StaleSession } from '../../../static/src/e2ee/errors.ts';
import { newGeneration, viewOf } from '../../../static/src/e2ee/identity.ts';
import { openMark, sealMark } from '../../../static/src/e2ee/marks.ts';
import { MAX_UNPLACED, askReset, needsBundle, send } from '../../../static/src/e2ee/send.ts';
import { MAX_SESSIONS, ThreadState, archiveStep, loadThread, newThread } from '../../../static/src/e2ee/state.ts';
import { abandon, openHistory, receive } from '../../../static/src/e2ee/thread.ts';
import { Browser, SERVER_ID, type Server, flipped, makeAccount, placeEntry, seeded, twoPeople } from './world.ts';

const SALT = new Uint8Array(32);

function kinds(browser: Browser): string[] {
  return browser.events.map(({ kind }) => kind);
}

/** Receives by hand; a refusal must leave the same state with the same bytes. */
async function refuses(browser: Browser, entries: Server['entries'], error: new (...args: never[]) => Error): Promise<void> {
  const [state, bytes, context] = [browser.state, ThreadState.encode(browser.state), await browser.context()];
  await assert.rejects(receive(state, entries, context), error);
  assert.equal(browser.state, state);
  assert.deepEqual(ThreadState.encode(state), bytes);
}

test('two people talk, turn by turn', async () => {
  const { server, alice, bob } = await twoPeople('turns');
  await alice.say('hello');
  await alice.say('are you there?');
  assert.equal(server.entries.length, 5);
  await bob.sync();
  assert.deepEqual(kinds(bob), ['ThreadOpened', 'SessionStarted', 'Received', 'Received']);
  await bob.say('yes');
  await alice.sync();
  await alice.say('good');
  await bob.sync();
  await alice.sync();
  assert.deepEqual(bob.texts, ['hello', 'are you there?', 'good']);
  assert.deepEqual(alice.texts, ['yes']);
  assert.equal(kinds(alice).filter((kind) => kind === 'OwnMessage').length, 3);
  assert.equal(bob.events.some(({ kind }) => kind === 'FolderRolledBack'), false);
  assert.deepEqual(bob.events.flatMap((event) => (event.kind === 'Received' ? [event.gap] : [])), [0, 0, 0]);
});

test('every content cipher serves, and a message without one-time prekey says last resort', async () => {
  const { alice, bob } = await twoPeople('ciphers', 1);
  alice.peer.bundle();
  for (const aead of ['AES-256-GCM', 'ChaCha20-Poly1305', 'AES-XChaCha'] as const) {
    alice.aead = aead;
    await alice.say(aead);
  }
  await bob.sync();
  assert.deepEqual(bob.texts, ['AES-256-GCM', 'ChaCha20-Poly1305', 'AES-XChaCha']);
  assert.deepEqual(bob.events.find(({ kind }) => kind === 'SessionStarted'), {
    kind: 'SessionStarted', sequence: 1, session: bob.state.current, initiated: false, lastResort: true, created: alice.now,
  });
});

test('history is read again by content keys alone, from both sides, after the sessions are gone', async () => {
  const { server, alice, bob } = await twoPeople('history');
  await alice.say('first');
  await bob.say('second');
  await alice.sync();
  await bob.sync();
  for (const browser of [alice, bob]) {
    const { own, peer } = await browser.context();
    const texts: string[] = [];
    for (const { key, sequence, id } of abandon(browser.state).kept) {
      const entry = await openHistory(server.entries[sequence]!.body!, server.thread, key, own.view, peer);
      assert.deepEqual(entry.id, id);
      texts.push(entry.signed.content.text);
    }
    assert.deepEqual(texts, ['first', 'second']);
  }
});

test('both start at once: the first handshake wins, the other answers in it', async () => {
  const { server, alice, bob } = await twoPeople('both');
  const [a, b] = [await alice.sendContext(), await bob.sendContext()];
  const sent = await send(alice.state, { kind: 'text', text: 'from alice' }, a);
  assert.equal(server.transact(sent.appends, [{ name: 'a', expected: 0, data: ThreadState.encode(sent.state) }], 1), 'ok');
  const late = await send(bob.state, { kind: 'text', text: 'from bob' }, b);
  assert.equal(server.transact(late.appends, [], 1), 'conflict');
  assert.equal(server.transact(late.appends.slice(1), [], 1), 'stale-session');
  alice.state = sent.state;
  await bob.say('from bob');
  await alice.sync(server.entries).catch(() => assert.fail('alice can read'));
  assert.deepEqual(bob.texts, ['from alice']);
  assert.deepEqual(alice.texts, ['from bob']);
  assert.equal(server.entries.filter(({ body }) => body !== null).length, 6);
});

test('a lying server shows two handshakes over one register: both are read, the winner is sent in', async () => {
  const { server, alice, bob } = await twoPeople('split');
  const hers = await send(alice.state, { kind: 'text', text: 'from alice' }, await alice.sendContext());
  const his = await send(bob.state, { kind: 'text', text: 'from bob' }, await bob.sendContext());
  for (const { kind, body } of [...hers.appends, ...his.appends.slice(1)]) server.append(kind, body, 1);
  [alice.state, bob.state] = [hers.state, his.state];
  for (const browser of [alice, bob]) {
    const result = await receive(browser.state, server.entries, await browser.context());
    assert.deepEqual(result.events.filter(({ kind }) => kind === 'Received').length, 1);
    assert.equal(result.state.sessions.length, 2);
  }
});

test('a third handshake over the same register, or a repeated one, is refused', async () => {
  const { server, alice, bob } = await twoPeople('third');
  await alice.say('one');
  const handshake = server.entries[1]!.body!;
  await bob.sync();
  await bob.say('two');
  await alice.sync();
  await alice.say('three', { renew: true });
  server.append(KIND_HANDSHAKE, handshake, alice.now);
  const events = await bob.sync();
  assert.deepEqual(events.at(-1), { kind: 'Refused', sequence: server.entries.length - 1, entryKind: 'handshake', rule: 'handshake: seen before' });
  await alice.say('four', { renew: true });
  server.append(KIND_HANDSHAKE, flipped(handshake, 8 * handshake.length - 1), alice.now);
  const last = (await bob.sync()).at(-1)!;
  assert.ok(last.kind === 'Refused' && /does not replace/.test(last.rule));
  assert.deepEqual(bob.texts, ['one', 'three', 'four']);
});

test('a new session replaces the old one; at most four are kept', async () => {
  const { alice, bob } = await twoPeople('renew', 8);
  for (let round = 0; round < 6; round++) {
    await alice.say(`a${round}`, { renew: round > 0 });
    await bob.say(`b${round}`);
    await alice.sync();
  }
  assert.deepEqual(bob.texts, ['a0', 'a1', 'a2', 'a3', 'a4', 'a5']);
  assert.deepEqual(alice.texts, ['b0', 'b1', 'b2', 'b3', 'b4', 'b5']);
  for (const { state } of [alice, bob]) {
    assert.equal(state.sessions.length, MAX_SESSIONS);
    assert.ok(equalBytes(state.sessions.at(-1)!.id, state.current));
  }
});

test('a handshake that was refused is replaced by a new one', async () => {
  const { server, alice, bob } = await twoPeople('refused');
  await alice.say('hello');
  bob.prekeys = { ...bob.prekeys, batches: [{ ...bob.prekeys.batches[0]!, keys: [null, null, null, null] }] };
  await bob.sync();
  assert.deepEqual(kinds(bob), ['ThreadOpened', 'Refused', 'Undecryptable']);
  assert.ok(equalBytes(bob.state.current, server.register));
  assert.equal(needsBundle(bob.state), true);
  await bob.say('I could not read that');
  await alice.sync();
  assert.deepEqual(alice.texts, ['I could not read that']);
});

test('repair: what cannot be read is asked for, sent again in a new session, and shown once', async () => {
  const { server, alice, bob } = await twoPeople('repair');
  await alice.say('one');
  await bob.sync();
  await alice.say('lost');
  bob.state = { ...bob.state, sessions: [] };
  await bob.sync();
  const lost = bob.events.at(-1)!;
  assert.ok(lost.kind === 'Undecryptable' && lost.reason === 'session' && lost.id !== null);
  const ask = await askReset(bob.state, bob.account.identity, bob.state.current, [lost.id], bob.now);
  assert.equal(server.transact([ask, ask], [], bob.now), 'ok');
  const asked = (await alice.sync()).at(-2)!;
  assert.ok(asked.kind === 'ResetAsked' && equalBytes(asked.session, alice.state.current));
  const again = alice.events.at(-1)!;
  assert.ok(again.kind === 'Refused' && /an hour/.test(again.rule));
  const resent = { kind: 'resent', id: asked.ids[0]!, text: 'lost' } as const;
  assert.equal(await alice.trySend(resent, { renew: true }), 'ok');
  assert.equal(await alice.trySend(resent), 'ok');
  await bob.sync();
  const shown = bob.events.filter((event) => event.kind === 'Received' && event.content.kind === 'resent');
  assert.equal(shown.length, 2);
  assert.deepEqual(bob.texts.slice(0, 2), ['one', 'lost']);
  alice.now += 3_600_000;
  assert.equal(server.transact([ask], [], bob.now), 'ok');
  const replayed = (await alice.sync()).at(-1)!;
  assert.ok(replayed.kind === 'Refused' && /current session/.test(replayed.rule));
  const anew = await askReset(bob.state, bob.account.identity, bob.state.current, [lost.id], bob.now);
  assert.equal(server.transact([anew], [], bob.now), 'ok');
  assert.equal((await alice.sync()).at(-1)!.kind, 'ResetAsked');
});

test('a message that resends what was read, or under a used id, breaks the rules', async () => {
  const { server, alice, bob } = await twoPeople('used ids');
  await alice.say('one');
  await bob.sync();
  const { id } = bob.state.kept[0]!;
  assert.equal(await alice.trySend({ kind: 'resent', id, text: 'one' }), 'ok');
  await bob.sync();
  assert.deepEqual(bob.events.at(-1), { kind: 'Undecryptable', sequence: server.entries.length - 1, id: readEnvelope(server.entries.at(-1)!.body!).id, reason: 'rules' });
  assert.equal(await alice.trySend({ kind: 'text', text: 'two' }, { id }), 'ok');
  const last = (await bob.sync()).at(-1)!;
  assert.ok(last.kind === 'Undecryptable' && last.reason === 'rules');
});

test('an erased message stays a gap; the conversation goes on', async () => {
  const { server, alice, bob } = await twoPeople('erased');
  for (const text of ['one', 'two', 'three']) await alice.say(text);
  server.entries = server.entries.map((entry, index) => (index === 4 ? { ...entry, body: null, salt: new Uint8Array(0) } : entry));
  await bob.sync();
  assert.deepEqual(bob.texts, ['one', 'three']);
  assert.deepEqual(bob.events.flatMap((event) => (event.kind === 'Received' ? [event.gap] : [])), [0, 1]);
  assert.deepEqual(bob.events.find(({ kind }) => kind === 'Undecryptable'), { kind: 'Undecryptable', sequence: 4, id: null, reason: 'erased' });
});

test('entries that nobody should have made are events, and what follows is read', async () => {
  const { server, alice, bob } = await twoPeople('junk');
  await alice.say('one');
  const envelope = readEnvelope(server.entries[3]!.body!);
  const mallory = await makeAccount('mallory');
  server.append(KIND_MESSAGE, new Uint8Array(9), alice.now);
  server.append(KIND_MESSAGE, Envelope.encode({ ...envelope, author: { kind: 'member', account: mallory.id } }), alice.now);
  server.append(KIND_MESSAGE, Envelope.encode({ ...envelope, session: mallory.id }), alice.now);
  server.append(KIND_MESSAGE, Envelope.encode({ ...envelope, id: new Uint8Array(16) }), alice.now);
  server.append(KIND_OPENING, new Uint8Array(9), alice.now);
  server.append(KIND_HANDSHAKE, new Uint8Array(9), alice.now);
  server.append('session-reset', new Uint8Array(9), alice.now);
  server.append('party', new Uint8Array(9), alice.now);
  await bob.sync();
  await alice.say('two');
  await bob.sync();
  assert.deepEqual(bob.events.map((event) => (event.kind === 'Undecryptable' ? event.reason : event.kind)), [
    'ThreadOpened', 'SessionStarted', 'Received', 'malformed', 'author', 'session', 'forged', 'Refused', 'Refused', 'Refused', 'Refused', 'Received',
  ]);
});

test('an opening that does not stand before its message is missing, not guessed', async () => {
  const { server, alice, bob } = await twoPeople('opening');
  const sent = await send(alice.state, { kind: 'text', text: 'x' }, await alice.sendContext());
  for (const { kind, body } of sent.appends) if (kind !== KIND_OPENING) server.append(kind, body, 1);
  await bob.sync();
  const last = bob.events.at(-1)!;
  assert.ok(last.kind === 'Undecryptable' && last.reason === 'opening');
});

test('a thread is opened once, by a member, for these two', async () => {
  const { server, alice, bob } = await twoPeople('opened');
  const mallory = await makeAccount('mallory');
  const { signing } = alice.account.identity.keys[0]!;
  const opened = { thread: server.thread, opener: alice.account.id, peer: bob.account.id, generation: 1, created: 1 };
  const entry = async (change: Partial<Opened>, key = signing): Promise<Server['entries']> =>
    [placeEntry(server.thread, 0, 'opened', await signStatement(key, TYPE_OPENED, Opened.encode({ ...opened, ...change })), 1, SALT)];
  const context = await bob.context();
  for (const wrong of [await entry({ opener: mallory.id }), await entry({ peer: mallory.id }), await entry({ thread: mallory.id }), await entry({}, mallory.identity.keys[0]!.signing)]) {
    assert.equal((await receive(bob.state, wrong, context)).events[0]!.kind, 'Refused');
  }
  assert.equal((await receive(bob.state, await entry({}), context)).events[0]!.kind, 'ThreadOpened');
  await refuses(bob, [placeEntry(server.thread, 0, 'message', new Uint8Array(3), 1, SALT)], ServerViolation);
});

test('a chain that is not whole is refused, and the state stays what it was', async () => {
  const { server, alice, bob } = await twoPeople('chain');
  await alice.say('one');
  await alice.say('two');
  const { entries } = server;
  await refuses(bob, entries.slice(1), ServerViolation);
  await refuses(bob, [entries[0]!, entries[0]!], ServerViolation);
  await refuses(bob, [entries[1]!, entries[0]!], ServerViolation);
  await refuses(bob, entries.map((entry, index) => (index === 3 ? { ...entry, body: flipped(entry.body!, 5) } : entry)), ServerViolation);
  await refuses(bob, entries.map((entry, index) => (index === 3 ? { ...entry, salt: SALT } : entry)), ServerViolation);
  await refuses(bob, entries.map((entry, index) => (index === 1 ? { ...entry, body: null } : entry)), ServerViolation);
  await refuses(bob, entries.map((entry, index) => (index === 2 ? { ...entry, header: entry.header.slice(1) } : entry)), ServerViolation);
  const elsewhere = entries.map((entry, index) => placeEntry(sha256(utf8('elsewhere')), index, 'opened', entry.body!, 1, SALT));
  await refuses(bob, elsewhere, ServerViolation);
  await bob.sync();
  assert.deepEqual(bob.texts, ['one', 'two']);
});

test('another generation of working keys is asked for, then known; one that does not exist is refused', async () => {
  const { server, alice, bob } = await twoPeople('generations');
  await alice.say('one');
  await bob.sync();
  const next = await newGeneration(alice.account.made.root, alice.account.id, 2, alice.now, seeded('generation 2'));
  const entries = [...alice.account.entries, next.entry];
  alice.account.identity = { view: await viewOf(entries, SERVER_ID, alice.account.id), keys: [...alice.account.identity.keys, next.keys] };
  await alice.say('two');
  const fresh = server.entries.slice(bob.state.chain.size);
  await refuses(bob, fresh, NeedsAccount);
  const stuck = await receive(bob.state, fresh, { ...(await bob.context()), refreshed: true });
  assert.deepEqual(stuck.events.map((event) => (event.kind === 'Undecryptable' ? event.reason : event.kind)), ['rules']);
  alice.account.entries = entries;
  await bob.sync();
  assert.deepEqual(bob.texts, ['one', 'two']);
});

test('two browsers of one account: each message once, no ratchet forks', async () => {
  const { server, alice, bob } = await twoPeople('two browsers');
  const phone = new Browser(server, alice.account, 'phone');
  await alice.say('from the desk');
  assert.equal(await phone.trySend({ kind: 'text', text: 'too late' }), 'conflict');
  await phone.say('from the phone');
  await bob.say('hello both');
  await alice.sync();
  await phone.sync();
  assert.deepEqual(bob.texts, ['from the desk', 'from the phone']);
  assert.deepEqual(ThreadState.encode(alice.state).length > 0, true);
  assert.ok(alice.texts.length + phone.texts.length >= 1);
  assert.deepEqual(alice.version, phone.version);
});

test('read marks: only members read them, and a changed bit is noticed', async () => {
  const { alice, bob } = await twoPeople('marks');
  await alice.say('hello');
  await bob.sync();
  const blob = await sealMark(bob.state, bob.account.id, { sequence: 3, time: 77 }, bob.random);
  assert.equal(blob.length, 112);
  assert.deepEqual(await openMark(alice.state, bob.account.id, blob), { sequence: 3, time: 77 });
  await assert.rejects(openMark(alice.state, alice.account.id, blob), AuthenticationFailed);
  await assert.rejects(openMark(alice.state, bob.account.id, flipped(blob, 800)), AuthenticationFailed);
  await assert.rejects(openMark(alice.state, bob.account.id, flipped(blob, 8)), PeerViolation);
  await assert.rejects(openMark(alice.state, bob.account.id, blob.slice(1)), PeerViolation);
  await assert.rejects(sealMark(newThread(alice.state.thread, alice.state.peer), alice.account.id, { sequence: 1, time: 1 }, alice.random), Misuse);
});

test('the archive takes the 192 oldest when 256 have their place', async () => {
  const { alice } = await twoPeople('archive');
  const kept = Array.from({ length: 300 }, (_, index) => ({ id: sha256(utf8(`id ${index}`)).slice(0, 16), key: sha256(utf8(`key ${index}`)), sequence: index < 40 ? 0 : 700 - index }));
  const before = { ...alice.state, kept, segments: 4 };
  const { state, segments } = archiveStep(before);
  assert.equal(segments.length, 1);
  const [{ number, first, last, keys }] = segments as [typeof segments[0] & object];
  assert.deepEqual([number, first, last, keys.length, state.segments, state.kept.length], [4, 401, 592, 192, 5, 108]);
  assert.deepEqual(keys.map(({ sequence }) => sequence), Array.from({ length: 192 }, (_, index) => 401 + index));
  assert.equal(state.kept.filter(({ sequence }) => sequence === 0).length, 40);
  assert.deepEqual(archiveStep(state), { state, segments: [] });
});

test('sending stops at 64 messages without a place, and without a session when there is no bundle', async () => {
  const { alice } = await twoPeople('misuse');
  const context = await alice.sendContext();
  await assert.rejects(send(alice.state, { kind: 'text', text: 'x' }, { ...context, bundle: null }), StaleSession);
  const kept = Array.from({ length: MAX_UNPLACED }, (_, index) => ({ id: new Uint8Array(16).fill(index), key: new Uint8Array(32), sequence: 0 }));
  await assert.rejects(send({ ...alice.state, kept }, { kind: 'text', text: 'x' }, context), Misuse);
  await assert.rejects(send(newThread(alice.state.thread, alice.account.id), { kind: 'text', text: 'x' }, context), Misuse);
});

test('a state survives its bytes; other bytes are refused', async () => {
  const { alice, bob } = await twoPeople('bytes');
  await alice.say('hello');
  await bob.sync();
  for (const { state } of [alice, bob]) {
    const bytes = ThreadState.encode(state);
    assert.deepEqual(loadThread(bytes), state);
    assert.deepEqual(ThreadState.encode(loadThread(bytes)), bytes);
    for (const wrong of [bytes.slice(1), bytes.slice(0, -1), Uint8Array.of(...bytes, 0)]) assert.throws(() => loadThread(wrong));
  }
  assert.throws(() => loadThread(ThreadState.encode({ ...bob.state, current: new Uint8Array(5) })));
  assert.throws(() => loadThread(ThreadState.encode({ ...bob.state, chain: { size: 3, frontier: [] } })));
});

test('after a rollback with consent: sessions are dropped, own entries below are passed, a new session begins', async () => {
  const { server, alice, bob } = await twoPeople('consent');
  await alice.say('one');
  await bob.sync();
  const old = alice.state;
  await alice.say('two');
  await assert.rejects(receive(old, server.entries, await alice.context()), RolledBack);
  const size = server.entries.length;
  const result = await receive(abandon(old), server.entries, { ...(await alice.context()), unknownOwnBelow: size });
  assert.deepEqual(result.events.map((event) => (event.kind === 'Undecryptable' ? event.reason : event.kind)), ['ThreadOpened', 'OwnMessage', 'session']);
  alice.state = result.state;
  assert.equal(await alice.trySend({ kind: 'text', text: 'again' }), 'ok');
  await bob.sync();
  assert.deepEqual(bob.texts, ['one', 'two', 'again']);
});
