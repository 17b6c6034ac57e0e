/**
 * What this browser keeps between visits, in IndexedDB: keys that cannot be read out, and everything else
 * encrypted under one of them. Nothing secret is ever stored in the clear.
 */

import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { fromUtf8, utf8 } from '../crypto/bytes.ts';
import { DecryptionFailed } from '../crypto/errors.ts';

/** The signed-in account's keys; every CryptoKey is non-extractable. */
export interface DeviceAccount {
  readonly account: string;
  readonly name: string;
  readonly epoch: number;
  /** HKDF base keys of the vault's epochs, by number. */
  readonly vaultKeys: ReadonlyMap<number, CryptoKey>;
  readonly nameKey: CryptoKey;
  /** AES-GCM; encrypts drafts and what waits to be sent. */
  readonly localKey: CryptoKey;
}

interface SealedText {
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
}

/** What this browser saw of one server's log. */
export interface SeenLedger {
  readonly size: number;
  readonly root: Uint8Array;
  /** Ids in hex of the restorations that it knows of; null: it has not looked yet. */
  readonly known: readonly string[] | null;
  /** Consent to a restoration was given, and sessions are still to be renewed. */
  readonly renewing: boolean;
}

interface Schema extends DBSchema {
  account: { key: string; value: DeviceAccount };
  texts: { key: string; value: SealedText };
  versions: { key: string; value: number };
  ledgers: { key: string; value: SeenLedger };
}

const CURRENT = 'current';

/** One database a browser profile; it holds at most one signed-in account. */
export class Device {
  readonly #database: IDBPDatabase<Schema>;

  private constructor(database: IDBPDatabase<Schema>) {
    this.#database = database;
  }

  static async open(name = 'secure-msg'): Promise<Device> {
    const database = await openDB<Schema>(name, 2, {
      upgrade(database, before) {
        if (before < 1) {
          database.createObjectStore('account');
          database.createObjectStore('texts');
          database.createObjectStore('versions');
        }
        database.createObjectStore('ledgers');
      },
      // Another tab wants to upgrade or delete: let it.
      blocking(_current, _blocked, event) {
        (event.target as IDBDatabase).close();
      },
    });
    return new Device(database);
  }

  async account(): Promise<DeviceAccount | null> {
    return (await this.#database.get('account', CURRENT)) ?? null;
  }

  /** Replaces whoever was here: another account's leavings are wiped first. */
  async remember(account: DeviceAccount): Promise<void> {
    const before = await this.account();
    if (before !== null && before.account !== account.account) await this.forget();
    await this.#database.put('account', account, CURRENT);
  }

  async forget(): Promise<void> {
    const transaction = this.#database.transaction(['account', 'texts', 'versions'], 'readwrite');
    await Promise.all([
      transaction.objectStore('account').clear(),
      transaction.objectStore('texts').clear(),
      transaction.objectStore('versions').clear(),
      transaction.done,
    ]);
  }

  /** The highest version of a private file that this browser ever saw; 0 if none. */
  async seenVersion(path: string): Promise<number> {
    return (await this.#database.get('versions', path)) ?? 0;
  }

  async noteVersion(path: string, version: number): Promise<void> {
    const transaction = this.#database.transaction('versions', 'readwrite');
    const before = (await transaction.store.get(path)) ?? 0;
    if (version > before) await transaction.store.put(version, path);
    await transaction.done;
  }

  /** After consent to a restoration: what the server has now is where it begins again. */
  async forgetVersions(): Promise<void> {
    await this.#database.clear('versions');
  }

  /** By the fingerprint of the server's key, in hex; null: that server was never seen. Whoever signs in, it stays. */
  async ledger(server: string): Promise<SeenLedger | null> {
    return (await this.#database.get('ledgers', server)) ?? null;
  }

  async saveLedger(server: string, seen: SeenLedger): Promise<void> {
    await this.#database.put('ledgers', seen, server);
  }

  async saveText(localKey: CryptoKey, name: string, text: string): Promise<void> {
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const parameters = { name: 'AES-GCM', iv: nonce, additionalData: copy(utf8(name)) };
    const sealed = await crypto.subtle.encrypt(parameters, localKey, copy(utf8(text)));
    await this.#database.put('texts', { nonce, sealed }, name);
  }

  /** Null when there is none. */
  async text(localKey: CryptoKey, name: string): Promise<string | null> {
    return this.#openText(localKey, name);
  }

  async removeText(name: string): Promise<void> {
    await this.#database.delete('texts', name);
  }

  /** All texts whose name begins with `prefix`; one that does not open is dropped, it could never be read again. */
  async texts(localKey: CryptoKey, prefix: string): Promise<ReadonlyMap<string, string>> {
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const names = await this.#database.getAllKeys('texts', range);
    const found = new Map<string, string>();
    for (const name of names) {
      const text = await this.#openText(localKey, name);
      if (text === null) await this.removeText(name);
      else found.set(name.slice(prefix.length), text);
    }
    return found;
  }

  async #openText(localKey: CryptoKey, name: string): Promise<string | null> {
    const stored = await this.#database.get('texts', name);
    if (stored === undefined) return null;
    const parameters = { name: 'AES-GCM', iv: stored.nonce, additionalData: copy(utf8(name)) };
    try {
      return fromUtf8(new Uint8Array(await crypto.subtle.decrypt(parameters, localKey, stored.sealed)));
    } catch (error) {
      if (error instanceof DOMException || error instanceof DecryptionFailed) return null;
      throw error;
    }
  }
}

/** WebCrypto's types want bytes of an unshared buffer. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A fresh key for what waits in this browser; it never leaves it. */
export function makeLocalKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}
