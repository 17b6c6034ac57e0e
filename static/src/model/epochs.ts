/**
 * A new vault epoch: what is re-encrypted with a change of password or a recovery, and what stays readable
 * by the keys before (docs/spec/e2ee.md section 6, "Epochs"). Reads and seals; committing is the caller's.
 */

import { MalformedData } from '../codec/errors.ts';
import { toHex } from '../crypto/bytes.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { AccountKeys, openAccountKeys, rewrapAccountKeys } from '../e2ee/accountkeys.ts';
import { AuthenticationFailed, ServerViolation } from '../e2ee/errors.ts';
import { ThreadState } from '../e2ee/state.ts';
import { type Owners, type Unlocking, type Vault, WRAPS_PATH, filePath, openFile, openVault, rotateVault, sealFile } from '../e2ee/vault.ts';
import {
  Contacts, FILE_LIMIT, LABEL_CONTACTS, LABEL_KEYS, LABEL_PREKEYS, LABEL_SETTINGS, archiveLabel, sessionLabel,
} from '../e2ee/vaultfiles.ts';
import type { PutFile } from '../net/records.ts';
import type { RawFile, RawFolder } from './rawfolder.ts';

/** What one CredentialChange takes: 512 puts, and 8 MiB less the rest of the request. */
const MOST_PUTS = 512;
const MOST_BYTES = 7 * 1_048_576;
/** Files are read and sealed so many at a time. */
const AT_ONCE = 6;

export interface EpochRequest {
  readonly account: Uint8Array;
  readonly unlocking: Unlocking;
  readonly owners: Owners;
  /** The threads that are known besides those of the contacts, the most recent first. */
  readonly threads: readonly Uint8Array[];
  readonly random: RandomBytes;
  readonly onFraction: (fraction: number) => void;
}

export interface NextEpoch {
  readonly vault: Vault;
  /** For the transaction that sets the new credential; each expects the version that was read. */
  readonly puts: readonly PutFile[];
  /** Threads whose files did not fit: they stay under older keys until `laterPuts`. */
  readonly left: readonly Uint8Array[];
}

/** Throws AuthenticationFailed when `unlocking` does not open the wraps, or one of the account's own files does not open. */
export async function nextEpoch(folder: RawFolder, request: EpochRequest): Promise<NextEpoch> {
  const { account, unlocking, owners, random, onFraction } = request;
  const stored = await folder.read(WRAPS_PATH);
  if (stored === null) throw new ServerViolation('the wraps are missing');
  const before = await openVault(stored.blob, account, unlocking);
  const { vault, wraps } = await rotateVault(stored.blob, account, unlocking, owners, random);
  await checkOpens(wraps, account, owners);
  const moving = new Moving(folder, await folder.list(), { before, vault }, random);
  moving.take({ path: WRAPS_PATH, expected: stored.version, blob: wraps, delete: false });

  await moving.keys();
  for (const label of [LABEL_PREKEYS, LABEL_SETTINGS]) (await moving.own(label))?.fill(0);
  const contacts = await moving.own(LABEL_CONTACTS);
  const known = contacts === null ? [] : Contacts.decode(contacts, FILE_LIMIT).contacts.map(({ thread }) => thread);
  await moving.threads(distinct([...request.threads, ...known]), onFraction);
  return { vault, puts: moving.puts, left: moving.left };
}

/** Wraps that do not open would be the end of the account: they are tried before they are sent. */
export async function checkOpens(wraps: Uint8Array, account: Uint8Array, { password, recovery }: Owners): Promise<void> {
  await openVault(wraps, account, { by: 'password', key: password });
  if (recovery !== null) await openVault(wraps, account, { by: 'recovery', key: recovery });
}

/** Puts for what is still under an older epoch of these threads, thread by thread: each may be committed alone. */
export async function* laterPuts(folder: RawFolder, vault: Vault, threads: readonly Uint8Array[], random: RandomBytes): AsyncGenerator<readonly PutFile[]> {
  const moving = new Moving(folder, await folder.list(), { before: vault, vault }, random);
  for (const thread of distinct(threads)) {
    const puts = await moving.threadPuts(thread);
    if (puts.length > 0) yield puts;
  }
}

/** Moves files from older epochs to the newest one. */
class Moving {
  readonly puts: PutFile[] = [];
  readonly left: Uint8Array[] = [];
  #bytes = 0;

  constructor(
    private readonly folder: RawFolder,
    private readonly versions: ReadonlyMap<string, number>,
    private readonly vaults: { readonly before: Vault; readonly vault: Vault },
    private readonly random: RandomBytes,
  ) {}

  /** All or none of these; false when they do not fit any more. */
  take(...puts: readonly PutFile[]): boolean {
    const size = puts.reduce((sum, { blob }) => sum + blob.length, 0);
    if (this.puts.length + puts.length > MOST_PUTS || this.#bytes + size > MOST_BYTES) return false;
    this.puts.push(...puts);
    this.#bytes += size;
    return true;
  }

  /** The private keys: their blobs inside the file are under the vault key too. */
  async keys(): Promise<void> {
    const { before, vault } = this.vaults;
    const path = await filePath(vault, LABEL_KEYS);
    const file = await this.folder.read(path);
    if (file === null) throw new ServerViolation("the account's keys are missing");
    const sealed = AccountKeys.decode(await openFile(before, path, file.version, file.blob), FILE_LIMIT);
    const after = await rewrapAccountKeys(vault, before.epoch, sealed, this.random);
    await openAccountKeys(vault, after);
    this.take(await this.#sealed(path, file.version, AccountKeys.encode(after)));
  }

  /** One of the account's own files, whose plaintext is the answer; null when there is none. */
  async own(label: string): Promise<Uint8Array | null> {
    const path = await filePath(this.vaults.vault, label);
    const file = await this.folder.read(path);
    if (file === null) return null;
    const plaintext = await openFile(this.vaults.before, path, file.version, file.blob);
    this.take(await this.#sealed(path, file.version, plaintext));
    return plaintext;
  }

  async threads(threads: readonly Uint8Array[], onFraction: (fraction: number) => void): Promise<void> {
    for (let at = 0; at < threads.length; at += AT_ONCE) {
      onFraction(at / threads.length);
      const together = threads.slice(at, at + AT_ONCE);
      if (this.left.length > 0) {
        this.left.push(...together);
        continue;
      }
      const moved = await Promise.all(together.map((thread) => this.threadPuts(thread)));
      this.left.push(...together.filter((_, index) => !this.take(...moved[index]!)));
    }
    onFraction(1);
  }

  /** The session file and the newest archive segment, as far as they are under an older epoch. */
  async threadPuts(thread: Uint8Array): Promise<readonly PutFile[]> {
    const session = await this.#opened(sessionLabel(thread));
    if (session === null) return [];
    const segments = segmentsOf(session.plaintext);
    const archive = segments === 0 ? null : await this.#opened(archiveLabel(thread, segments - 1));
    const puts: PutFile[] = [];
    for (const one of [session, archive]) {
      if (one !== null && one.epoch < this.vaults.vault.epoch) puts.push(await this.#sealed(one.path, one.version, one.plaintext));
      one?.plaintext.fill(0);
    }
    return puts;
  }

  /** Null when there is no such file, or when it does not open: then its thread will say so where it is read. */
  async #opened(label: string): Promise<{ path: Uint8Array; version: number; epoch: number; plaintext: Uint8Array } | null> {
    const path = await filePath(this.vaults.vault, label);
    if (!this.versions.has(toHex(path))) return null;
    const file = await this.folder.read(path);
    if (file === null) return null;
    try {
      const plaintext = await openFile(this.vaults.before, path, file.version, file.blob);
      return { path, version: file.version, epoch: epochOf(file), plaintext };
    } catch (error) {
      if (error instanceof AuthenticationFailed) return null;
      throw error;
    }
  }

  async #sealed(path: Uint8Array, version: number, plaintext: Uint8Array): Promise<PutFile> {
    return { path, expected: version, blob: await sealFile(this.vaults.vault, path, version + 1, plaintext, this.random), delete: false };
  }
}

/** A state that this client cannot read is moved as it is; its archive stays where it was. */
function segmentsOf(state: Uint8Array): number {
  try {
    return ThreadState.decode(state, FILE_LIMIT).segments;
  } catch (error) {
    if (error instanceof MalformedData) return 0;
    throw error;
  }
}

/** The epoch that a blob names; whether it is authentic, opening it will tell. */
function epochOf({ blob }: RawFile): number {
  return blob.length < 5 ? 0 : new DataView(blob.buffer, blob.byteOffset).getUint32(1);
}

function distinct(threads: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(threads.map((thread) => [toHex(thread), thread])).values()];
}
