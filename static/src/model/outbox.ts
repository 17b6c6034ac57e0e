/**
 * What was written and not yet stored by the server: kept encrypted in this browser until it is, and until its
 * entry is here. The tabs of one browser share it; what one of them changes it tells the others.
 */

import type { AppErrorKind } from './api.ts';
import type { Device } from './device.ts';
import { OUTBOX_CHANNEL, type OutboxNews, readNews } from './outboxnews.ts';

export interface Unsent {
  /** The message id in hex; it stays the same over every try, so that a repeat is recognised. */
  readonly id: string;
  readonly thread: string;
  readonly text: string;
  readonly written: number;
  /** Null while it is still being tried. */
  readonly failure: AppErrorKind | null;
  /** The message that this one repeats, because the other side could not read it. */
  readonly resends?: string;
  /** The session that the repeat replaces by a new one. */
  readonly renews?: string;
}

/**
 * An own message that the server acknowledged as the thread's entry `sequence`; 0: its place is not known yet.
 * It is kept while its entry is not here, or because the server may have lost it.
 */
export interface Placed extends Unsent {
  readonly sequence: number;
}

/** With whom a conversation was opened that has no entries yet: only this browser knows of it. */
export interface Begun {
  readonly account: string;
  readonly name: string;
}

type Store = Pick<Device, 'text' | 'texts' | 'saveText' | 'removeText'>;

const UNSENT = 'unsent/';
const DRAFT = 'draft/';
const BEGUN = 'begun/';
const HELD = 'held/';

/** Ordered by time of writing; changes are durable before the call returns. */
export class Outbox {
  readonly #device: Store;
  readonly #localKey: CryptoKey;
  readonly #unsent = new Map<string, Unsent>();
  readonly #sent = new Map<string, Placed>();
  readonly #drafts = new Map<string, string>();
  readonly #begun = new Map<string, Begun>();
  readonly #savedDrafts = new Map<string, string>();
  #draftSaved: Promise<void> = Promise.resolve();
  readonly #tabs = new BroadcastChannel(OUTBOX_CHANNEL);
  #turn: Promise<unknown> = Promise.resolve();
  #lastWritten = 0;
  #closed = false;

  /** `changed` is told when another tab changed what waits in a thread. */
  constructor(device: Store, localKey: CryptoKey, changed: (thread: string) => void) {
    this.#device = device;
    this.#localKey = localKey;
    this.#tabs.onmessage = ({ data }) => {
      const news = readNews(data);
      if (news === null) return;
      void this.#inTurn(() => this.#hear(news)).then((thread) => {
        if (thread !== null) changed(thread);
      });
    };
  }

  load(): Promise<void> {
    return this.#inTurn(() => this.#load());
  }

  /** One after the other: what is read of the store is never older than what was told before. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(step, step);
    this.#turn = next;
    return next;
  }

  async #load(): Promise<void> {
    for (const text of (await this.#device.texts(this.#localKey, UNSENT)).values()) {
      const { written } = this.#take(text);
      this.#lastWritten = Math.max(this.#lastWritten, written);
    }
    for (const [thread, text] of await this.#device.texts(this.#localKey, BEGUN)) {
      this.#begun.set(thread, JSON.parse(text) as Begun);
    }
    for (const [thread, text] of await this.#device.texts(this.#localKey, DRAFT)) {
      if (!this.#drafts.has(thread)) this.#drafts.set(thread, text);
    }
  }

  #take(text: string): Unsent | Placed {
    const message = JSON.parse(text) as Unsent | Placed;
    this.#forget(message.id);
    if (isPlaced(message)) this.#sent.set(message.id, message);
    else this.#unsent.set(message.id, message);
    return message;
  }

  #forget(id: string): void {
    this.#unsent.delete(id);
    this.#sent.delete(id);
  }

  /** The thread that the news concern. */
  async #hear(news: OutboxNews): Promise<string | null> {
    const { id } = news;
    const known = this.#unsent.get(id) ?? this.#sent.get(id);
    if (news.kind === 'deleted') this.#forget(id);
    else if (news.kind === 'sent' && known !== undefined) this.#place(known, news.sequence);
    else {
      const text = await this.#device.text(this.#localKey, UNSENT + id);
      if (text !== null) return this.#take(text).thread;
    }
    return known?.thread ?? null;
  }

  #place(message: Unsent, sequence: number): Placed {
    const placed = { ...message, failure: null, sequence };
    this.#forget(message.id);
    this.#sent.set(message.id, placed);
    return placed;
  }

  /** One as it is stored now, whichever tab changed it last; null when it was sent or deleted. */
  async stored(id: string): Promise<Unsent | null> {
    const text = await this.#device.text(this.#localKey, UNSENT + id);
    if (text !== null) {
      const message = this.#take(text);
      return isPlaced(message) ? null : message;
    }
    // Which of the two it was is told. Until then it counts as sent: what was deleted may stay a moment longer.
    const known = this.#unsent.get(id);
    if (known !== undefined) this.#place(known, 0);
    return null;
  }

  /** What waits to be sent in a thread, in the order of writing. */
  of(thread: string): readonly Unsent[] {
    return [...this.#unsent.values()]
      .filter((unsent) => unsent.thread === thread)
      .sort((a, b) => a.written - b.written || (a.id < b.id ? -1 : 1));
  }

  /** What any tab sent in a thread, and whose entries may not be here yet. */
  sent(thread: string): readonly Placed[] {
    return [...this.#sent.values()].filter((sent) => sent.thread === thread);
  }

  /** A time of writing after all before: the order holds within one millisecond, and where the clock goes back. */
  timeOfWriting(now: number): number {
    this.#lastWritten = Math.max(now, this.#lastWritten + 1);
    return this.#lastWritten;
  }

  async put(unsent: Unsent): Promise<void> {
    await this.#save(unsent);
    this.#forget(unsent.id);
    this.#unsent.set(unsent.id, unsent);
    this.#tell({ kind: 'changed', id: unsent.id });
  }

  /** The server has acknowledged it: it waits no more, and is kept until its entry is here. */
  async noteSent(unsent: Unsent, sequence: number): Promise<void> {
    try {
      await this.#save({ ...unsent, failure: null, sequence });
    } catch {
      // No room to note it: what the server has must not wait to be sent again all the same.
      await this.#device.removeText(UNSENT + unsent.id);
    }
    this.#place(unsent, sequence);
    this.#tell({ kind: 'sent', id: unsent.id, sequence });
  }

  /** Its entry is here. Every tab sees that for itself. */
  async settle({ id }: Placed): Promise<void> {
    await this.#device.removeText(UNSENT + id);
    this.#sent.delete(id);
  }

  /** Its author does not want it any more. */
  async delete(id: string): Promise<void> {
    await this.#device.removeText(UNSENT + id);
    this.#forget(id);
    this.#tell({ kind: 'deleted', id });
  }

  #save(message: Unsent | Placed): Promise<void> {
    return this.#device.saveText(this.#localKey, UNSENT + message.id, JSON.stringify(message));
  }

  #tell(news: OutboxNews): void {
    if (!this.#closed) this.#tabs.postMessage(news);
  }

  draft(thread: string): string {
    return this.#drafts.get(thread) ?? '';
  }

  /** Kept at once in memory, and as soon as can be in the browser's store. */
  setDraft(thread: string, text: string): void {
    if (text === '') this.#drafts.delete(thread);
    else this.#drafts.set(thread, text);
    const save = (): Promise<void> => this.#saveDraft(thread);
    this.#draftSaved = this.#draftSaved.then(save, save);
  }

  /** Keeps an own message until it is known whether the server lost it. */
  async hold(message: Placed): Promise<void> {
    await this.#device.saveText(this.#localKey, `${HELD}${message.thread}/${message.id}`, JSON.stringify(message));
  }

  /** What is held of one thread; of all when it is ''. */
  async held(thread: string): Promise<readonly Placed[]> {
    const texts = await this.#device.texts(this.#localKey, `${HELD}${thread}`);
    return [...texts.values()].map((text) => JSON.parse(text) as Placed);
  }

  letGo({ thread, id }: Placed): Promise<void> {
    return this.#device.removeText(`${HELD}${thread}/${id}`);
  }

  /** The server lost it: it stands among what was not sent, for its author to send again or delete. */
  async offer(held: Placed): Promise<void> {
    const { sequence: _sequence, ...unsent } = held;
    await this.put({ ...unsent, failure: 'server-lost' });
    await this.letGo(held);
  }

  async noteBegun(thread: string, person: Begun): Promise<void> {
    this.#begun.set(thread, person);
    await this.#device.saveText(this.#localKey, BEGUN + thread, JSON.stringify(person));
  }

  /** The server has it now. */
  async forgetBegun(thread: string): Promise<void> {
    if (this.#begun.delete(thread)) await this.#device.removeText(BEGUN + thread);
  }

  /** Those in which something waits, by thread. */
  begun(): readonly (readonly [thread: string, person: Begun])[] {
    return [...this.#begun].filter(([thread]) => this.draft(thread) !== '' || this.of(thread).length > 0 || this.sent(thread).length > 0);
  }

  /** The newest text: one that was overtaken while it waited is not written any more. */
  async #saveDraft(thread: string): Promise<void> {
    const text = this.draft(thread);
    if (this.#savedDrafts.get(thread) === text) return;
    if (text === '') await this.#device.removeText(DRAFT + thread);
    else await this.#device.saveText(this.#localKey, DRAFT + thread, text);
    this.#savedDrafts.set(thread, text);
  }

  /** Everything is saved once this resolves. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#tabs.close();
    await this.#draftSaved;
  }
}

function isPlaced(message: Unsent | Placed): message is Placed {
  return 'sequence' in message;
}
