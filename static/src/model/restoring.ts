/**
 * Watches whether the server is still the one that this browser saw, and holds back everything that would
 * write while that is not known or not so (docs/spec/e2ee.md section 7).
 */

import { toHex } from '../crypto/bytes.ts';
import { LogNews } from '../ledger/restored.ts';
import type { Http } from '../net/http.ts';
import type { Device, SeenLedger } from './device.ts';
import type { Versions } from './rawfolder.ts';
import type { ReadNews, ServerView } from './server.ts';
import { FINE, type Standing, judge } from './standing.ts';

/** The server went back, and nobody has decided what follows: nothing is written. */
export class WentBack extends Error {
  constructor() {
    super('the server shows an older state than this browser saw');
    this.name = 'WentBack';
  }
}

export type LedgerStore = Pick<Device, 'seenVersion' | 'noteVersion' | 'forgetVersions' | 'ledger' | 'saveLedger'>;

const NOTHING: SeenLedger = { size: 0, root: new Uint8Array(32), known: null, renewing: false };

export class Restoring implements Versions {
  readonly #http: Http;
  readonly #server: ServerView;
  readonly #device: LedgerStore;
  readonly #changed: () => void;
  #standing: Standing = FINE;
  #seen: SeenLedger = NOTHING;
  #running: Promise<void> | null = null;
  #older = false;
  #suspicions = 0;
  /** Ids in hex of the restorations that the log has. */
  #listed: readonly string[] = [];
  #checked = 0;
  #saved: Promise<void> = Promise.resolve();
  #saving = false;

  /** `changed` is told when the server turns out to have gone back, or to be again what it was. */
  constructor(http: Http, server: ServerView, device: LedgerStore, changed: () => void) {
    this.#http = http;
    this.#server = server;
    this.#device = device;
    this.#changed = changed;
    server.onAdvance = () => this.#saveSoon();
  }

  get standing(): Standing {
    return this.#standing;
  }

  get fine(): boolean {
    return this.#standing.kind === 'fine';
  }

  /** Consent was given, and not all sessions are renewed yet. */
  get renewing(): boolean {
    return this.fine && this.#seen.renewing;
  }

  /** Older files may be read: somebody was told, or agreed. */
  get lenient(): boolean {
    return !this.fine || this.#seen.renewing;
  }

  async load(): Promise<void> {
    this.#seen = (await this.#device.ledger(this.#server.fingerprintHex)) ?? NOTHING;
    if (this.#seen.size > 0) this.#server.remember(this.#seen);
  }

  /** The connection was lost: whoever answers next may be another. */
  doubt(): void {
    this.#server.frozen = true;
  }

  /** Before anything is written. Throws WentBack, Unreachable. */
  async allow(): Promise<void> {
    while (this.#running !== null || (this.fine && this.#server.frozen)) await this.check();
    if (!this.fine) throw new WentBack();
  }

  /** Asks the server how its log follows on what was seen; calls while it asks share the answer. */
  check(): Promise<void> {
    this.#running ??= this.#check().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** What the vault remembers may be more than what was checked. */
  async checkBeyond(size: number): Promise<void> {
    if (size > this.#checked) await this.check();
  }

  /** Something looks wrong; `older`: a private file is older than this browser saw it. */
  async suspect(older: boolean): Promise<void> {
    this.#older ||= older;
    this.#suspicions += 1;
    this.#server.frozen = true;
    await this.#running;
    await this.check();
  }

  async #check(): Promise<void> {
    const suspicions = this.#suspicions;
    const { news, standing } = await this.#judged();
    this.#listed = news.restorations.map(({ id }) => toHex(id));
    this.#checked = news.checkpoint.size;
    if (standing.kind === 'fine') this.#server.remember(news.checkpoint);
    this.#enter(standing);
    // What was suspected since is not answered yet.
    if (suspicions !== this.#suspicions) this.#server.frozen = true;
  }

  async #judged(): Promise<{ news: ReadNews; standing: Standing }> {
    const seen = this.#server.checkpoint;
    const news = await this.#server.news(await this.#http.getRecord(`/api/log?seen=${seen.size}`, LogNews));
    // Whoever remembers nothing knows what is in the first log.
    const first = seen.size === 0 && !this.#older;
    const known = this.#seen.known ?? (first ? news.restorations.map(({ id }) => toHex(id)) : []);
    return { news, standing: judge({ ...news, seen, known: new Set(known), older: this.#older }) };
  }

  #enter(standing: Standing): void {
    const before = this.#standing;
    this.#standing = standing;
    this.#server.frozen = standing.kind !== 'fine';
    if (before.kind !== standing.kind) this.#changed();
  }

  /** All was opened and followed, and nothing was older: what the log says of restorations is known from now on. */
  async confirm(): Promise<void> {
    const known = new Set(this.#seen.known);
    if (!this.fine || this.#older || this.#listed.every((id) => known.has(id))) return;
    await this.#save({ known: [...known, ...this.#listed.filter((id) => !known.has(id))] });
  }

  /** A person agreed to go on from the copy. Throws WentBack where there is nothing to agree to. */
  async accept(): Promise<void> {
    const { news, standing } = await this.#judged();
    if (standing.kind !== 'restored') throw new WentBack();
    await this.#device.forgetVersions();
    this.#server.goBackTo(news.checkpoint);
    this.#older = false;
    await this.#save({ known: news.restorations.map(({ id }) => toHex(id)), renewing: true });
    this.#checked = news.checkpoint.size;
    this.#standing = FINE;
    this.#server.frozen = false;
  }

  /** Another tab of this browser had a person's consent, and remembered it. */
  async adopt(): Promise<void> {
    await this.#saved;
    this.#seen = (await this.#device.ledger(this.#server.fingerprintHex)) ?? NOTHING;
    this.#server.goBackTo(this.#seen);
    this.#older = false;
    this.#standing = FINE;
    await this.check();
  }

  /** No session is left that came back. */
  renewed(): Promise<void> {
    return this.#save({ renewing: false });
  }

  /** What was seen, written one after the other; of what waits only the newest. */
  #saveSoon(): void {
    if (!this.fine || this.#saving) return;
    this.#saving = true;
    void this.#save({});
  }

  #save(change: Partial<Pick<SeenLedger, 'known' | 'renewing'>>): Promise<void> {
    this.#seen = { ...this.#seen, ...change };
    this.#saved = this.#saved.catch(() => undefined).then(() => {
      this.#saving = false;
      const { size, root } = this.#server.checkpoint;
      this.#seen = { ...this.#seen, size, root };
      return this.#device.saveLedger(this.#server.fingerprintHex, this.#seen);
    });
    return this.#saved;
  }

  async seenVersion(path: string): Promise<number> {
    return this.fine ? this.#device.seenVersion(path) : 0;
  }

  async noteVersion(path: string, version: number): Promise<void> {
    if (this.fine) await this.#device.noteVersion(path, version);
  }
}
