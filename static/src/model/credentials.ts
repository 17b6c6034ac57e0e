/** Changing what opens an account: a new credential and the files under a new vault epoch, in one transaction. */

import { equalBytes } from '../crypto/bytes.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { ProtocolError } from '../e2ee/errors.ts';
import type { Unlocked } from '../e2ee/unlock.ts';
import { type Owners, type Unlocking, type Vault, WRAPS_PATH, replaceRecovery } from '../e2ee/vault.ts';
import { BadAnswer, RequestRefused, Unreachable } from '../net/errors.ts';
import type { Http } from '../net/http.ts';
import { CredentialChange, type PutFile, ThreadList, TransactRequest, TransactResult } from '../net/records.ts';
import { checkChanged } from './committed.ts';
import { type NextEpoch, checkOpens, laterPuts, nextEpoch } from './epochs.ts';
import type { ServedFolder } from './rawfolder.ts';
import type { RecoveryKeys } from './registration.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';
import type { Derivation } from './unlocking.ts';

/** Another browser may write while a change is prepared: then it is prepared again. */
const MOST_TRIES = 4;

/** What the server or the network, not this program, may do wrong. */
const OF_THE_OUTSIDE = [RequestRefused, Unreachable, BadAnswer, ProtocolError, ServerMisbehaved];

/** What proves the right to the change, and what is to be proved from now on. */
export interface NewCredential {
  /** The current login key; zeros in a recovering session. */
  readonly proof: Uint8Array;
  readonly storedRandom: Uint8Array;
  readonly loginKey: Uint8Array;
  readonly recoveryLoginKey: Uint8Array | null;
}

export interface Change {
  readonly account: Uint8Array;
  readonly unlocking: Unlocking;
  /** Its keys are overwritten once the change is made or has failed. */
  readonly credential: NewCredential;
  readonly onFraction: (fraction: number) => void;
}

export class Credentials {
  readonly #http: Http;
  readonly #server: ServerView;
  readonly #folder: ServedFolder;
  readonly #random: RandomBytes;

  constructor(http: Http, server: ServerView, folder: ServedFolder, random: RandomBytes) {
    this.#http = http;
    this.#server = server;
    this.#folder = folder;
    this.#random = random;
  }

  /** Prepares the next epoch and commits it with the credential. `threads`: those besides the contacts'. */
  newEpoch(change: Change, owners: Owners, threads: readonly Uint8Array[]): Promise<NextEpoch> {
    const { account, unlocking, onFraction } = change;
    const random = this.#random;
    return this.#committed(change, () => nextEpoch(this.#folder, { account, unlocking, owners, threads, random, onFraction }));
  }

  /** The same epoch with a first recovery wrap. `unlocking` is by the password. */
  async addRecovery(change: Change, recovery: CryptoKey): Promise<void> {
    const { account, unlocking } = change;
    await this.#committed(change, async () => {
      const found = await this.#folder.read(WRAPS_PATH);
      if (found === null) throw new ServerMisbehaved('the wraps are missing');
      const wraps = await replaceRecovery(found.blob, account, unlocking, recovery, this.#random);
      await checkOpens(wraps, account, { password: unlocking.key, recovery });
      return { puts: [{ path: WRAPS_PATH, expected: found.version, blob: wraps, delete: false }] };
    });
  }

  /** A lost race is taken again from what is stored now. */
  async #committed<T extends { readonly puts: readonly PutFile[] }>({ account, credential }: Change, prepare: () => Promise<T>): Promise<T> {
    try {
      for (let tries = 1; ; tries += 1) {
        const prepared = await prepare();
        try {
          await this.#sendChange(account, { ...credential, puts: prepared.puts });
          await this.#folder.noteCommitted(prepared.puts);
          return prepared;
        } catch (error) {
          if (!(error instanceof RequestRefused) || error.kind !== 'conflict' || tries === MOST_TRIES) throw error;
        }
      }
    } finally {
      for (const key of [credential.proof, credential.loginKey, credential.recoveryLoginKey]) key?.fill(0);
    }
  }

  async #sendChange(account: Uint8Array, change: CredentialChange): Promise<void> {
    try {
      const result = await this.#http.postRecord('/api/credential', change, CredentialChange, TransactResult);
      await checkChanged(this.#server, account, change.puts, result);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      // The answer was lost: the wraps, which nobody else can make, tell whether the change was made.
      const wraps = change.puts.find(({ path }) => equalBytes(path, WRAPS_PATH));
      const stored = await this.#folder.read(WRAPS_PATH);
      if (wraps === undefined || stored === null || !equalBytes(stored.blob, wraps.blob)) throw error;
    }
  }

  /** All threads of the account, the most recent first; a recovering session may not ask. */
  async threads(): Promise<readonly Uint8Array[]> {
    const { threads } = await this.#http.getRecord('/api/threads', ThreadList);
    return [...threads].sort((a, b) => b.lastTime - a.lastTime).map(({ thread }) => thread);
  }

  /**
   * What did not fit into the change, or was not known in it. It is readable by the keys before, so that a
   * failure here (another browser was faster, no connection) costs nothing: the next change takes it up.
   */
  async reencryptRest(vault: Vault, threads: readonly Uint8Array[]): Promise<void> {
    if (threads.length === 0) return;
    try {
      for await (const puts of laterPuts(this.#folder, vault, threads, this.#random)) {
        await this.#http.postRecord('/api/transact', { appends: [], puts }, TransactRequest, TransactResult);
        await this.#folder.noteCommitted(puts);
      }
    } catch (error) {
      if (!OF_THE_OUTSIDE.some((Kind) => error instanceof Kind)) throw error;
    }
  }
}

export function ownersOf(password: Unlocked, recovery: RecoveryKeys | null): Owners {
  return { password: password.key, recovery: recovery?.unlocked.key ?? null };
}

export function credentialOf(proof: Uint8Array, { storedRandom }: Derivation, { loginKey }: Unlocked, recovery: RecoveryKeys | null): NewCredential {
  return { proof, storedRandom, loginKey, recoveryLoginKey: recovery?.unlocked.loginKey ?? null };
}
