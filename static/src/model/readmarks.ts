/** How far each side has read: marks of the other side taken up, our own sealed (docs/spec/e2ee.md section 6). */

import { equalBytes } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import { ProtocolError } from '../e2ee/errors.ts';
import { openMark, sealMark } from '../e2ee/marks.ts';
import { needsBundle } from '../e2ee/send.ts';
import { markPath } from '../e2ee/vaultfiles.ts';
import { type Mark, Marks, type PutFile } from '../net/records.ts';
import type { Services } from './services.ts';
import type { ThreadFile } from './threadfile.ts';

export interface MarkPut {
  readonly put: PutFile;
  readonly committed: () => void;
}

export class ReadMarks {
  readonly #services: Services;
  readonly #file: ThreadFile;
  readonly #hex: string;
  #peerRead = 0;
  #marked = 0;
  /** The version of our own mark's file; null: not known. */
  #version: number | null = null;
  /** One may have been missed: they are asked for when the conversation is looked at. */
  stale = true;

  constructor(services: Services, file: ThreadFile, hex: string) {
    this.#services = services;
    this.#file = file;
    this.#hex = hex;
  }

  /** The last sequence that the other side has read. */
  get peerRead(): number {
    return this.#peerRead;
  }

  async load(): Promise<void> {
    const { marks } = await this.#services.http.getRecord(`/api/threads/${this.#hex}/marks`, Marks);
    if (!marks.some(({ account }) => equalBytes(account, this.#services.account))) this.#version = 0;
    for (const mark of marks) await this.take(mark);
    this.stale = false;
  }

  async take({ account, blob }: Mark): Promise<void> {
    try {
      const { sequence } = await openMark(this.#file.state, account, blob);
      if (equalBytes(account, this.#file.peer)) this.#peerRead = Math.max(this.#peerRead, sequence);
      else if (equalBytes(account, this.#services.account)) this.#marked = Math.max(this.#marked, sequence);
      this.#services.changed();
    } catch (error) {
      // A mark of a session that is gone, or that somebody altered, shows nothing.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  /** Null when there is nothing to tell. */
  async put(): Promise<MarkPut | null> {
    const { state, thread } = this.#file;
    if (!this.#services.preferences().sendReadMarks || state.read <= this.#marked || needsBundle(state)) return null;
    const path = markPath(thread);
    const expected = this.#version ?? (await this.#services.folder.versionAt(path));
    const { read: sequence } = state;
    const blob = await sealMark(state, this.#services.account, { sequence, time: this.#services.now() }, systemRandom);
    const committed = (): void => {
      this.#marked = sequence;
      this.#version = expected + 1;
    };
    return { put: { path, expected, blob, delete: false }, committed };
  }

  /** Another tab or browser may have put one. */
  lostRace(): void {
    this.#version = null;
  }
}
