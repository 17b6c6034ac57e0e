/** The private folder as the server keeps it: blobs by path, never older than this browser has seen them. */

import { toHex } from '../crypto/bytes.ts';
import { RolledBack } from '../e2ee/errors.ts';
import { RequestRefused } from '../net/errors.ts';
import type { Http } from '../net/http.ts';
import { PrivateBlob, PrivateList, type PutFile } from '../net/records.ts';
import type { Device } from './device.ts';
import { ServerMisbehaved } from './server.ts';

export interface RawFile {
  readonly version: number;
  readonly blob: Uint8Array;
}

/** Where blobs are read from: the server, or a test's memory. */
export interface RawFolder {
  /** Versions of the files that exist, by path in hex. */
  list(): Promise<ReadonlyMap<string, number>>;
  /** Null: there is no such file. Throws RolledBack. */
  read(path: Uint8Array): Promise<RawFile | null>;
}

export type Versions = Pick<Device, 'seenVersion' | 'noteVersion'>;

export class ServedFolder implements RawFolder {
  readonly #http: Http;
  readonly #versions: Versions;

  constructor(http: Http, versions: Versions) {
    this.#http = http;
    this.#versions = versions;
  }

  async list(): Promise<ReadonlyMap<string, number>> {
    const { files } = await this.#http.getRecord('/api/private', PrivateList);
    return new Map(files.filter(({ size }) => size > 0).map(({ path, version }) => [toHex(path), version]));
  }

  async read(path: Uint8Array): Promise<RawFile | null> {
    const hex = toHex(path);
    // What this browser commits while the answer is on its way makes no older answer wrong.
    const seen = await this.#versions.seenVersion(hex);
    const found = await this.#fetch(hex);
    const version = found?.version ?? 0;
    if (version < seen) {
      throw new RolledBack('a private file is older than this browser has seen it');
    }
    await this.#versions.noteVersion(hex, version);
    return found;
  }

  /** The list has no such file: that may be, unless this browser has seen it. */
  async checkAbsent(path: Uint8Array): Promise<void> {
    if ((await this.#versions.seenVersion(toHex(path))) > 0) throw new RolledBack('a private file that this browser has seen is gone');
  }

  async noteCommitted(puts: readonly PutFile[]): Promise<void> {
    for (const { path, expected } of puts) await this.#versions.noteVersion(toHex(path), expected + 1);
  }

  async #fetch(hex: string): Promise<RawFile | null> {
    try {
      const { path, version, blob } = await this.#http.getRecord(`/api/private/${hex}`, PrivateBlob);
      if (toHex(path) !== hex) throw new ServerMisbehaved('another private file than the one that was asked for');
      return { version, blob };
    } catch (error) {
      if (error instanceof RequestRefused && error.kind === 'not-found') return null;
      throw error;
    }
  }
}
