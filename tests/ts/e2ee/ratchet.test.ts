/** The ratchet by itself: order, gaps, limits, and that what is forged leaves no trace. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpeningEntry, openingId } from '../../../static/src/codec/messages.ts';
import { importAgreementKey } from '../../../static/src/crypto/agreement.ts';
import { utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { AuthenticationFailed, Misuse, NeedsOpening, PeerViolation, Replayed } from '../../../static/src/e2ee/errors.ts';
import {
  type MessageHeader, type PendingOpening, type Place, RatchetState, type ReceiveStep, type SealedHeader, SKIPPED_LIFETIME,
  receiveStep, sealHeader, sendStep, startInitiator, startResponder,
} from '../../../static/src/e2ee/ratchet.ts';
import { flipped, seeded } from './world.ts';

const NOW = 1_000_000;
const HASH = (label: string): Uint8Array => sha256(utf8(label));
const [THREAD, SESSION, A, B] = [HASH('thread'), HASH('session'), HASH('a'), HASH('b')];

/** One side: its state, its openings seen, and its stream of randomness. */
class Side {
  openings: PendingOpening[] = [];

  constructor(public state: RatchetState, readonly place: Place, readonly random = seeded('ratchet')) {}

  async send(): Promise<Wire> {
    const step = await sendStep(this.state, this.place, this.random);
    this.state = step.state;
    const salt = this.random(32);
    const ad = this.random(8);
    const header = await sealHeader(step.header, step.headerKey, salt, ad);
    return { sealed: { header, salt, ad, place: this.place }, opening: step.opening, key: step.messageKey, plain: step.header, headerKey: step.headerKey };
  }

  see({ opening }: Wire): void {
    if (opening === null) return;
    const { session, salt, sealed } = OpeningEntry.decode(opening);
    this.openings.push({ id: openingId(opening), session, salt, sealed });
  }

  /** Receives, checks the key, keeps the state. */
  async take(wire: Wire, now = NOW): Promise<ReceiveStep> {
    this.see(wire);
    const step = await receiveStep(this.state, wire.sealed, this.openings, now);
    assert.deepEqual(step.messageKey, wire.key);
    this.state = step.state;
    return step;
  }

  /** Expects a refusal that leaves the same object with the same bytes. */
  async refuses(wire: Wire, error: new (...args: never[]) => Error, now = NOW): Promise<void> {
    const [state, bytes] = [this.state, RatchetState.encode(this.state)];
    await assert.rejects(receiveStep(state, wire.sealed, this.openings, now), error);
    assert.equal(this.state, state);
    assert.deepEqual(RatchetState.encode(state), bytes);
  }
}

interface Wire {
  readonly sealed: SealedHeader;
  readonly opening: Uint8Array | null;
  readonly key: Uint8Array;
  readonly plain: MessageHeader;
  readonly headerKey: Uint8Array;
}

async function pair(): Promise<{ a: Side; b: Side }> {
  const prekey = seeded('prekey')(96);
  const secrets = { root: HASH('root'), headerA: HASH('header a'), headerB: HASH('header b') };
  const { public: prekeyPublic } = await importAgreementKey(prekey);
  return {
    a: new Side(startInitiator(secrets, prekeyPublic), { thread: THREAD, session: SESSION, author: A }, seeded('a')),
    b: new Side(startResponder(secrets, prekey), { thread: THREAD, session: SESSION, author: B }, seeded('b')),
  };
}

test('turns alternate, and every message has its own key', async () => {
  const { a, b } = await pair();
  const keys = new Set<string>();
  for (let turn = 0; turn < 4; turn++) {
    for (let count = 0; count < 3; count++) {
      for (const [from, to] of [[a, b], [b, a]] as const) {
        const wire = await from.send();
        const step = await to.take(wire);
        assert.equal(step.gap, 0);
        keys.add(wire.key.join());
      }
    }
  }
  assert.equal(keys.size, 24);
  assert.equal(a.state.turn, 24);
});

test('within a turn only the first message carries an opening', async () => {
  const { a } = await pair();
  const wires = [await a.send(), await a.send(), await a.send()];
  assert.deepEqual(wires.map(({ opening }) => opening?.length ?? 0), [OpeningEntry.encode(OpeningEntry.decode(wires[0]!.opening!)).length, 0, 0]);
  assert.deepEqual(wires.map(({ plain }) => plain.count), [0, 1, 2]);
});

test('a responder cannot send first', async () => {
  const { b } = await pair();
  await assert.rejects(b.send(), Misuse);
});

test('messages arrive in any order, also across a turn', async () => {
  const { a, b } = await pair();
  const first = [await a.send(), await a.send(), await a.send()];
  assert.equal((await b.take(first[0]!)).gap, 0);
  await a.take(await b.send());
  const second = [await a.send(), await a.send()];
  b.see(second[0]!);
  assert.equal((await b.take(second[1]!)).gap, 3);
  assert.equal(b.state.skipped.length, 3);
  for (const late of [first[2]!, second[0]!, first[1]!]) assert.equal((await b.take(late)).gap, 0);
  assert.equal(b.state.skipped.length, 0);
});

test('a replay is refused: of the newest, of a skipped one, of an old turn', async () => {
  const { a, b } = await pair();
  const [first, second] = [await a.send(), await a.send()];
  b.see(first);
  await b.take(second);
  await b.refuses(second, Replayed);
  await b.take(first);
  await b.refuses(first, Replayed);
  await a.take(await b.send());
  await b.take(await a.send());
  await b.refuses(second, AuthenticationFailed);
});

test('a forged header, salt, associated data or opening changes nothing', async () => {
  const { a, b } = await pair();
  const wire = await a.send();
  for (const bit of [0, 100, 400, 639]) await b.refuses({ ...wire, sealed: { ...wire.sealed, header: flipped(wire.sealed.header, bit) } }, AuthenticationFailed);
  await b.refuses({ ...wire, sealed: { ...wire.sealed, salt: flipped(wire.sealed.salt, 3) } }, AuthenticationFailed);
  await b.refuses({ ...wire, sealed: { ...wire.sealed, ad: flipped(wire.sealed.ad, 3) } }, AuthenticationFailed);
  const opening = OpeningEntry.decode(wire.opening!);
  for (const forged of [{ ...opening, sealed: flipped(opening.sealed, 9) }, { ...opening, salt: flipped(opening.salt, 9) }]) {
    b.openings = [{ id: openingId(wire.opening!), session: SESSION, salt: forged.salt, sealed: forged.sealed }];
    await b.refuses(wire, AuthenticationFailed);
  }
  b.openings = [];
  await b.take(wire);
});

test('a missing opening is asked for by its id, and one of another session is none', async () => {
  const { a, b } = await pair();
  const wire = await a.send();
  await assert.rejects(receiveStep(b.state, wire.sealed, [], NOW), (error) =>
    error instanceof NeedsOpening && Buffer.from(error.opening).equals(openingId(wire.opening!)));
  const { salt, sealed } = OpeningEntry.decode(wire.opening!);
  b.openings = [{ id: openingId(wire.opening!), session: HASH('another'), salt, sealed }];
  await b.refuses(wire, NeedsOpening);
});

test('256 messages are skipped in one step, 257 are not; 512 are kept in all', async () => {
  const { a, b } = await pair();
  const wires: Wire[] = [];
  for (let count = 0; count < 258; count++) wires.push(await a.send());
  b.see(wires[0]!);
  await b.refuses(wires[257]!, PeerViolation);
  assert.equal((await b.take(wires[256]!)).gap, 256);
  assert.equal(b.state.skipped.length, 256);
  for (let round = 0; round < 2; round++) {
    let last: Wire | undefined;
    for (let count = 0; count < 201; count++) last = await a.send();
    await b.take(last!);
  }
  assert.equal(b.state.skipped.length, 512);
  await b.refuses(wires[0]!, Replayed);
  await b.take(wires[255]!);
});

test('the limit counts the old chain and the new one together', async () => {
  const { a, b } = await pair();
  const first = await a.send();
  await b.take(first);
  for (let count = 0; count < 200; count++) await a.send();
  await a.take(await b.send());
  const opening = await a.send();
  b.see(opening);
  for (let count = 0; count < 55; count++) await a.send();
  const [last, beyond] = [await a.send(), await a.send()];
  await b.refuses(beyond, PeerViolation);
  assert.equal((await b.take(last)).gap, 256);
});

test('skipped keys expire after thirty days', async () => {
  const { a, b } = await pair();
  const [late, wire, later] = [await a.send(), await a.send(), await a.send()];
  b.see(late);
  await b.take(wire);
  const state = b.state;
  await b.take(late, NOW + SKIPPED_LIFETIME - 1);
  b.state = state;
  await b.refuses(late, Replayed, NOW + SKIPPED_LIFETIME);
  await b.take(later, NOW + SKIPPED_LIFETIME);
  assert.equal(b.state.skipped.length, 0);
});

test('a peer that lies in its header is refused', async () => {
  const { a, b } = await pair();
  await b.take(await a.send());
  const second = await a.send();
  const lie = async (change: Partial<MessageHeader>, headerKey = second.headerKey): Promise<Wire> => {
    const header = await sealHeader({ ...second.plain, ...change }, headerKey, second.sealed.salt, second.sealed.ad);
    return { ...second, sealed: { ...second.sealed, header } };
  };
  await b.refuses(await lie({ turn: 2 }), PeerViolation);
  await b.refuses(await lie({ opening: HASH('another') }), PeerViolation);
  await b.refuses(await lie({ count: 500 }), PeerViolation);
  await b.refuses(await lie({ count: 0 }), Replayed);
  await b.take(second);
  await a.take(await b.send());
  const third = await a.send();
  const next = async (change: Partial<MessageHeader>): Promise<Wire> => {
    const header = await sealHeader({ ...third.plain, ...change }, third.headerKey, third.sealed.salt, third.sealed.ad);
    return { ...third, sealed: { ...third.sealed, header } };
  };
  b.see(third);
  await b.refuses(await next({ turn: 4 }), PeerViolation);
  await b.refuses(await next({ turn: 1 }), PeerViolation);
  await b.refuses(await next({ previousCount: 1 }), PeerViolation);
  await b.refuses(await next({ previousCount: 2 + 257 }), PeerViolation);
  await b.refuses(await next({ opening: HASH('nowhere') }), NeedsOpening);
  await b.take(third);
});

test('a state survives its bytes', async () => {
  const { a, b } = await pair();
  for (let round = 0; round < 3; round++) {
    await a.send();
    const opened = a.state;
    assert.deepEqual(RatchetState.decode(RatchetState.encode(opened)), opened);
    const wire = await a.send();
    if (round === 0) b.openings = [];
    a.state = RatchetState.decode(RatchetState.encode(a.state));
    b.state = RatchetState.decode(RatchetState.encode(b.state));
    assert.equal(wire.plain.turn, a.state.turn);
  }
});

test('with the same randomness a step gives the same bytes', async () => {
  const { a } = await pair();
  const state = a.state;
  const first = await sendStep(state, a.place, seeded('same'));
  const again = await sendStep(state, a.place, seeded('same'));
  assert.deepEqual(first.opening, again.opening);
  assert.deepEqual(RatchetState.encode(first.state), RatchetState.encode(again.state));
  assert.deepEqual(RatchetState.encode(state), RatchetState.encode((await pair()).a.state));
});
