/**
 * What was written and not yet stored by the server: kept encrypted in this browser until it is. The tabs of
 * one browser share it; what one of them changes it tells the others.
 */

import type { AppErrorKind } from './api.ts';
import type { Device } from './device.ts';

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

/** An own message that stood in the thread at `sequence`, held because the server may have lost it. */
export interface Held extends Unsent {
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
const CHANNEL = 'secure-msg/outbox';

/** Ordered by time of writing; changes are durable before the call returns. */
export class Outbox {
  readonly #device: Store;
  readonly #localKey: CryptoKey;
  readonly #unsent = new Map<string, Unsent>();
  readonly #drafts = new Map<string, string>();
  readonly #begun = new Map<string, Begun>();
  readonly #savedDrafts = new Map<string, string>();
  #draftSaved: Promise<void> = Promise.resolve();
  readonly #tabs = new BroadcastChannel(CHANNEL);
  #lastWritten = 0;
  #closed = false;

  /** `changed` is told when another tab changed what waits in a thread. */
  constructor(device: Store, localKey: CryptoKey, changed: (thread: string) => void) {
    this.#device = device;
    this.#localKey = localKey;
    this.#tabs.onmessage = ({ data }) => {
      void this.#readAgain(String(data)).then((thread) => {
        if (thread !== null) changed(thread);
      });
    };
  }

  async load(): Promise<void> {
    for (const text of (await this.#device.texts(this.#localKey, UNSENT)).values()) {
      const unsent = JSON.parse(text) as Unsent;
      this.#unsent.set(unsent.id, unsent);
      this.#lastWritten = Math.max(this.#lastWritten, unsent.written);
    }
    for (const [thread, text] of await this.#device.texts(this.#localKey, BEGUN)) {
      this.#begun.set(thread, JSON.parse(text) as Begun);
    }
    for (const [thread, text] of await this.#device.texts(this.#localKey, DRAFT)) {
      if (!this.#drafts.has(thread)) this.#drafts.set(thread, text);
    }
  }

  /** The thread that a change of this one concerns. */
  async #readAgain(id: string): Promise<string | null> {
    const before = this.#unsent.get(id);
    const stored = await this.stored(id);
    return stored?.thread ?? before?.thread ?? null;
  }

  /** One as it is stored now, whichever tab changed it last; null when it was sent or deleted. */
  async stored(id: string): Promise<Unsent | null> {
    const text = await this.#device.text(this.#localKey, UNSENT + id);
    if (text === null) {
      this.#unsent.delete(id);
      return null;
    }
    const unsent = JSON.parse(text) as Unsent;
    this.#unsent.set(id, unsent);
    return unsent;
  }

  of(thread: string): readonly Unsent[] {
    return [...this.#unsent.values()]
      .filter((unsent) => unsent.thread === thread)
      .sort((a, b) => a.written - b.written || (a.id < b.id ? -1 : 1));
  }

  get(id: string): Unsent | null {
    return this.#unsent.get(id) ?? null;
  }

  /** A time of writing after all before: the order holds within one millisecond, and where the clock goes back. */
  timeOfWriting(now: number): number {
    this.#lastWritten = Math.max(now, this.#lastWritten + 1);
    return this.#lastWritten;
  }

  async put(unsent: Unsent): Promise<void> {
    await this.#device.saveText(this.#localKey, UNSENT + unsent.id, JSON.stringify(unsent));
    this.#unsent.set(unsent.id, unsent);
    this.#tell(unsent.id);
  }

  async remove(id: string): Promise<void> {
    await this.#device.removeText(UNSENT + id);
    this.#unsent.delete(id);
    this.#tell(id);
  }

  #tell(id: string): void {
    if (!this.#closed) this.#tabs.postMessage(id);
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
  async hold(message: Held): Promise<void> {
    await this.#device.saveText(this.#localKey, `${HELD}${message.thread}/${message.id}`, JSON.stringify(message));
  }

  /** What is held of one thread; of all when it is ''. */
  async held(thread: string): Promise<readonly Held[]> {
    const texts = await this.#device.texts(this.#localKey, `${HELD}${thread}`);
    return [...texts.values()].map((text) => JSON.parse(text) as Held);
  }

  letGo({ thread, id }: Held): Promise<void> {
    return this.#device.removeText(`${HELD}${thread}/${id}`);
  }

  /** The server lost it: it stands among what was not sent, for its author to send again or delete. */
  async offer(held: Held): Promise<void> {
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
    return [...this.#begun].filter(([thread]) => this.draft(thread) !== '' || this.of(thread).length > 0);
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
