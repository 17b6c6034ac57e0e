/**
 * All conversations of one account: who they are, how far each has to go, and one pass at a time that brings
 * them to the head. What a pass could not do is tried again, with growing pauses.
 */

import { equalBytes, fromHex, toHex } from '../crypto/bytes.ts';
import { markPath, sessionLabel } from '../e2ee/vaultfiles.ts';
import { RequestRefused } from '../net/errors.ts';
import { type EntriesPage, type MarkAnnounced, type PrivateItem, type ThreadItem, ThreadList, type TypingAnnounced } from '../net/records.ts';
import { troubleOf } from './apperrors.ts';
import { ConversationModel } from './conversation.ts';
import { Sender } from './sending.ts';
import type { Services } from './services.ts';

const AT_ONCE = 4;
const FIRST_PAUSE_MS = 2_000;
const LAST_PAUSE_MS = 60_000;

interface Held {
  readonly model: ConversationModel;
  readonly sender: Sender;
}

export interface FollowingEvents {
  /** The server says that nobody is signed in. */
  ended(): void;
  /** Before the conversations: files that all of them share, whose versions these are. */
  shared(versions: ReadonlyMap<string, number>): Promise<void>;
  /** Every conversation was brought to the head. */
  followed(): Promise<void>;
}

export class Following {
  readonly #services: Services;
  readonly #events: FollowingEvents;
  readonly #held = new Map<string, Held>();
  readonly #labels = new Map<string, string>();
  #pass: Promise<void> | null = null;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #due = 0;
  #pause = FIRST_PAUSE_MS;
  #open: string | null = null;
  #stopped = false;
  #frozen = false;

  constructor(services: Services, events: FollowingEvents) {
    this.#services = services;
    this.#events = events;
  }

  all(): readonly ConversationModel[] {
    return [...this.#held.values()].map(({ model }) => model);
  }

  get(thread: string): ConversationModel | null {
    return this.#held.get(thread)?.model ?? null;
  }

  sender(thread: string): Sender | null {
    return this.#held.get(thread)?.sender ?? null;
  }

  /** The list as the server has it now: what is new is held, what went on is marked as behind. */
  async readList(): Promise<void> {
    const { threads } = await this.#services.http.getRecord('/api/threads', ThreadList);
    for (const item of threads) {
      const held = this.#held.get(toHex(item.thread));
      if (held !== undefined) held.model.noteServed(item.size, 0);
      else if (item.size > 0) await this.#hold(item);
      if (item.size > 0) await this.#services.outbox.forgetBegun(toHex(item.thread));
    }
    for (const [thread, { account, name }] of this.#services.outbox.begun()) {
      if (!this.#held.has(thread)) await this.#hold(unbegun(account, thread, name));
    }
    this.#services.changed();
  }

  /** A conversation that may have no entries yet. */
  async hold(account: string, thread: string, name: string, size: number): Promise<ConversationModel> {
    const known = this.#held.get(thread);
    if (known !== undefined) return known.model;
    const { model } = await this.#hold(unbegun(account, thread, name));
    if (size === 0) await this.#services.outbox.noteBegun(thread, { account, name });
    await model.follow(size === 0 ? 0 : null);
    return model;
  }

  async #hold(item: ThreadItem): Promise<Held> {
    const path = toHex(await this.#services.folder.path(sessionLabel(item.thread)));
    const known = this.#held.get(toHex(item.thread));
    if (known !== undefined) return known;
    const model = new ConversationModel(this.#services, item.thread, item.peer, item.peerName, item);
    const held = { model, sender: new Sender(model) };
    this.#held.set(model.hex, held);
    this.#labels.set(path, model.hex);
    return held;
  }

  /** Somebody looks at this one. */
  look(thread: string | null): void {
    this.#open = thread;
    const model = thread === null ? null : this.get(thread);
    if (model !== null && !model.loading) void model.look();
  }

  /** Connected again: announcements may have been missed. */
  reconnected(): void {
    for (const { model } of this.#held.values()) model.marks.stale = true;
    this.#pause = FIRST_PAUSE_MS;
    void this.refresh();
  }

  /** Brings everything to the head; asked for again while it works, it works once more. */
  refresh(): Promise<void> {
    if (this.#frozen) return Promise.resolve();
    this.#again = true;
    this.#pass ??= this.#passes();
    return this.#pass;
  }

  async #passes(): Promise<void> {
    this.#forgetTimer();
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        await this.#onePass();
      }
      if (this.all().every(({ behind, block }) => !behind || block !== null)) this.#pause = FIRST_PAUSE_MS;
    } catch (error) {
      this.#noteFailure(error);
    } finally {
      this.#pass = null;
    }
  }

  #noteFailure(error: unknown): void {
    if (error instanceof RequestRefused && error.kind === 'not-signed-in') this.#events.ended();
    else {
      if (troubleOf(error) !== 'transient') this.troubled(error);
      this.refreshSoon(error instanceof RequestRefused ? error.retryAfter : null);
    }
  }

  /** What all conversations share is not what it was: every one of them says so, and sends nothing. */
  troubled(error: unknown): void {
    if (troubleOf(error) === 'bug') reportError(error);
    else for (const { model } of this.#held.values()) model.noteTrouble(error);
  }

  async #onePass(): Promise<void> {
    const versions = await this.#services.folder.list();
    await this.#events.shared(versions);
    await this.readList();
    for (const [path, thread] of this.#labels) this.get(thread)?.noteServed(0, versions.get(path) ?? 0);
    const waiting = [...this.#held.values()]
      .filter(({ model }) => model.behind)
      .sort((a, b) => urgency(b.model, this.#open) - urgency(a.model, this.#open));
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !this.#stopped; next = waiting.shift()) {
        await next.model.follow(versions.get(await this.#pathOf(next.model)) ?? 0);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.look(this.#open);
    if (!this.#stopped && this.all().every(({ behind, block }) => !behind || block !== null)) await this.#events.followed();
    for (const held of this.#held.values()) this.#send(held);
  }

  /** The server went back: what is held stays as it is and is shown, and nothing is followed any more. */
  freeze(): void {
    this.#frozen = true;
    this.#forgetTimer();
  }

  async #pathOf(model: ConversationModel): Promise<string> {
    return toHex(await this.#services.folder.path(sessionLabel(model.thread)));
  }

  /** One pass after a while; `retryAfter` in seconds at the earliest. */
  refreshSoon(retryAfter: number | null): void {
    if (this.#stopped || this.#frozen) return;
    const wait = Math.max(this.#pause, (retryAfter ?? 0) * 1_000);
    const due = Date.now() + wait;
    if (this.#timer !== null && this.#due >= due) return;
    if (this.#timer === null) this.#pause = Math.min(LAST_PAUSE_MS, 2 * this.#pause);
    this.#forgetTimer();
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.refresh();
    }, wait);
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Something waits to be sent in a thread. */
  send(thread: string): void {
    const held = this.#held.get(thread);
    if (held !== undefined) this.#send(held);
  }

  #send({ model, sender }: Held): void {
    if (this.#stopped || model.loading || this.#services.outbox.of(model.hex).every(({ failure }) => failure !== null)) return;
    void sender.run();
  }

  async entries(page: EntriesPage): Promise<void> {
    if (this.#frozen) return;
    const thread = toHex(page.thread);
    const model = this.get(thread);
    if (model === null) return this.refresh();
    await model.announced(page);
    this.send(thread);
  }

  /** True when it was a conversation's file. */
  async privateChanged({ path, version }: PrivateItem): Promise<boolean> {
    if (this.#frozen) return true;
    const thread = this.#labels.get(toHex(path));
    if (thread === undefined) return this.#isMark(path);
    await this.get(thread)?.fileChanged(version);
    return true;
  }

  #isMark(path: Uint8Array): boolean {
    return this.all().some(({ thread }) => equalBytes(markPath(thread), path));
  }

  marked({ thread, account, blob }: MarkAnnounced): void {
    void this.get(toHex(thread))?.marked({ account, blob });
  }

  typed({ thread, account }: TypingAnnounced): void {
    const model = this.get(toHex(thread));
    if (model !== null && equalBytes(account, model.peer)) model.peerTypes();
  }

  /** Nothing is begun any more; what is not saved yet may be saved. */
  async stop(saving: boolean): Promise<void> {
    this.halt();
    await Promise.all([...this.#held.values()].map(({ model }) => model.close(saving)));
  }

  halt(): void {
    this.#stopped = true;
    this.#forgetTimer();
    for (const { sender } of this.#held.values()) sender.stop();
  }
}

function unbegun(account: string, thread: string, name: string): ThreadItem {
  return { thread: fromHex(thread), peer: fromHex(account), peerName: name, size: 0, lastTime: 0 };
}

/** Who is looked at comes first, then the most recent. */
function urgency(model: ConversationModel, open: string | null): number {
  return model.hex === open ? Number.MAX_SAFE_INTEGER : (model.lastTime ?? 0);
}
