/** What was written and not yet stored by the server: kept encrypted in this browser until it is. */

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
}

const UNSENT = 'unsent/';
const DRAFT = 'draft/';

/** Ordered by time of writing; changes are durable before the call returns. */
export class Outbox {
  readonly #device: Device;
  readonly #localKey: CryptoKey;
  readonly #unsent = new Map<string, Unsent>();
  readonly #drafts = new Map<string, string>();
  readonly #draftTimers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(device: Device, localKey: CryptoKey) {
    this.#device = device;
    this.#localKey = localKey;
  }

  async load(): Promise<void> {
    for (const text of (await this.#device.texts(this.#localKey, UNSENT)).values()) {
      const unsent = JSON.parse(text) as Unsent;
      this.#unsent.set(unsent.id, unsent);
    }
    for (const [thread, text] of await this.#device.texts(this.#localKey, DRAFT)) this.#drafts.set(thread, text);
  }

  of(thread: string): readonly Unsent[] {
    return [...this.#unsent.values()]
      .filter((unsent) => unsent.thread === thread)
      .sort((a, b) => a.written - b.written || (a.id < b.id ? -1 : 1));
  }

  threads(): ReadonlySet<string> {
    return new Set([...this.#unsent.values()].map((unsent) => unsent.thread));
  }

  get(id: string): Unsent | null {
    return this.#unsent.get(id) ?? null;
  }

  async put(unsent: Unsent): Promise<void> {
    this.#unsent.set(unsent.id, unsent);
    await this.#device.saveText(this.#localKey, UNSENT + unsent.id, JSON.stringify(unsent));
  }

  async remove(id: string): Promise<void> {
    if (!this.#unsent.delete(id)) return;
    await this.#device.removeText(UNSENT + id);
  }

  draft(thread: string): string {
    return this.#drafts.get(thread) ?? '';
  }

  /** Kept at once in memory, and in the browser's store when typing pauses. */
  setDraft(thread: string, text: string): void {
    if (text === '') this.#drafts.delete(thread);
    else this.#drafts.set(thread, text);
    clearTimeout(this.#draftTimers.get(thread));
    this.#draftTimers.set(thread, setTimeout(() => void this.#saveDraft(thread), 300));
  }

  async #saveDraft(thread: string): Promise<void> {
    this.#draftTimers.delete(thread);
    const text = this.draft(thread);
    if (text === '') await this.#device.removeText(DRAFT + thread);
    else await this.#device.saveText(this.#localKey, DRAFT + thread, text);
  }

  /** Leaves no timer behind; what it would have saved is saved now. */
  async close(): Promise<void> {
    const waiting = [...this.#draftTimers.keys()];
    for (const timer of this.#draftTimers.values()) clearTimeout(timer);
    await Promise.all(waiting.map((thread) => this.#saveDraft(thread)));
  }
}
