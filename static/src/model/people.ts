/** Other people's identities: their chains, verified and held to the pinned root, and bundles to begin with. */

import { Bundle } from '../codec/accounts.ts';
import { equalBytes, toHex } from '../crypto/bytes.ts';
import { type PeerBundle, checkCurrent, fingerprintOf, openBundle, viewOf } from '../e2ee/identity.ts';
import type { AccountView } from '../ledger/accountchain.ts';
import type { Http } from '../net/http.ts';
import { AccountChain } from '../net/records.ts';
import type { ServerView } from './server.ts';

/** A contact shows another root than the one that was pinned. */
export class RootChanged extends Error {
  constructor() {
    super('another root than the pinned one');
    this.name = 'RootChanged';
  }
}

export type FindPin = (account: Uint8Array) => Uint8Array | null;

export class People {
  readonly #http: Http;
  readonly #server: ServerView;
  readonly #pin: FindPin;
  readonly #views = new Map<string, AccountView>();
  readonly #loading = new Map<string, Promise<AccountView>>();

  constructor(http: Http, server: ServerView, pin: FindPin) {
    this.#http = http;
    this.#server = server;
    this.#pin = pin;
  }

  /** The account as its chain says; `fresh` reads the chain again. */
  async view(account: Uint8Array, fresh = false): Promise<AccountView> {
    const hex = toHex(account);
    const known = this.#views.get(hex);
    if (known !== undefined && !fresh) return known;
    const loading = this.#loading.get(hex) ?? this.#load(account, hex);
    this.#loading.set(hex, loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(hex);
    }
  }

  /** A bundle for a new session; it hands out one of the person's one-time prekeys. */
  async bundle(account: Uint8Array): Promise<PeerBundle> {
    const served = await this.#http.postRecord(`/api/accounts/${toHex(account)}/bundle`, null, null, Bundle);
    const expected = { server: this.#server.info.id, account, pinned: this.#pin(account) };
    const bundle = await openBundle(Bundle.encode(served), expected);
    checkCurrent(bundle, await this.view(account, true));
    return bundle;
  }

  async #load(account: Uint8Array, hex: string): Promise<AccountView> {
    const chain = await this.#http.getRecord(`/api/accounts/${hex}`, AccountChain);
    const { head } = await this.#server.head(chain.head, account);
    const entries = this.#server.wholeChain(account, chain.entries, head);
    const named = entries.map(({ header, body }) => ({ kind: header.kind, body }));
    const view = await viewOf(named, this.#server.info.id, account);
    const pinned = this.#pin(account);
    if (pinned !== null && !equalBytes(pinned, fingerprintOf(view.root))) throw new RootChanged();
    this.#views.set(hex, view);
    return view;
  }
}
