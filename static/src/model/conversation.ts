/**
 * One conversation of this account: follows the thread's chain, keeps its session file, sends in order.
 * Every step runs in the thread's lane, so that no two of them, in any tab, hold the same state.
 */

import { equalBytes, fromHex, toHex } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { NeedsAccount, RolledBack } from '../e2ee/errors.ts';
import type { ThreadEvent } from '../e2ee/events.ts';
import { fingerprintOf } from '../ledger/accountchain.ts';
import { receive } from '../e2ee/thread.ts';
import { RequestRefused } from '../net/errors.ts';
import { EntriesPage, type Mark, type ThreadItem } from '../net/records.ts';
import type { ContactState, SendBlock } from './api.ts';
import { troubleOf } from './apperrors.ts';
import { isConflict } from './files.ts';
import { History } from './history.ts';
import { ReadMarks } from './readmarks.ts';
import { renewSessions } from './renewing.ts';
import { ServerMisbehaved } from './server.ts';
import { Lane, type Services } from './services.ts';
import { ThreadFile } from './threadfile.ts';
import { Timeline } from './timeline.ts';
import { Typing } from './typing.ts';

const PAGE = 100;
const FIRST_PAGE = 50;
const SAVE_AFTER_MS = 1_000;
const SAVE_JITTER_MS = 4_000;
const SAVE_AT_MESSAGES = 50;
const MOST_TRIES = 8;
const MOST_PUTS = 16;

export class ConversationModel {
  readonly hex: string;
  readonly peerHex: string;
  readonly file: ThreadFile;
  readonly timeline = new Timeline();
  readonly history: History;
  readonly marks: ReadMarks;
  readonly typing: Typing;
  readonly lane: Lane;
  readonly services: Services;
  block: SendBlock | null = null;
  lastTurnAt: number | null = null;
  lastTime: number | null;
  #started = false;
  #behind = true;
  #received = 0;
  #saveTimer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(services: Services, readonly thread: Uint8Array, readonly peer: Uint8Array, readonly peerName: string, item: ThreadItem | null) {
    this.services = services;
    this.hex = toHex(thread);
    this.peerHex = toHex(peer);
    this.lastTime = item === null || item.size === 0 ? null : item.lastTime;
    this.file = new ThreadFile(services.folder, services.prekeys, thread, peer);
    this.history = new History(services, this.file, this.timeline);
    this.marks = new ReadMarks(services, this.file, this.hex);
    this.typing = new Typing(services);
    this.lane = new Lane(`secure-msg/${toHex(services.account)}/${this.hex}`);
  }

  /** Until what is stored was read once. */
  get loading(): boolean {
    return !this.#started && this.block === null;
  }

  /** Whether it can send and save: it was loaded, and nothing speaks against it. */
  get usable(): boolean {
    const { fine, renewing } = this.services.restoring;
    return this.#started && this.block === null && fine && !renewing;
  }

  /** Whether something may be there that was not taken up yet. */
  get behind(): boolean {
    return this.#behind;
  }

  get exists(): boolean {
    return this.file.state.chain.size > 0;
  }

  get openedByMe(): boolean | null {
    const { opener } = this.history;
    return opener === null ? null : equalBytes(opener, this.services.account);
  }

  get contactState(): ContactState {
    const contact = this.services.contacts.find(this.peer);
    const answered = this.file.state.peerVersion > 0;
    if (contact?.state === 'accepted') return answered || !this.exists ? 'accepted' : 'outgoing';
    if (contact !== null && contact.state !== 'deleted') return contact.state;
    if (!this.exists) return 'none';
    // What was deleted begins anew: with a request when the other side writes again.
    if (contact !== null) return this.timeline.hasTheirs ? 'request' : 'none';
    return this.openedByMe === true ? 'outgoing' : 'request';
  }

  /** Whether the other side may learn when we read and type. */
  get trusted(): boolean {
    return this.services.contacts.find(this.peer)?.state === 'accepted';
  }

  /** The list, or a version that was announced, says how far things are. */
  noteServed(size: number, version: number): void {
    if (size > this.file.state.chain.size || version > this.file.version) this.#behind = true;
  }

  /** Brings the conversation to the served head; the first time, loads what is stored. `version`: the session file's, 0 if there is none. */
  async follow(version: number | null = null): Promise<void> {
    await this.#guarded(async () => {
      if (!this.#started) await this.#start(version === 0);
      else {
        if (version !== null && version > this.file.version) await this.reload();
        await this.catchUp();
        await this.history.loadThrough();
      }
      this.#behind = false;
      this.#saveSoon();
    });
  }

  async #start(absent: boolean): Promise<void> {
    await this.file.load(absent);
    const { size } = this.file.state.chain;
    const served = await this.history.loadNewest(FIRST_PAGE);
    if (size === 0 || served > size) await this.catchUp();
    if (this.exists && this.history.opener === null && this.services.contacts.find(this.peer) === null) await this.history.loadOpener();
    if (this.services.restoring.renewing) await renewSessions(this);
    this.#started = true;
    this.services.changed();
  }

  /** An announcement: just the next entries, or a sign that some were missed. */
  announced(page: EntriesPage): Promise<void> {
    return this.#guarded(async () => {
      if (!this.#started) return this.#start(false);
      const { size } = this.file.state.chain;
      if (page.start + page.entries.length <= size) return;
      if (page.start === size) await this.#takePage(page);
      if (this.file.state.chain.size < page.head.size) await this.catchUp();
    });
  }

  /** Another tab or browser of this account saved the session file. */
  async fileChanged(version: number): Promise<void> {
    if (version > this.file.version && this.#started) await this.follow(version);
  }

  /** In the lane: takes the stored state. True when it is newer, because another tab or browser saved it. */
  async reload(): Promise<boolean> {
    const newer = await this.file.load();
    await this.history.loadThrough();
    this.services.changed();
    return newer;
  }

  /** In the lane, after a lost race: everything that another browser may have changed. */
  async reloadAll(): Promise<void> {
    await this.services.prekeys.load();
    await this.reload();
  }

  /** In the lane: follows the chain to the served head. */
  async catchUp(): Promise<void> {
    for (;;) {
      const { version } = this.file;
      const start = this.file.state.chain.size;
      const page = await this.#fetch(start);
      if (page === null) return;
      if (page.head.size < start) throw new ServerMisbehaved('a thread is shorter than it was');
      await this.#takePage(page);
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
    if (page.entries.length > 0) await this.#receive(page);
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
      if (event.kind === 'ResetAsked') await this.#repeatAsked(event.session, event.ids);
      const served = page.entries[event.sequence - page.start];
      const time = served === undefined ? this.services.now() : this.history.timeOf(served);
      this.#tell(event, time);
    }
    for (const entry of page.entries) this.history.noteEntry(entry);
    const received = events.filter(({ kind }) => kind === 'Received').length;
    if (received > 0) this.typing.over();
    this.#received += received;
    if (this.#received >= SAVE_AT_MESSAGES) await this.save();
    else this.#saveSoon();
    this.services.changed();
  }

  #tell(event: ThreadEvent, time: number): void {
    this.timeline.take(event, time);
    if (event.kind === 'Received' || event.kind === 'OwnMessage') this.lastTime = Math.max(this.lastTime ?? 0, event.time);
    if (event.kind === 'Received' && event.count === 0) this.lastTurnAt = event.time;
    if (event.kind === 'ThreadOpened') this.history.opener = event.opener;
  }

  /**
   * What the other side could not read goes out again in a new session. The ids of the repeats follow from
   * what was asked, so that two browsers that are asked send each of them once.
   */
  async #repeatAsked(session: Uint8Array, ids: readonly Uint8Array[]): Promise<void> {
    if (!this.trusted) return;
    for (const id of ids) {
      const shown = await this.history.find(toHex(id));
      if (shown === null || !shown.mine) continue;
      const repeat = toHex(sha256(this.thread, session, id).subarray(0, 16));
      const written = this.services.outbox.timeOfWriting(shown.time);
      await this.services.outbox.put({
        id: repeat, thread: this.hex, text: shown.text, written, failure: null, resends: shown.key, renews: toHex(session),
      });
    }
  }

  /** Saving on receipt is gathered: the state can be derived again from the thread until then. */
  #saveSoon(): void {
    if (!this.file.dirty || this.#closed || this.block !== null || !this.services.restoring.fine) return;
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = null;
      void this.#guarded(() => this.save());
    }, SAVE_AFTER_MS + Math.random() * SAVE_JITTER_MS);
  }

  /** In the lane: stores the state, with what was spent, archived and marked. */
  async save(): Promise<void> {
    if (!this.file.dirty || this.block !== null || !this.services.restoring.fine) return;
    const saving = await this.file.saving();
    const mark = this.trusted ? await this.marks.put() : null;
    const puts = mark === null ? saving.puts : [...saving.puts, mark.put];
    try {
      await this.services.transactor.transact({ appends: [], puts });
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.marks.lostRace();
      await this.reloadAll();
      await this.catchUp();
      return this.#saveSoon();
    }
    await saving.committed();
    mark?.committed();
    this.#received = 0;
    this.#saveSoon();
  }

  /** How far the other side has read: asked for where somebody looks. */
  look(): Promise<void> {
    return this.#guarded(async () => {
      if (this.exists && this.marks.stale) await this.marks.load();
    });
  }

  marked(mark: Mark): Promise<void> {
    return this.#guarded(() => this.marks.take(mark));
  }

  /** Everything that is loaded was seen. */
  markRead(): void {
    if (!this.usable || this.contactState === 'request') return;
    const newest = this.timeline.unreadAfter(this.file.state.read).at(-1);
    if (newest === undefined || !this.file.markRead(newest.sequence)) return;
    this.services.changed();
    this.#saveSoon();
  }

  noteTyping(): void {
    if (this.trusted) this.typing.tell(this.thread);
  }

  peerTypes(): void {
    if (this.trusted && !this.#closed) this.typing.noted();
  }

  /** Accept, block and the like: the root that is seen now is pinned with it. */
  async setContact(state: 'accepted' | 'blocked' | 'deleted' | 'request'): Promise<void> {
    const fingerprint = fingerprintOf((await this.services.people.view(this.peer)).root);
    await this.services.contacts.set({ account: this.peer, name: this.peerName, fingerprint, state, thread: this.thread });
    this.services.changed();
    if (state === 'accepted') this.#saveSoon();
  }

  /** Forgets every message: keys here and in the vault; the other side keeps its own. */
  async clear(): Promise<void> {
    await this.lane.run(async () => {
      for (let tries = 1; ; tries += 1) {
        try {
          await this.catchUp();
          await this.#clearOnce();
          break;
        } catch (error) {
          if (!isConflict(error) || tries === MOST_TRIES) throw error;
          await this.reloadAll();
        }
      }
    });
    this.timeline.clear();
    await this.history.forgotten();
    const { outbox } = this.services;
    for (const { id } of [...outbox.of(this.hex), ...outbox.sent(this.hex)]) await outbox.delete(id);
    this.services.changed();
  }

  async #clearOnce(): Promise<void> {
    const removals = await this.file.archiveRemovals();
    const saving = await this.file.clearing();
    await this.services.transactor.transact({ appends: [], puts: saving.puts });
    await saving.committed();
    for (let at = 0; at < removals.length; at += MOST_PUTS) {
      await this.services.transactor.transact({ appends: [], puts: removals.slice(at, at + MOST_PUTS) });
    }
  }

  /** Runs a step in the lane; what says that the server or the folder lies stops this conversation only. */
  async #guarded(step: () => Promise<void>): Promise<void> {
    try {
      await this.lane.run(async () => {
        await step();
        await this.history.settleSent();
      });
    } catch (error) {
      this.noteTrouble(error);
    }
  }

  /** What happens in the background has nobody to tell: it shows, or is tried again, and a bug is reported. */
  noteTrouble(error: unknown): void {
    const trouble = troubleOf(error);
    this.#behind = true;
    if (trouble === 'bug') reportError(error);
    else if (trouble !== 'transient') this.block ??= trouble;
    if (trouble === 'folder-rolled-back' || trouble === 'server-misbehaved') this.services.suspect(trouble === 'folder-rolled-back');
    if (this.block === null && !this.#closed) this.services.lagging(error instanceof RequestRefused ? error.retryAfter : null);
    this.services.changed();
  }

  /** Lets go of timers, and saves what is not saved yet as far as the server can be reached. */
  async close(saving: boolean): Promise<void> {
    this.#closed = true;
    if (this.#saveTimer !== null) clearTimeout(this.#saveTimer);
    this.#saveTimer = null;
    this.typing.over();
    if (saving && this.file.dirty) await this.#guarded(() => this.save());
  }

  /** The id under which an undecryptable message is asked for. */
  static askedId(key: string): Uint8Array | null {
    const id = key.replace('undecryptable/', '');
    return /^[0-9a-f]{32}$/.test(id) ? fromHex(id) : null;
  }
}
