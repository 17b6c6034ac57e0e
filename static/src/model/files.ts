/** The private folder: files by label, encrypted here, replaced by compare-and-swap, never older than seen. */

import type { RecordType } from '../codec/schema.ts';
import { systemRandom } from '../crypto/random.ts';
import { RolledBack } from '../e2ee/errors.ts';
import { type Vault, filePath, openFile, sealFile } from '../e2ee/vault.ts';
import { FILE_LIMIT } from '../e2ee/vaultfiles.ts';
import { RequestRefused } from '../net/errors.ts';
import type { PutFile } from '../net/records.ts';
import type { ServedFolder } from './rawfolder.ts';
import type { Transactor } from './transactor.ts';

const EMPTY = new Uint8Array(0);
const MOST_TRIES = 8;
const NOTHING: StoredFile = { version: 0, data: null };

/** `data` is null and `version` 0 when there is no such file. */
export interface StoredFile {
  readonly version: number;
  readonly data: Uint8Array | null;
}

/** Whether the server refused because somebody else was faster; the caller loads again. */
export function isConflict(error: unknown): error is RequestRefused {
  return error instanceof RequestRefused && error.status === 409;
}

export class PrivateFolder {
  readonly #served: ServedFolder;
  readonly vault: Vault;

  constructor(served: ServedFolder, vault: Vault) {
    this.#served = served;
    this.vault = vault;
  }

  path(label: string): Promise<Uint8Array> {
    return filePath(this.vault, label);
  }

  /** Throws RolledBack when this browser has seen a newer version, or when a file that it saw is gone. */
  async read(label: string): Promise<StoredFile> {
    const path = await this.path(label);
    const stored = await this.#served.read(path);
    if (stored === null) return NOTHING;
    return { version: stored.version, data: await openFile(this.vault, path, stored.version, stored.blob) };
  }

  /** As `read` of a file that the folder's list does not have. */
  async readAbsent(label: string): Promise<StoredFile> {
    await this.#served.checkAbsent(await this.path(label));
    return NOTHING;
  }

  /** The version at which a file of a well-known path stands; 0 if there is none. */
  async versionAt(path: Uint8Array): Promise<number> {
    return (await this.#served.read(path))?.version ?? 0;
  }

  /** Versions of the files that exist, by path in hex. */
  list(): Promise<ReadonlyMap<string, number>> {
    return this.#served.list();
  }

  async put(label: string, data: Uint8Array, expected: number): Promise<PutFile> {
    const path = await this.path(label);
    const blob = await sealFile(this.vault, path, expected + 1, data, systemRandom);
    return { path, expected, blob, delete: false };
  }

  async remove(label: string, expected: number): Promise<PutFile> {
    return { path: await this.path(label), expected, blob: EMPTY, delete: true };
  }

  /** What a committed transaction made current. */
  noteCommitted(puts: readonly PutFile[]): Promise<void> {
    return this.#served.noteCommitted(puts.filter((put) => !put.delete));
  }
}

/** One file with one value that several places change; a lost race is taken again from the newest value. */
export class SharedFile<T extends object> {
  readonly #folder: PrivateFolder;
  readonly #type: RecordType<T>;
  readonly label: string;
  #version = 0;
  #value: T;

  constructor(folder: PrivateFolder, label: string, type: RecordType<T>, empty: T) {
    this.#folder = folder;
    this.label = label;
    this.#type = type;
    this.#value = empty;
  }

  get value(): T {
    return this.#value;
  }

  get version(): number {
    return this.#version;
  }

  async load(): Promise<void> {
    const before = this.#version;
    const stored = await this.#folder.read(this.label);
    if (stored.version < before) throw new RolledBack(`${this.label} went back`);
    // A change of our own may have been committed while this was on its way.
    if (stored.version < this.#version) return;
    this.#version = stored.version;
    if (stored.data !== null) this.#value = this.#type.decode(stored.data, FILE_LIMIT);
  }

  put(next: T): Promise<PutFile> {
    return this.#folder.put(this.label, this.#type.encode(next), this.#version);
  }

  /** `version` is what the put made; it may have been loaded again before the acknowledgement came. */
  committed(next: T, version: number): void {
    if (version <= this.#version) return;
    this.#version = version;
    this.#value = next;
  }

  /** `change` may be called again with a newer value; null: there is nothing to change. */
  async update(transactor: Transactor, change: (value: T) => T | null): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const next = change(this.#value);
      if (next === null) return;
      const put = await this.put(next);
      try {
        await transactor.transact({ appends: [], puts: [put] });
      } catch (error) {
        if (!isConflict(error)) throw error;
        await this.load();
        continue;
      }
      this.committed(next, put.expected + 1);
      await this.#folder.noteCommitted([put]);
      return;
    }
    throw new RequestRefused(409, 'conflict', this.label, null);
  }
}
