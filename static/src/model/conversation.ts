/**
 * One conversation of this account: follows the thread's chain, keeps its session file, sends in order.
 * Every step runs in the thread's lane, so that no two of them, in any tab, hold the same state.
 */

import { equalBytes, fromHex, toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import { AuthenticationFailed, NeedsAccount, RolledBack, ServerViolation, StaleSession } from '../e2ee/errors.ts';
import type { ThreadEvent } from '../e2ee/events.ts';
import { fingerprintOf } from '../ledger/accountchain.ts';
import { openMark, sealMark } from '../e2ee/marks.ts';
import { needsBundle } from '../e2ee/send.ts';
import { receive } from '../e2ee/thread.ts';
import { markPath } from '../e2ee/vaultfiles.ts';
import { RequestRefused, Unreachable } from '../net/errors.ts';
import { EntriesPage, type Mark, Marks, type PutFile, type ThreadItem } from '../net/records.ts';
import type { ContactState, SendBlock } from './api.ts';
import { isConflict } from './files.ts';
import { History } from './history.ts';
import { RootChanged } from './people.ts';
import { ServerMisbehaved } from './server.ts';
import { Lane, type Services } from './services.ts';
import { ThreadFile } from './threadfile.ts';
import { Timeline } from './timeline.ts';

const PAGE = 100;
const FIRST_PAGE = 50;
const SAVE_AFTER_MS = 1_000;
const SAVE_JITTER_MS = 4_000;
const SAVE_AT_MESSAGES = 50;
const TYPING_SHOWN_MS = 6_000;
const TYPING_EVERY_MS = 3_000;

export class ConversationModel {
  readonly hex: string;
  readonly peerHex: string;
  readonly file: ThreadFile;
  readonly timeline = new Timeline();
  readonly history: History;
  readonly lane: Lane;
  readonly services: Services;
  /** Until the first sync is over. */
  loading = true;
  block: SendBlock | null = null;
  lastTurnAt: number | null = null;
  #peerRead = 0;
  #marked = 0;
  #typingUntil = 0;
  #typingSent = 0;
  #received = 0;
  #saveTimer: ReturnType<typeof setTimeout> | null = null;
  #typingTimer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;
  lastTime: number | null;
  /** What the other side asked to have again; the sender takes it up. */
  readonly resend: { session: Uint8Array; ids: readonly Uint8Array[] }[] = [];

  constructor(services: Services, readonly thread: Uint8Array, readonly peer: Uint8Array, readonly peerName: string, item: ThreadItem | null) {
    this.services = services;
    this.hex = toHex(thread);
    this.peerHex = toHex(peer);
    this.lastTime = item === null || item.size === 0 ? null : item.lastTime;
    this.file = new ThreadFile(services.folder, services.prekeys, thread, peer);
    this.history = new History(services, this.file, this.timeline);
    this.lane = new Lane(`secure-msg/${toHex(services.account)}/${this.hex}`);
  }

  get exists(): boolean {
    return this.file.state.chain.size > 0;
  }

  get openedByMe(): boolean | null {
    const { opener } = this.history;
    return opener === null ? null : equalBytes(opener, this.services.account);
  }

  get peerRead(): number {
    return this.#peerRead;
  }

  get typing(): boolean {
    return this.#typingUntil > this.services.now();
  }

  get contactState(): ContactState {
    const contact = this.services.contacts.find(this.peer);
    if (contact !== null && contact.state !== 'deleted') {
      if (contact.state === 'accepted') return this.openedByMe === true && this.timeline.unreadAfter(0).length === 0 ? 'outgoing' : 'accepted';
      return contact.state;
    }
    if (!this.exists) return 'none';
    return contact === null && this.openedByMe === true ? 'outgoing' : 'request';
  }

  /** Whether the other side may learn when we read and type. */
  get trusted(): boolean {
    return this.services.contacts.find(this.peer)?.state === 'accepted';
  }

  /** Loads what is stored, follows the chain to its head, and opens the newest page. */
  start(): Promise<void> {
    return this.#guarded(async () => {
      await this.file.load();
      await this.catchUp();
      await this.history.loadNewest(FIRST_PAGE);
      await this.#loadMarks();
      this.loading = false;
      this.services.changed();
    });
  }

  /** After a reconnect, or when an announcement was missed. */
  sync(): Promise<void> {
    return this.#guarded(async () => {
      await this.catchUp();
      await this.#loadMarks();
    });
  }

  /** An announcement: just the next entries, or a sign that some were missed. */
  announced(page: EntriesPage): Promise<void> {
    return this.#guarded(async () => {
      const { size } = this.file.state.chain;
      if (page.start === size && !this.loading) await this.#takePage(page);
      else if (page.start + page.entries.length > size) await this.catchUp();
    });
  }

  /** Another tab or browser of this account saved the session file. */
  async fileChanged(version: number): Promise<void> {
    if (version <= this.file.version) return;
    await this.#guarded(async () => {
      if (version <= this.file.version) return;
      await this.reload();
      await this.catchUp();
    });
  }

  /** In the lane: takes the stored state. True when it is newer, because another tab or browser saved it. */
  async reload(): Promise<boolean> {
    const newer = await this.file.load();
    await this.history.loadThrough(this.file.state.chain.size);
    this.services.changed();
    return newer;
  }

  /** In the lane: follows the chain to the served head. */
  async catchUp(): Promise<void> {
    for (;;) {
      const { version } = this.file;
      const start = this.file.state.chain.size;
      const page = await this.#fetch(start);
      if (page === null) return;
      if (page.entries.length > 0) await this.#takePage(page);
      const { size } = this.file.state.chain;
      if (size >= page.head.size) return;
      if (size === start && version === this.file.version) throw new ServerMisbehaved('entries are announced and not served');
    }
  }

  /** Null: the thread begins with its first message. */
  async #fetch(start: number): Promise<EntriesPage | null> {
    try {
      return await this.services.http.getRecord(`/api/threads/${this.hex}/entries?start=${start}&count=${PAGE}`, EntriesPage);
    } catch (error) {
      if (!(error instanceof RequestRefused) || error.status !== 404) throw error;
      if (start > 0) throw new ServerMisbehaved('a thread that was there is gone');
      return null;
    }
  }

  async #takePage(page: EntriesPage): Promise<void> {
    if (!equalBytes(page.thread, this.thread) || page.start !== this.file.state.chain.size) return;
    const { head } = await this.services.server.head(page.head, this.thread);
    const { chain } = this.file.state;
    this.services.server.page(this.thread, { size: chain.size, hashes: chain.frontier }, page.entries, head);
    await this.#receive(page);
  }

  async #receive(page: EntriesPage): Promise<void> {
    const fresh = { own: await this.services.identity(), peer: await this.services.people.view(this.peer) };
    for (let refreshed = false; ; refreshed = true) {
      try {
        const before = this.file.state;
        const prekeys = this.services.prekeys.current;
        const result = await receive(before, page.entries, { ...fresh, prekeys, now: this.services.now(), refreshed });
        this.file.advance(result.state, result.segments, result.prekeys);
        await this.#told(result.events, page);
        return;
      } catch (error) {
        if (error instanceof RolledBack && (await this.reload())) return;
        if (!(error instanceof NeedsAccount) || refreshed) throw error;
        fresh.own = await this.services.identity(true);
        fresh.peer = await this.services.people.view(this.peer, true);
      }
    }
  }

  async #told(events: readonly ThreadEvent[], page: EntriesPage): Promise<void> {
    for (const event of events) {
      const served = page.entries[event.sequence - page.start];
      const time = served === undefined ? this.services.now() : this.history.timeOf(served);
      this.#tell(event, time);
    }
    for (const entry of page.entries) this.history.noteEntry(entry);
    const received = events.filter(({ kind }) => kind === 'Received').length;
    if (received > 0) this.#typingUntil = 0;
    this.#received += received;
    await this.#saveSoon();
    this.services.changed();
  }

  #tell(event: ThreadEvent, time: number): void {
    this.timeline.take(event, time);
    if (event.kind === 'Received' || event.kind === 'OwnMessage') this.lastTime = Math.max(this.lastTime ?? 0, event.time);
    if (event.kind === 'Received' && event.count === 0) this.lastTurnAt = event.time;
    if (event.kind === 'ResetAsked') this.resend.push({ session: event.session, ids: event.ids });
  }

  /** Saving on receipt is gathered: the state can be derived again from the thread until then. */
  async #saveSoon(): Promise<void> {
    if (!this.file.dirty || this.#closed) return;
    if (this.#received >= SAVE_AT_MESSAGES) return this.save();
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = null;
      void this.#guarded(() => this.save());
    }, SAVE_AFTER_MS + Math.random() * SAVE_JITTER_MS);
  }

  /** In the lane: stores the state, with what was spent, archived and marked. */
  async save(): Promise<void> {
    if (!this.file.dirty) return;
    const saving = await this.file.saving();
    const mark = await this.#markPut();
    const puts = mark === null ? saving.puts : [...saving.puts, mark.put];
    try {
      await this.services.transactor.transact({ appends: [], puts });
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.reload();
      await this.catchUp();
      return;
    }
    await saving.committed();
    mark?.committed();
    this.#received = 0;
  }

  async #markPut(): Promise<{ readonly put: PutFile; readonly committed: () => void } | null> {
    const { state } = this.file;
    if (!this.trusted || !this.services.preferences().sendReadMarks) return null;
    if (state.read <= this.#marked || needsBundle(state)) return null;
    const path = markPath(this.thread);
    const expected = await this.services.folder.versionAt(path);
    const mark = { sequence: state.read, time: this.services.now() };
    const blob = await sealMark(state, this.services.account, mark, systemRandom);
    return { put: { path, expected, blob, delete: false }, committed: () => (this.#marked = mark.sequence) };
  }

  async #loadMarks(): Promise<void> {
    if (!this.exists) return;
    const { marks } = await this.services.http.getRecord(`/api/threads/${this.hex}/marks`, Marks);
    for (const mark of marks) await this.#takeMark(mark);
  }

  marked(mark: Mark): Promise<void> {
    return this.#guarded(() => this.#takeMark(mark));
  }

  async #takeMark({ account, blob }: Mark): Promise<void> {
    try {
      const { sequence } = await openMark(this.file.state, account, blob);
      if (equalBytes(account, this.peer)) this.#peerRead = Math.max(this.#peerRead, sequence);
      else this.#marked = Math.max(this.#marked, sequence);
      this.services.changed();
    } catch (error) {
      // A mark of a session that is gone, or that somebody altered, shows nothing.
      if (!(error instanceof StaleSession || error instanceof AuthenticationFailed)) throw error;
    }
  }

  /** Everything that is loaded was seen. */
  markRead(): void {
    const newest = this.timeline.unreadAfter(this.file.state.read).at(-1);
    if (newest === undefined || !this.file.markRead(newest.sequence)) return;
    this.services.changed();
    void this.#saveSoon();
  }

  noteTyping(): void {
    const now = this.services.now();
    if (!this.trusted || now - this.#typingSent < TYPING_EVERY_MS) return;
    this.#typingSent = now;
    this.services.realtime.typing(this.thread);
  }

  peerTypes(): void {
    if (!this.trusted) return;
    this.#typingUntil = this.services.now() + TYPING_SHOWN_MS;
    if (this.#typingTimer !== null) clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.services.changed(), TYPING_SHOWN_MS + 50);
    this.services.changed();
  }

  /** Accept, block and the like: the root that is seen now is pinned with it. */
  async setContact(state: 'accepted' | 'blocked' | 'deleted' | 'request'): Promise<void> {
    const fingerprint = fingerprintOf((await this.services.people.view(this.peer)).root);
    await this.services.contacts.set({ account: this.peer, name: this.peerName, fingerprint, state, thread: this.thread });
    this.services.changed();
    if (state === 'accepted') await this.#saveSoon();
  }

  /** Forgets every message: keys here and in the vault; the other side keeps its own. */
  clear(): Promise<void> {
    return this.#guarded(async () => {
      await this.catchUp();
      const saving = await this.file.clearing();
      for (let at = 0; at < saving.puts.length; at += 16) {
        await this.services.transactor.transact({ appends: [], puts: saving.puts.slice(at, at + 16) });
      }
      await saving.committed();
      this.timeline.clear();
      for (const { id } of this.services.outbox.of(this.hex)) await this.services.outbox.remove(id);
      this.services.changed();
    });
  }

  /** Runs a step in the lane; what says that the server or the folder lies stops this conversation only. */
  async #guarded(step: () => Promise<void>): Promise<void> {
    try {
      await this.lane.run(step);
    } catch (error) {
      this.noteTrouble(error);
    }
  }

  noteTrouble(error: unknown): void {
    this.loading = false;
    if (error instanceof RolledBack) this.block = 'folder-rolled-back';
    else if (error instanceof RootChanged) this.block = 'peer-root-changed';
    else if (error instanceof ServerViolation || error instanceof ServerMisbehaved) this.block = 'server-misbehaved';
    else if (!(error instanceof Unreachable || error instanceof RequestRefused)) throw error;
    this.services.changed();
  }

  /** Saves what is not saved yet, as far as the server can be reached. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#saveTimer !== null) clearTimeout(this.#saveTimer);
    if (this.#typingTimer !== null) clearTimeout(this.#typingTimer);
    await this.#guarded(() => this.save());
  }

  /** The id under which an undecryptable message is asked for. */
  static askedId(key: string): Uint8Array | null {
    const id = key.replace('undecryptable/', '');
    return /^[0-9a-f]{32}$/.test(id) ? fromHex(id) : null;
  }
}
