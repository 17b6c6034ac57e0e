import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ago, avatarTone, byteSize, clock, dayKey, dayName, daysBetween, grouped, initials, listTime, utf8Length } from '../../../static/src/ui/text/format.ts';

const at = (year: number, month: number, day: number, hour = 12, minute = 0): number => new Date(year, month - 1, day, hour, minute).getTime();
const NOW = at(2026, 3, 11, 9, 30);

test('days are those of the calendar, not of 24 hours', () => {
  assert.equal(daysBetween(at(2026, 3, 10, 23, 59), NOW), 1);
  assert.equal(daysBetween(at(2026, 3, 11, 0, 0), NOW), 0);
  assert.equal(daysBetween(at(2025, 3, 11), NOW), 365);
  for (let day = 1; day <= 366; day += 1) assert.equal(daysBetween(at(2026, 1, 1, 0), at(2026, 1, 1 + day, 0)), day);
  assert.equal(dayKey(at(2026, 3, 9, 0, 0)), '2026-03-09');
});

test('a day has a name', () => {
  assert.equal(dayName(at(2026, 3, 11, 1), NOW, 'en'), 'Today');
  assert.equal(dayName(at(2026, 3, 10), NOW, 'es'), 'Ayer');
  assert.equal(dayName(at(2026, 3, 2), NOW, 'en-GB'), 'Monday 2 March');
  assert.equal(dayName(at(2025, 3, 2), NOW, 'es'), 'Domingo, 2 de marzo de 2025');
});

test('the list shows the shortest time that is clear', () => {
  assert.equal(listTime(at(2026, 3, 11, 8, 5), NOW, 'en-GB'), '08:05');
  assert.equal(listTime(at(2026, 3, 10), NOW, 'en'), 'Yesterday');
  assert.equal(listTime(at(2026, 3, 6), NOW, 'en'), 'Fri');
  assert.equal(listTime(at(2026, 2, 2), NOW, 'en-GB'), '2 Feb');
  assert.equal(listTime(at(2024, 2, 2), NOW, 'en-GB'), '2 Feb 2024');
  assert.equal(listTime(at(2026, 3, 12), NOW, 'en-GB'), clock(at(2026, 3, 12), 'en-GB'));
});

test('how long ago', () => {
  assert.equal(ago(NOW, NOW, 'en'), 'now');
  assert.equal(ago(NOW + 60_000, NOW, 'en'), 'now');
  assert.equal(ago(NOW - 3 * 86_400_000, NOW, 'en'), '3 days ago');
  assert.equal(ago(NOW - 90 * 60_000, NOW, 'es'), 'hace 1 hora');
});

test('sizes, groups, lengths', () => {
  assert.equal(byteSize(999, 'en'), '999 byte');
  assert.equal(byteSize(3_840, 'en'), '3.8 kB');
  assert.equal(byteSize(65_024, 'en'), '65 kB');
  assert.deepEqual(grouped('0123456789'), ['0123', '4567', '89']);
  assert.equal(utf8Length('añ🗺'), 7);
});

test('initials and colours', () => {
  assert.equal(initials('marta.vidal'), 'MV');
  assert.equal(initials('bo'), 'B');
  assert.equal(initials('ضياء'), 'ض');
  assert.equal(initials('...'), '?');
  assert.equal(initials('𝒜b_𝒞'), '𝒜𝒞');
  assert.equal(avatarTone('ff'.repeat(32)), 0xffffffff % 10);
  assert.equal(avatarTone('not hex'), 0);
  const tones = new Set(Array.from({ length: 64 }, (_, n) => avatarTone(n.toString(16).padStart(8, '0').padEnd(64, '0'))));
  assert.equal(tones.size, 10);
});
