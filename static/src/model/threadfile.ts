/**
 * One thread's session file and archive: what is held in memory, and the puts that save it. Whatever goes
 * into one transaction with a message or a spent prekey is put together here.
 */

import { equalBytes, toHex } from '../crypto/bytes.ts';
import { RolledBack } from '../e2ee/errors.ts';
import type { Prekeys } from '../e2ee/prekeys.ts';
import { ArchiveSegment, type KeptKey, ThreadState, loadThread, newThread } from '../e2ee/state.ts';
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
  readonly #archived = new Map<number, ArchiveSegment>();
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

  /** Takes the stored state instead of the one in memory. True when it is newer than what was loaded before. */
  async load(): Promise<boolean> {
    const stored = await this.#folder.read(sessionLabel(this.thread));
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
    return newer;
  }

  /** Takes a received state; it can be derived again until it is saved. */
  advance(state: ThreadState, segments: readonly ArchiveSegment[], prekeys: Prekeys): void {
    this.#prekeys.noteUsed(this.thread, prekeys);
    this.#state = state;
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
  async saving(next: ThreadState = this.#state, segments: readonly ArchiveSegment[] = []): Promise<Saving> {
    const all = [...this.#unsaved, ...segments];
    const puts = [await this.#folder.put(sessionLabel(this.thread), ThreadState.encode(next), this.#version)];
    for (const segment of all) {
      puts.push(await this.#folder.put(archiveLabel(this.thread, segment.number), ArchiveSegment.encode(segment), 0));
    }
    const spent = await this.#prekeys.putFor(this.thread);
    if (spent !== null) puts.push(spent.put);
    return {
      puts,
      committed: async () => {
        this.#state = next;
        this.#version += 1;
        this.#dirty = false;
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

  /** The oldest sequence whose key is held; what is older was cleared. */
  async oldestKey(): Promise<number> {
    const placed = this.#state.kept.map(({ sequence }) => sequence).filter((sequence) => sequence > 0);
    const segment = this.#state.segments > 0 ? await this.#segment(0) : null;
    return Math.min(segment?.first ?? Number.POSITIVE_INFINITY, ...placed);
  }

  async #segment(number: number): Promise<ArchiveSegment | null> {
    const known = this.#archived.get(number) ?? this.#unsaved.find((segment) => segment.number === number);
    if (known !== undefined) return known;
    const data = await this.#archiveData(number);
    if (data === null) return null;
    const segment = ArchiveSegment.decode(data, FILE_LIMIT);
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
    const next = { ...this.#state, kept: [], read: this.#state.chain.size };
    const saving = await this.saving(next);
    const kept = saving.puts.filter((_, index) => index === 0 || index > this.#unsaved.length);
    const removed: PutFile[] = [];
    for (let number = 0; number < this.#state.segments - this.#unsaved.length; number += 1) {
      const label = archiveLabel(this.thread, number);
      const { version, data } = await this.#folder.read(label);
      if (data !== null) removed.push(await this.#folder.remove(label, version));
    }
    return {
      puts: [...kept, ...removed],
      committed: async () => {
        await saving.committed();
        this.#archived.clear();
      },
    };
  }
}
