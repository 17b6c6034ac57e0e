/** What one conversation shows, in order: opened messages by their ids, and notices in their places. */

import { toHex } from '../crypto/bytes.ts';
import type { Content } from '../e2ee/envelope.ts';
import type { ThreadEvent } from '../e2ee/events.ts';
import type { MessageStatus, TimelineItem } from './api.ts';
import type { Placed, Unsent } from './outbox.ts';

/** One opened message. `key` is what it shows under: its id, or that of the message it repeats. */
export interface Shown {
  readonly key: string;
  readonly id: string;
  /** 0: own, and its place is not known yet. */
  readonly sequence: number;
  readonly mine: boolean;
  readonly text: string;
  readonly time: number;
  readonly resent: boolean;
  readonly turn: number | null;
  readonly count: number | null;
}

type Notice = Exclude<TimelineItem, { kind: 'message' }> & { readonly sequence: number };

const TIE: Readonly<Record<TimelineItem['kind'], number>> = { session: 0, 'rolled-back': 1, gap: 2, undecryptable: 3, message: 4 };

export function contentOf(content: Content, id: Uint8Array): { key: string; text: string; resent: boolean } {
  if (content.kind === 'resent') return { key: toHex(content.id), text: content.text, resent: true };
  return { key: toHex(id), text: content.text, resent: false };
}

/** An own message as the outbox has it, once it was sent. */
export function shownOf({ id, sequence, text, written, resends }: Placed): Shown {
  return { key: resends ?? id, id, sequence, mine: true, text, time: written, resent: resends !== undefined, turn: null, count: null };
}

export class Timeline {
  readonly #messages = new Map<string, Shown>();
  readonly #notices = new Map<string, Notice>();
  readonly #ids = new Set<string>();
  /** The other side's messages in order; null: to be sorted again. */
  #theirs: readonly Shown[] | null = null;
  #latest: Shown | null | undefined = undefined;
  #placed: { readonly peerRead: number; readonly items: readonly TimelineItem[] } | null = null;

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  get(key: string): Shown | null {
    return this.#messages.get(key) ?? null;
  }

  show(message: Shown): void {
    this.#ids.add(message.id);
    const before = this.#messages.get(message.key);
    // A repeat never hides what was readable at first.
    if (before !== undefined && before.id !== message.id && !before.resent) return;
    this.#messages.set(message.key, message);
    this.#notices.delete(`undecryptable/${message.key}`);
    this.#moved();
  }

  notice(notice: Notice): void {
    if (notice.kind === 'undecryptable' && this.#messages.has(notice.key.slice('undecryptable/'.length))) return;
    const before = this.#notices.get(notice.key);
    if (before?.kind === 'undecryptable' && before.asked) return;
    this.#notices.set(notice.key, notice);
    this.#placed = null;
  }

  #moved(): void {
    this.#theirs = null;
    this.#latest = undefined;
    this.#placed = null;
  }

  asked(key: string): void {
    const notice = this.#notices.get(key);
    if (notice?.kind === 'undecryptable') this.#notices.set(key, { ...notice, asked: true });
    this.#placed = null;
  }

  /** Takes up what a receive told. */
  take(event: ThreadEvent, time: number): void {
    const { sequence } = event;
    if (event.kind === 'Received') {
      const { key, text, resent } = contentOf(event.content, event.id);
      const { turn, count } = event;
      this.show({ key, id: toHex(event.id), sequence, mine: false, text, time: event.time, resent, turn, count });
      if (event.gap > 0) this.notice({ kind: 'gap', key: `gap/${sequence}`, sequence, time: event.time, count: event.gap });
    } else if (event.kind === 'OwnMessage') {
      const { key, text, resent } = contentOf(event.content, event.id);
      this.show({ key, id: toHex(event.id), sequence, mine: true, text, time: event.time, resent, turn: null, count: null });
    } else if (event.kind === 'Undecryptable' && event.reason !== 'erased') {
      const id = event.id === null ? String(sequence) : toHex(event.id);
      this.notice({ kind: 'undecryptable', key: `undecryptable/${id}`, sequence, time, asked: false });
    } else if (event.kind === 'FolderRolledBack') {
      this.notice({ kind: 'rolled-back', key: `rolled-back/${sequence}`, sequence, time, whose: 'peer' });
    }
  }

  /** The newest `count` of one's own messages since a time, as far as they are shown. */
  mineSince(time: number, count: number): readonly Shown[] {
    const mine = [...this.#messages.values()].filter((shown) => shown.mine && shown.time >= time);
    return mine.sort((a, b) => a.time - b.time).slice(-count);
  }

  /** Whether a message of the other side is shown. */
  get hasTheirs(): boolean {
    return this.#sortedTheirs().length > 0;
  }

  /** How many messages of the other side stand after `read`. */
  unread(read: number): number {
    return this.#sortedTheirs().length - this.#firstAfter(read);
  }

  /** The other side's messages after `read`, oldest first. */
  unreadAfter(read: number): readonly Shown[] {
    return this.#sortedTheirs().slice(this.#firstAfter(read));
  }

  #sortedTheirs(): readonly Shown[] {
    this.#theirs ??= [...this.#messages.values()].filter(({ mine }) => !mine).sort((a, b) => a.sequence - b.sequence);
    return this.#theirs;
  }

  /** Nearly always at the end: what is unread is what came last. */
  #firstAfter(read: number): number {
    const theirs = this.#sortedTheirs();
    let at = theirs.length;
    while (at > 0 && theirs[at - 1]!.sequence > read) at -= 1;
    return at;
  }

  get latest(): Shown | null {
    if (this.#latest === undefined) this.#latest = this.#findLatest();
    return this.#latest;
  }

  #findLatest(): Shown | null {
    let latest: Shown | null = null;
    for (const shown of this.#messages.values()) {
      if (latest === null || rank(shown) > rank(latest) || (rank(shown) === rank(latest) && shown.time > latest.time)) latest = shown;
    }
    return latest;
  }

  /** Whether a message that was sent is not shown, neither itself nor what it repeats. */
  lacks({ id, resends }: Placed): boolean {
    return !this.#ids.has(id) && !this.#messages.has(resends ?? id);
  }

  /**
   * Everything in order; what waits to be sent comes last. `peerRead`: how far the other side has read;
   * `early`: what was sent and is lacking here; in its place, or among what waits while that is not known.
   */
  items(unsent: readonly Unsent[], peerRead: number, early: readonly Placed[] = []): readonly TimelineItem[] {
    const waits = [...early.filter(({ sequence }) => sequence === 0), ...unsent.filter(({ id }) => !this.#messages.has(id))];
    const waiting = waits.map((one) => unsentItem(one));
    const known = early.filter(({ sequence }) => sequence > 0);
    const placed = known.length === 0 ? this.#placedItems(peerRead) : this.#ordered(peerRead, known.map(shownOf));
    return waiting.length === 0 ? placed : [...placed, ...waiting];
  }

  #placedItems(peerRead: number): readonly TimelineItem[] {
    if (this.#placed?.peerRead !== peerRead) this.#placed = { peerRead, items: this.#ordered(peerRead) };
    return this.#placed.items;
  }

  #ordered(peerRead: number, early: readonly Shown[] = []): readonly TimelineItem[] {
    const placed = [
      ...[...this.#messages.values(), ...early].map((shown) => ({ at: rank(shown), item: messageItem(shown, peerRead) })),
      ...[...this.#notices.values()].map((notice) => ({ at: notice.sequence, item: notice as TimelineItem })),
    ];
    placed.sort((a, b) => a.at - b.at || TIE[a.item.kind] - TIE[b.item.kind] || a.item.time - b.item.time);
    return placed.map(({ item }) => item);
  }

  clear(): void {
    this.#messages.clear();
    this.#notices.clear();
    this.#ids.clear();
    this.#moved();
  }
}

function rank(shown: Shown): number {
  return shown.sequence === 0 ? Number.MAX_SAFE_INTEGER : shown.sequence;
}

function messageItem(shown: Shown, peerRead: number): TimelineItem {
  const read = shown.sequence > 0 && shown.sequence <= peerRead;
  const status: MessageStatus = !shown.mine ? 'received' : read ? 'read' : 'stored';
  return { kind: 'message', key: shown.key, mine: shown.mine, text: shown.text, time: shown.time, status, failure: null, resent: shown.resent };
}

function unsentItem(unsent: Unsent): TimelineItem {
  return {
    kind: 'message',
    key: unsent.id,
    mine: true,
    text: unsent.text,
    time: unsent.written,
    status: unsent.failure === null ? 'sending' : 'failed',
    failure: unsent.failure,
    resent: false,
  };
}
