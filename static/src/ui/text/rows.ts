/** The timeline as days of rows: items, the unread line, and bubbles gathered by author. Pure. */

import type { TimelineItem } from '../../model/api.ts';
import { dayKey } from './format.ts';

export type MessageItem = Extract<TimelineItem, { kind: 'message' }>;
export type NoticeItem = Exclude<TimelineItem, { kind: 'message' }>;

export type Row =
  | { readonly kind: 'unread'; readonly key: string }
  | { readonly kind: 'notice'; readonly key: string; readonly item: NoticeItem }
  /** first, last: where the bubble stands in its group. */
  | { readonly kind: 'message'; readonly key: string; readonly item: MessageItem; readonly first: boolean; readonly last: boolean };

export interface Day {
  readonly key: string;
  readonly time: number;
  readonly rows: readonly Row[];
}

/** Messages of one author within this time stand together. */
export const GROUP_MS = 5 * 60_000;

function together(one: TimelineItem | undefined, other: TimelineItem | undefined): boolean {
  return one?.kind === 'message' && other?.kind === 'message' && one.mine === other.mine
    && Math.abs(other.time - one.time) <= GROUP_MS && dayKey(one.time) === dayKey(other.time);
}

export function layoutDays(items: readonly TimelineItem[], firstUnread: string | null): readonly Day[] {
  const days: { key: string; time: number; rows: Row[] }[] = [];
  let rows: Row[] = [];
  let day = '';
  items.forEach((item, at) => {
    const today = dayKey(item.time);
    // A peer's clock may run behind: a day is announced when it comes, and never announced back.
    if (today > day) {
      rows = [];
      days.push({ key: today, time: item.time, rows });
      day = today;
    }
    if (item.key === firstUnread) rows.push({ kind: 'unread', key: 'unread' });
    if (item.kind !== 'message') {
      rows.push({ kind: 'notice', key: item.key, item });
      return;
    }
    const next = items[at + 1];
    rows.push({
      kind: 'message', key: item.key, item,
      first: item.key === firstUnread || !together(items[at - 1], item),
      last: next?.key === firstUnread || !together(item, next),
    });
  });
  return days;
}
