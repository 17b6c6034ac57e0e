/** What a conversation shows, and what asking for it costs when there is much of it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Shown, Timeline } from '../../../static/src/model/timeline.ts';

const MANY = 20_000;

function shown(sequence: number, mine = false, more: Partial<Shown> = {}): Shown {
  const id = sequence.toString(16).padStart(32, '0');
  return { key: id, id, sequence, mine, text: `text ${sequence}`, time: sequence, resent: false, turn: null, count: null, ...more };
}

function filled(count: number): Timeline {
  const timeline = new Timeline();
  for (let sequence = 1; sequence <= count; sequence += 1) timeline.show(shown(sequence, sequence % 2 === 0));
  return timeline;
}

test('unread counts the other side only, and follows what is shown and read', () => {
  const timeline = filled(10);
  assert.equal(timeline.unread(0), 5);
  assert.equal(timeline.unread(7), 1);
  timeline.show(shown(11));
  assert.equal(timeline.unread(7), 2);
  assert.deepEqual(timeline.unreadAfter(7).map(({ sequence }) => sequence), [9, 11]);
  assert.equal(timeline.latest?.sequence, 11);
  timeline.clear();
  assert.equal(timeline.unread(0), 0);
  assert.equal(timeline.latest, null);
  assert.equal(timeline.hasTheirs, false);
});

test('a repeat takes the place of a notice, shows once, and never replaces what was readable', () => {
  const timeline = new Timeline();
  const lost = shown(3);
  timeline.notice({ kind: 'undecryptable', key: `undecryptable/${lost.id}`, sequence: 3, time: 3, asked: false });
  timeline.asked(`undecryptable/${lost.id}`);
  timeline.notice({ kind: 'undecryptable', key: `undecryptable/${lost.id}`, sequence: 3, time: 3, asked: false });
  assert.deepEqual(timeline.items([], 0).map((item) => item.kind === 'undecryptable' && item.asked), [true]);
  timeline.show(shown(9, false, { key: lost.id, resent: true, text: 'again' }));
  timeline.show(shown(12, false, { key: lost.id, resent: true, text: 'again' }));
  assert.deepEqual(timeline.items([], 0).map((item) => item.kind), ['message']);
  timeline.show(shown(20));
  timeline.show(shown(21, false, { key: shown(20).id, resent: true, text: 'other' }));
  assert.equal(timeline.get(shown(20).id)?.text, 'text 20');
  assert.ok(timeline.has(shown(21).id));
});

test('items are the same object until something changes', () => {
  const timeline = filled(100);
  const items = timeline.items([], 0);
  assert.equal(timeline.items([], 0), items);
  assert.notEqual(timeline.items([], 50), items);
  timeline.show(shown(101));
  assert.equal(timeline.items([], 50).length, 101);
});

test('what every change asks of every conversation does not grow with its messages', () => {
  const timeline = filled(MANY);
  timeline.unread(MANY);
  const began = performance.now();
  for (let asked = 0; asked < MANY; asked += 1) {
    timeline.has(shown(asked).id);
    timeline.unread(MANY);
    void timeline.latest;
    timeline.items([], 0);
  }
  // Linear work would take minutes.
  assert.ok(performance.now() - began < 2_000);
});
