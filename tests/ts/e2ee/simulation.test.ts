/**
 * Seeded schedules: loss, repetition, reordering, forgery, restarts, two browsers of one account, both sides
 * starting at once, prekeys running out. Then everything heals, and every message must be there once.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIND_MESSAGE } from '../../../static/src/codec/messages.ts';
import { equalBytes, toHex } from '../../../static/src/crypto/bytes.ts';
import { ServerViolation } from '../../../static/src/e2ee/errors.ts';
import { ThreadState } from '../../../static/src/e2ee/state.ts';
import { openHistory, receive } from '../../../static/src/e2ee/thread.ts';
import { readHeader } from '../../../static/src/ledger/chain.ts';
import { Browser, type Server, flipped, seeded, twoPeople } from './world.ts';

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 8);
const STEPS = 22;

class Schedule {
  readonly #random: (size: number) => Uint8Array;

  constructor(label: string) {
    this.#random = seeded(`schedule ${label}`);
  }

  below(limit: number): number {
    const [a, b] = this.#random(2);
    return (a! * 256 + b!) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** What the network does to a page; the state must stay what it was, byte for byte. */
async function disturb(browser: Browser, schedule: Schedule): Promise<void> {
  const page = browser.server.entries.slice(browser.state.chain.size);
  if (page.length === 0) return;
  const at = schedule.below(page.length);
  const damaged = [
    [...page.slice(0, at), ...page.slice(at + 1), page[at]!],
    [...page.slice(0, at + 1), page[at]!],
    page.map((entry, index) => (index === at ? { ...entry, body: flipped(entry.body!, schedule.below(8 * entry.body!.length)) } : entry)),
    page.map((entry, index) => (index === at ? { ...entry, header: flipped(entry.header, 8 * entry.header.length - 1 - schedule.below(256)) } : entry)),
  ][schedule.below(4)]!;
  if (damaged.length === page.length && damaged.every((entry, index) => entry === page[index])) return;
  const [state, bytes] = [browser.state, ThreadState.encode(browser.state)];
  await assert.rejects(receive(state, damaged, await browser.context()), (error) => error instanceof ServerViolation);
  assert.equal(browser.state, state);
  assert.deepEqual(ThreadState.encode(state), bytes);
}

async function step(browsers: readonly Browser[], schedule: Schedule, told: string[], label: string): Promise<void> {
  const browser = schedule.pick(browsers);
  const action = schedule.below(10);
  if (action < 4) {
    const text = `${browser.label} ${label}`;
    browser.aead = schedule.pick(['AES-256-GCM', 'ChaCha20-Poly1305', 'AES-XChaCha'] as const);
    await browser.say(text, schedule.below(6) === 0 ? { renew: true } : {});
    told.push(text);
  } else if (action < 6) {
    const { entries } = browser.server;
    await browser.sync(entries.slice(0, browser.state.chain.size + schedule.below(4)));
  } else if (action === 6) {
    await disturb(browser, schedule);
  } else if (action === 7) {
    browser.restart();
  } else {
    const text = `${browser.label} ${label} in haste`;
    if ((await browser.trySend({ kind: 'text', text })) === 'ok') told.push(text);
    else browser.load();
  }
}

/** Every message of the chain, read from one account's kept keys and archive. */
async function readAll(browser: Browser, server: Server): Promise<string[]> {
  const { own, peer } = await browser.context();
  const kept = [...browser.state.kept, ...browser.segments.flatMap(({ keys }) => keys)];
  const texts: string[] = [];
  for (const [sequence, { header, body }] of server.entries.entries()) {
    if (readHeader(header).kind !== KIND_MESSAGE) continue;
    const keys = kept.filter((one) => one.sequence === sequence);
    assert.equal(keys.length, 1, `${browser.label}: one key for entry ${sequence}`);
    const { signed, id } = await openHistory(body!, server.thread, keys[0]!.key, own.view, peer);
    assert.deepEqual(id, keys[0]!.id);
    texts.push(signed.content.text);
  }
  return texts;
}

for (let seed = 0; seed < SEEDS; seed++) {
  test(`a random schedule heals: seed ${seed}`, async () => {
    const schedule = new Schedule(String(seed));
    const { server, alice, bob } = await twoPeople(`simulation ${seed}`, 2);
    const phone = new Browser(server, alice.account, `phone ${seed}`);
    const browsers = [alice, phone, bob];
    const told: string[] = [];
    if (seed % 3 === 0) {
      const [first, second] = await Promise.all([alice.trySend({ kind: 'text', text: 'first' }), bob.trySend({ kind: 'text', text: 'second' })]);
      assert.deepEqual([first, second].sort(), ['conflict', 'ok']);
      told.push(first === 'ok' ? 'first' : 'second');
    }
    for (let at = 0; at < STEPS; at++) await step(browsers, schedule, told, String(at));
    for (const browser of browsers) {
      browser.load();
      await browser.sync();
      browser.load();
    }
    for (const browser of browsers) assert.deepEqual(await readAll(browser, server), told, `${browser.label}: every message once, in order`);
    const salts = server.entries.map(({ salt }) => toHex(salt));
    assert.equal(new Set(salts).size, salts.length);
    const flagged = browsers.flatMap(({ events }) => events).filter(({ kind }) => ['Undecryptable', 'FolderRolledBack', 'Refused'].includes(kind));
    assert.deepEqual(flagged, []);
    assert.ok(equalBytes(alice.state.current, bob.state.current));
  });
}

