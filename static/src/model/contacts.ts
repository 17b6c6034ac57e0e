/** The people one knows: whom one accepted or blocked, and the root that was pinned for each. */

import { equalBytes, toHex } from '../crypto/bytes.ts';
import { type Contact, Contacts, LABEL_CONTACTS } from '../e2ee/vaultfiles.ts';
import { type PrivateFolder, SharedFile } from './files.ts';
import type { Transactor } from './transactor.ts';

export type ContactChange = Pick<Contact, 'account' | 'name' | 'fingerprint' | 'state' | 'thread'>;

export class AddressBook {
  readonly #file: SharedFile<Contacts>;
  readonly #transactor: Transactor;
  readonly #now: () => number;
  readonly #keep: (contacts: Contacts) => void;
  #index: { readonly of: Contacts; readonly found: ReadonlyMap<string, Contact> } | null = null;

  /** `keep` is given what is known after each loading and change. */
  constructor(folder: PrivateFolder, transactor: Transactor, now: () => number, keep: (contacts: Contacts) => void) {
    this.#keep = keep;
    this.#file = new SharedFile(folder, LABEL_CONTACTS, Contacts, { contacts: [] });
    this.#transactor = transactor;
    this.#now = now;
  }

  get version(): number {
    return this.#file.version;
  }

  get label(): string {
    return this.#file.label;
  }

  async load(): Promise<void> {
    await this.#file.load();
    this.#keep(this.#file.value);
  }

  find(account: Uint8Array): Contact | null {
    const { value } = this.#file;
    if (this.#index?.of !== value) {
      this.#index = { of: value, found: new Map(value.contacts.map((contact) => [toHex(contact.account), contact])) };
    }
    return this.#index.found.get(toHex(account)) ?? null;
  }

  pin(account: Uint8Array): Uint8Array | null {
    return this.find(account)?.fingerprint ?? null;
  }

  /** Adds or changes one contact; a pinned root is never replaced here. */
  async set(change: ContactChange): Promise<void> {
    await this.#file.update(this.#transactor, ({ contacts }) => {
      const before = contacts.find((contact) => equalBytes(contact.account, change.account));
      if (before === undefined) {
        return { contacts: [...contacts, { ...change, verified: false, added: this.#now() }] };
      }
      if (before.state === change.state) return null;
      const after = { ...before, state: change.state };
      return { contacts: contacts.map((contact) => (contact === before ? after : contact)) };
    });
    this.#keep(this.#file.value);
  }

  /** Puts back what this browser remembers and the file, which came back from a copy, does not: pins above all. */
  async merge(remembered: Contacts): Promise<void> {
    const known = new Map(remembered.contacts.map((contact) => [toHex(contact.account), contact]));
    await this.#file.update(this.#transactor, ({ contacts }) => {
      const held = new Set(contacts.map(({ account }) => toHex(account)));
      const kept = contacts.map((contact) => {
        const { state, verified, fingerprint } = known.get(toHex(contact.account)) ?? contact;
        return { ...contact, state, verified, fingerprint };
      });
      return { contacts: [...kept, ...remembered.contacts.filter(({ account }) => !held.has(toHex(account)))] };
    });
    this.#keep(this.#file.value);
  }
}
