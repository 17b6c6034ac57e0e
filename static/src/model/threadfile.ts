/**
 * One thread's session file and archive: what is held in memory, and the puts that save it. Whatever goes
 * into one transaction with a message or a spent prekey is put together here.
 */

import { equalBytes, toHex } from '../crypto/bytes.ts';
import { RolledBack } from '../e2ee/errors.ts';
import type { Prekeys } from '../e2ee/prekeys.ts';
import { ArchiveSegment, type KeptKey, ThreadState, loadThread, newThread } from '../e2ee/state.ts';
import { abandon } from '../e2ee/thread.ts';
import { FILE_LIMIT, archiveLabel, sessionLabel } from '../e2ee/vaultfiles.ts';
import type { PutFile } from '../net/records.ts';
import type { PrivateFolder } from './files.ts';
import type { OwnPrekeys } from './prekeys.ts';

/** Puts of one transaction, and what to do once it is committed. */
export interface Saving {
  readonly puts: readonly PutFile[];
  readonly committed: () => Promise<void>;
}

export class ThreadFile {
  readonly #folder: PrivateFolder;
  readonly #prekeys: OwnPrekeys;
  /** By number; null for one that was deleted. */
  readonly #archived = new Map<number, ArchiveSegment | null>();
  #state: ThreadState;
  #version = 0;
  #unsaved: readonly ArchiveSegment[] = [];
  #dirty = false;

  constructor(folder: PrivateFolder, prekeys: OwnPrekeys, readonly thread: Uint8Array, readonly peer: Uint8Array) {
    this.#folder = folder;
    this.#prekeys = prekeys;
    this.#state = newThread(thread, peer);
  }

  get state(): ThreadState {
    return this.#state;
  }

  get version(): number {
    return this.#version;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  /**
   * Takes the stored state instead of the one in memory, which may have read further. True when it is newer
   * than what was loaded before. `absent`: the folder's list has no such file.
   */
  async load(absent = false): Promise<boolean> {
    const { read } = this.#state;
    const label = sessionLabel(this.thread);
    const stored = await (absent ? this.#folder.readAbsent(label) : this.#folder.read(label));
    if (stored.version < this.#version) throw new RolledBack('a session file went back');
    const newer = stored.version > this.#version;
    this.#version = stored.version;
    this.#state = stored.data === null ? newThread(this.thread, this.peer) : loadThread(stored.data);
    if (!equalBytes(this.#state.thread, this.thread) || !equalBytes(this.#state.peer, this.peer)) {
      throw new RolledBack('the session file of another thread');
    }
    this.#unsaved = [];
    this.#dirty = false;
    this.#prekeys.forget(this.thread);
    this.markRead(Math.min(read, this.#state.chain.size));
    return newer;
  }

  /** Gives up all sessions, to be saved; false when there is none. */
  abandon(): boolean {
    if (this.#state.sessions.length === 0) return false;
    this.#state = abandon(this.#state);
    this.#dirty = true;
    return true;
  }

  /** Takes a received state; it can be derived again until it is saved. */
  advance(state: ThreadState, segments: readonly ArchiveSegment[], prekeys: Prekeys): void {
    this.#prekeys.noteUsed(this.thread, prekeys);
    this.#state = { ...state, read: Math.max(state.read, this.#state.read) };
    this.#unsaved = [...this.#unsaved, ...segments];
    this.#dirty = true;
  }

  markRead(sequence: number): boolean {
    if (sequence <= this.#state.read) return false;
    this.#state = { ...this.#state, read: sequence };
    this.#dirty = true;
    return true;
  }

  /** The puts that make `next` the stored state, with whatever else is not saved yet. */
  saving(next: ThreadState = this.#state, segments: readonly ArchiveSegment[] = []): Promise<Saving> {
    return this.#saving(next, [...this.#unsaved, ...segments]);
  }

  async #saving(next: ThreadState, all: readonly ArchiveSegment[]): Promise<Saving> {
    const version = this.#version + 1;
    const puts = [await this.#folder.put(sessionLabel(this.thread), ThreadState.encode(next), this.#version)];
    for (const segment of all) {
      puts.push(await this.#folder.put(archiveLabel(this.thread, segment.number), ArchiveSegment.encode(segment), 0));
    }
    const spent = await this.#prekeys.putFor(this.thread);
    if (spent !== null) puts.push(spent.put);
    return {
      puts,
      committed: async () => {
        const { read } = this.#state;
        this.#state = next;
        this.#version = version;
        this.#dirty = false;
        // Reading goes on while a transaction is on its way.
        this.markRead(read);
        this.#unsaved = [];
        for (const segment of all) this.#archived.set(segment.number, segment);
        spent?.committed();
        await this.#folder.noteCommitted(puts);
      },
    };
  }

  /** The content key of a message, by its id in hex; archive segments are loaded back to `sequence`. */
  async keyOf(id: string, sequence: number): Promise<KeptKey | null> {
    const match = (kept: KeptKey): boolean => toHex(kept.id) === id;
    const recent = this.#state.kept.find(match) ?? this.#unsaved.flatMap(({ keys }) => keys).find(match);
    if (recent !== undefined) return recent;
    for (let number = this.#state.segments - 1; number >= 0; number -= 1) {
      const segment = await this.#segment(number);
      const found = segment?.keys.find(match);
      if (found !== undefined) return found;
      if (segment !== null && segment.first < sequence) return null;
    }
    return null;
  }

  /** Whether the key of an older message is held; without one, what is older was deleted. */
  async hasKeysBefore(sequence: number): Promise<boolean> {
    const isOlder = (kept: KeptKey): boolean => kept.sequence > 0 && kept.sequence < sequence;
    if (this.#state.kept.some(isOlder) || this.#unsaved.some(({ first }) => first < sequence)) return true;
    for (let number = this.#state.segments - 1; number >= 0; number -= 1) {
      const segment = await this.#segment(number);
      if (segment !== null && segment.first < sequence) return true;
    }
    return false;
  }

  async #segment(number: number): Promise<ArchiveSegment | null> {
    const unsaved = this.#unsaved.find((segment) => segment.number === number);
    if (unsaved !== undefined) return unsaved;
    const known = this.#archived.get(number);
    if (known !== undefined) return known;
    const data = await this.#archiveData(number);
    const segment = data === null ? null : ArchiveSegment.decode(data, FILE_LIMIT);
    this.#archived.set(number, segment);
    return segment;
  }

  /** Null for a segment that was deleted: unlike other files, this one may go. */
  async #archiveData(number: number): Promise<Uint8Array | null> {
    try {
      return (await this.#folder.read(archiveLabel(this.thread, number))).data;
    } catch (error) {
      if (error instanceof RolledBack) return null;
      throw error;
    }
  }

  /** Deletes every content key: the sessions stay, so that a later message can still be read. */
  async clearing(): Promise<Saving> {
    const next = { ...this.#state, kept: this.#state.kept.filter(({ sequence }) => sequence === 0), read: this.#state.chain.size };
    const saving = await this.#saving(next, []);
    return {
      puts: saving.puts,
      committed: async () => {
        await saving.committed();
        for (let number = 0; number < next.segments; number += 1) this.#archived.set(number, null);
      },
    };
  }

  /** What deletes the archive: to be committed after the state has let go of its keys. */
  async archiveRemovals(): Promise<readonly PutFile[]> {
    const versions = await this.#folder.list();
    const removals: PutFile[] = [];
    for (let number = 0; number < this.#state.segments; number += 1) {
      const label = archiveLabel(this.thread, number);
      const version = versions.get(toHex(await this.#folder.path(label)));
      if (version !== undefined) removals.push(await this.#folder.remove(label, version));
    }
    return removals;
  }
}
