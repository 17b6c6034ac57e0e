import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimelineItem } from '../../../static/src/model/api.ts';
import { GROUP_MS, layoutDays } from '../../../static/src/ui/text/rows.ts';

const NOON = new Date(2026, 2, 11, 12).getTime();
const DAY = 86_400_000;

function message(key: string, mine: boolean, time: number): TimelineItem {
  return { kind: 'message', key, mine, text: key, time, status: mine ? 'stored' : 'received', failure: null, resent: false };
}

function outline(items: readonly TimelineItem[], firstUnread: string | null = null): readonly string[] {
  return layoutDays(items, firstUnread).flatMap(({ key, rows }) => [key, ...rows.map((row) => row.kind === 'message'
    ? `${row.key}${row.first ? ' first' : ''}${row.last ? ' last' : ''}` : row.kind)]);
}

test('nothing gives nothing', () => assert.deepEqual(layoutDays([], null), []));

test('messages of one author in five minutes stand together', () => {
  assert.deepEqual(outline([message('a', true, NOON), message('b', true, NOON + GROUP_MS), message('c', true, NOON + 2 * GROUP_MS + 1), message('d', false, NOON + 2 * GROUP_MS + 2)]),
    ['2026-03-11', 'a first', 'b last', 'c first last', 'd first last']);
});

test('each day has its heading, also between messages that would stand together', () => {
  const midnight = new Date(2026, 2, 12).getTime();
  assert.deepEqual(outline([message('a', true, midnight - 1), message('b', true, midnight + 1)]), ['2026-03-11', 'a first last', '2026-03-12', 'b first last']);
});

test('a clock that runs behind announces no day twice', () => {
  assert.deepEqual(outline([message('a', true, NOON), message('b', false, NOON - DAY), message('c', true, NOON)]),
    ['2026-03-11', 'a first last', 'b first last', 'c first last']);
});

test('the unread line stands before its message and parts a group', () => {
  assert.deepEqual(outline([message('a', false, NOON), message('b', false, NOON + 1), message('c', false, NOON + 2)], 'b'),
    ['2026-03-11', 'a first last', 'unread', 'b first', 'c last']);
  assert.deepEqual(outline([message('a', false, NOON)], 'gone'), ['2026-03-11', 'a first last']);
});

test('a notice stands in place and parts a group', () => {
  const gap: TimelineItem = { kind: 'gap', key: 'g', time: NOON + 1, count: 1 };
  assert.deepEqual(outline([message('a', false, NOON), gap, message('b', false, NOON + 2)]), ['2026-03-11', 'a first last', 'notice', 'b first last']);
});
