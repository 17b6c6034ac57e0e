/**
 * One's own prekeys, shared by all threads. A one-time prekey that a thread used is gone for the others at
 * once, and from the vault in the transaction that saves the thread's session.
 */

import { toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import type { SigningKey } from '../crypto/signature.ts';
import type { OneTimeRef } from '../codec/messages.ts';
import { NO_PREKEYS, Prekeys, replenish, unusedOneTime, useUp } from '../e2ee/prekeys.ts';
import { LABEL_PREKEYS } from '../e2ee/vaultfiles.ts';
import type { AccountView } from '../ledger/accountchain.ts';
import type { PutFile } from '../net/records.ts';
import { type PrivateFolder, SharedFile } from './files.ts';
import type { Transactor } from './transactor.ts';

export class OwnPrekeys {
  readonly #folder: PrivateFolder;
  readonly #file: SharedFile<Prekeys>;
  readonly #used = new Map<string, readonly OneTimeRef[]>();

  constructor(folder: PrivateFolder) {
    this.#folder = folder;
    this.#file = new SharedFile(folder, LABEL_PREKEYS, Prekeys, NO_PREKEYS);
  }

  load(): Promise<void> {
    return this.#file.load();
  }

  /** Without what any thread has used and not yet saved. */
  get current(): Prekeys {
    return [...this.#used.values()].flat().reduce(useUp, this.#file.value);
  }

  get version(): number {
    return this.#file.version;
  }

  get label(): string {
    return this.#file.label;
  }

  get newestSigned(): number | null {
    return this.#file.value.signed.at(-1)?.created ?? null;
  }

  unused(view: AccountView): number {
    return unusedOneTime(this.current, view);
  }

  /** Notes what a thread's receive used up: the keys that `after` lacks. */
  noteUsed(thread: Uint8Array, after: Prekeys): void {
    const gone = this.current.batches.flatMap(({ batch, keys }) => {
      const left = after.batches.find((one) => one.batch === batch);
      return keys.flatMap((key, index) => (key !== null && left?.keys[index] === null ? [{ batch, index }] : []));
    });
    if (gone.length === 0) return;
    const hex = toHex(thread);
    this.#used.set(hex, [...(this.#used.get(hex) ?? []), ...gone]);
  }

  /** The put that belongs into the thread's transaction; null when it used nothing. */
  async putFor(thread: Uint8Array): Promise<{ readonly put: PutFile; readonly committed: () => void } | null> {
    const hex = toHex(thread);
    const used = this.#used.get(hex);
    if (used === undefined) return null;
    const next = used.reduce(useUp, this.#file.value);
    const put = await this.#file.put(next);
    return {
      put,
      committed: () => {
        this.#file.committed(next, put.expected + 1);
        this.#used.delete(hex);
      },
    };
  }

  /** The thread's state was loaded again: what it used will be derived again. */
  forget(thread: Uint8Array): void {
    this.#used.delete(toHex(thread));
  }

  /** Publishes what the account's chain needs, with the private halves in the same transaction. */
  async replenish(transactor: Transactor, root: SigningKey, view: AccountView, now: number): Promise<boolean> {
    return this.#publish(this.#file.value, transactor, root, view, now);
  }

  /** New ones in the place of all: those that came back from a copy may have been used. */
  async renew(transactor: Transactor, root: SigningKey, view: AccountView, now: number): Promise<void> {
    await this.#publish({ ...this.#file.value, signed: [], batches: [] }, transactor, root, view, now);
  }

  async #publish(prekeys: Prekeys, transactor: Transactor, root: SigningKey, view: AccountView, now: number): Promise<boolean> {
    const made = await replenish(prekeys, root, view, now, systemRandom);
    if (made.entries.length === 0) return false;
    const put = await this.#file.put(made.prekeys);
    const appends = made.entries.map(({ kind, body }) => ({ chain: view.account, kind, body, expected: null }));
    await transactor.transact({ appends, puts: [put] });
    this.#file.committed(made.prekeys, put.expected + 1);
    await this.#folder.noteCommitted([put]);
    return true;
  }
}
