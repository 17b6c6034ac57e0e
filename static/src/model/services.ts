/** What every conversation of one signed-in account shares. */

import type { LocalIdentity } from '../e2ee/identity.ts';
import type { Http } from '../net/http.ts';
import type { Realtime } from '../net/realtime.ts';
import type { Preferences } from './api.ts';
import type { AddressBook } from './contacts.ts';
import type { PrivateFolder } from './files.ts';
import type { Outbox } from './outbox.ts';
import type { People } from './people.ts';
import type { Restoring } from './restoring.ts';
import type { OwnPrekeys } from './prekeys.ts';
import type { ServerView } from './server.ts';
import type { Transactor } from './transactor.ts';

export interface Services {
  readonly account: Uint8Array;
  readonly http: Http;
  readonly realtime: Realtime;
  readonly transactor: Transactor;
  readonly server: ServerView;
  readonly people: People;
  readonly folder: PrivateFolder;
  readonly prekeys: OwnPrekeys;
  readonly contacts: AddressBook;
  readonly outbox: Outbox;
  /** Whether the server went back; while it did, nothing is saved or sent. */
  readonly restoring: Restoring;
  /** Who we are; `fresh` reads our own chain and prekeys again, after another browser changed them. */
  identity(fresh?: boolean): Promise<LocalIdentity>;
  preferences(): Preferences;
  now(): number;
  /** Something that views show has changed. */
  changed(): void;
  /** A conversation could not do what it had to; it is tried again soon, `retryAfter` in seconds at the earliest. */
  lagging(retryAfter: number | null): void;
  /** Something looks older than it was, or contradicts what was seen; `older`: a private file. */
  suspect(older: boolean): void;
}

/** Runs steps one after the other, across the tabs of this browser too. */
export class Lane {
  readonly #name: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string) {
    this.#name = name;
  }

  run<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#last.then(() => navigator.locks.request(this.#name, step) as Promise<T>);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
