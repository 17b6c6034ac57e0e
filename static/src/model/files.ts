/** The private folder: files by label, encrypted here, replaced by compare-and-swap, never older than seen. */

import type { RecordType } from '../codec/schema.ts';
import { toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import { RolledBack } from '../e2ee/errors.ts';
import { type Vault, filePath, openFile, sealFile } from '../e2ee/vault.ts';
import { FILE_LIMIT } from '../e2ee/vaultfiles.ts';
import { RequestRefused } from '../net/errors.ts';
import type { Http } from '../net/http.ts';
import { PrivateBlob, type PutFile } from '../net/records.ts';
import type { Device } from './device.ts';
import type { Transactor } from './transactor.ts';

const EMPTY = new Uint8Array(0);
const MOST_TRIES = 8;

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
  readonly #http: Http;
  readonly #device: Device;
  readonly vault: Vault;

  constructor(http: Http, device: Device, vault: Vault) {
    this.#http = http;
    this.#device = device;
    this.vault = vault;
  }

  path(label: string): Promise<Uint8Array> {
    return filePath(this.vault, label);
  }

  async read(label: string): Promise<StoredFile> {
    const path = await this.path(label);
    const stored = await this.raw(path);
    if (stored.data === null) return stored;
    return { version: stored.version, data: await openFile(this.vault, path, stored.version, stored.data) };
  }

  /** The blob as it is stored. Throws RolledBack when this browser has seen a newer version. */
  async raw(path: Uint8Array): Promise<StoredFile> {
    const hex = toHex(path);
    const stored = await this.#fetch(hex);
    if (stored.version < (await this.#device.seenVersion(hex))) {
      throw new RolledBack('a private file is older than this browser has seen it');
    }
    await this.#device.noteVersion(hex, stored.version);
    return stored;
  }

  async #fetch(hex: string): Promise<StoredFile> {
    try {
      const { version, blob } = await this.#http.getRecord(`/api/private/${hex}`, PrivateBlob);
      return { version, data: blob };
    } catch (error) {
      if (error instanceof RequestRefused && error.status === 404) return { version: 0, data: null };
      throw error;
    }
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
  async noteCommitted(puts: readonly PutFile[]): Promise<void> {
    for (const put of puts) {
      await this.#device.noteVersion(toHex(put.path), put.delete ? 0 : put.expected + 1);
    }
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
    const stored = await this.#folder.read(this.label);
    if (stored.version < this.#version) throw new RolledBack(`${this.label} went back`);
    this.#version = stored.version;
    if (stored.data !== null) this.#value = this.#type.decode(stored.data, FILE_LIMIT);
  }

  put(next: T): Promise<PutFile> {
    return this.#folder.put(this.label, this.#type.encode(next), this.#version);
  }

  committed(next: T): void {
    this.#version += 1;
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
      this.committed(next);
      await this.#folder.noteCommitted([put]);
      return;
    }
    throw new RequestRefused(409, 'conflict', this.label, null);
  }
}
