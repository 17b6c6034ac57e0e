/** Everything that lives while somebody is signed in: the socket, the shared files, one model a conversation. */

import { equalBytes, fromBase64url, toBase64url, toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import type { LocalIdentity } from '../e2ee/identity.ts';
import { Contacts, FILE_LIMIT, LABEL_SETTINGS, Settings } from '../e2ee/vaultfiles.ts';
import { type Http, field } from '../net/http.ts';
import { RequestRefused } from '../net/errors.ts';
import { Realtime } from '../net/realtime.ts';
import type { PrivateItem } from '../net/records.ts';
import { AppError, type Connection, type Preferences } from './api.ts';
import { troubleOf } from './apperrors.ts';
import { AddressBook } from './contacts.ts';
import type { Device } from './device.ts';
import type { OpenAccount } from './enrol.ts';
import { PrivateFolder, SharedFile } from './files.ts';
import { Following } from './following.ts';
import { Outbox } from './outbox.ts';
import { People } from './people.ts';
import { OwnPrekeys } from './prekeys.ts';
import { ServedFolder } from './rawfolder.ts';
import type { Restoring } from './restoring.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';
import type { Services } from './services.ts';
import { Transactor } from './transactor.ts';

const SETTLE_EVERY_MS = 30 * 60_000;
const KEPT_CONTACTS = 'contacts';
/** Of one conversation, when the server may have lost them. */
const MOST_HELD = 500;

export interface SignedInEvents {
  changed(): void;
  /** The session is over: signed out elsewhere, revoked, the password was changed, or somebody else signed in. */
  ended(): void;
}

export interface SignedInParts {
  readonly http: Http;
  readonly server: ServerView;
  readonly device: Device;
  readonly restoring: Restoring;
}

export class SignedIn implements Services {
  readonly account: Uint8Array;
  readonly http: Http;
  readonly server: ServerView;
  readonly realtime: Realtime;
  readonly transactor: Transactor;
  readonly people: People;
  readonly folder: PrivateFolder;
  readonly prekeys: OwnPrekeys;
  readonly contacts: AddressBook;
  readonly outbox: Outbox;
  readonly restoring: Restoring;
  readonly open: OpenAccount;
  connection: Connection = { kind: 'connecting' };
  ready = false;
  readonly #settings: SharedFile<Settings>;
  readonly #events: SignedInEvents;
  readonly #device: Device;
  readonly following: Following;
  #identity: LocalIdentity;
  #settled = 0;
  #settleTimer: ReturnType<typeof setInterval> | null = null;
  #stopped = false;

  constructor({ http, server, device, restoring }: SignedInParts, open: OpenAccount, events: SignedInEvents) {
    this.http = http;
    this.server = server;
    this.restoring = restoring;
    this.#device = device;
    this.open = open;
    this.account = open.account;
    this.#events = events;
    this.#identity = open.identity;
    this.realtime = new Realtime(this.#socketEvents());
    this.transactor = new Transactor(http, this.realtime, server, restoring);
    this.folder = new PrivateFolder(new ServedFolder(http, restoring), open.vault);
    this.prekeys = new OwnPrekeys(this.folder);
    this.contacts = new AddressBook(this.folder, this.transactor, () => this.now(), (contacts) => this.#keepContacts(contacts));
    this.people = new People(http, server, (account) => this.contacts.pin(account));
    this.following = new Following(this, {
      ended: () => this.#end(),
      shared: (versions) => this.#loadShared(versions),
      followed: () => this.#followed(),
    });
    this.outbox = new Outbox(device, open.localKey, (thread) => {
      this.changed();
      this.following.send(thread);
    });
    this.#settings = new SharedFile(this.folder, LABEL_SETTINGS, Settings, EMPTY_SETTINGS);
  }

  now(): number {
    return Date.now();
  }

  changed(): void {
    this.#events.changed();
  }

  lagging(retryAfter: number | null): void {
    this.following.refreshSoon(retryAfter);
  }

  async identity(fresh = false): Promise<LocalIdentity> {
    if (!fresh) return this.#identity;
    const read = await this.#readIdentity();
    this.#identity = read;
    return read;
  }

  async #readIdentity(): Promise<LocalIdentity> {
    await this.prekeys.load();
    const view = await this.people.view(this.account, true);
    if (!equalBytes(view.root, this.open.root.public)) throw new ServerMisbehaved('our own root was replaced');
    return { ...this.open.identity, view };
  }

  preferences(): Preferences {
    const { language, theme, sendReadMarks } = this.#settings.value;
    return {
      language: language === 'en' || language === 'es' ? language : 'auto',
      theme: theme === 'light' || theme === 'dark' ? theme : 'auto',
      sendReadMarks,
    };
  }

  async setPreferences(change: Partial<Preferences>): Promise<void> {
    await this.#settings.update(this.transactor, (settings) => ({ ...settings, ...change }));
    this.changed();
  }

  /** Loads the shared files, connects, and reads the list of conversations. */
  async start(): Promise<void> {
    await Promise.all([this.#settings.load(), this.contacts.load(), this.prekeys.load(), this.outbox.load()]);
    const { checkpointSize, checkpointRoot } = this.#settings.value;
    this.server.remember({ size: checkpointSize, root: checkpointRoot });
    await this.restoring.checkBeyond(checkpointSize);
    if (this.restoring.renewing) await this.#putBackContacts();
    globalThis.addEventListener('online', this.#onOnline);
    globalThis.addEventListener('offline', this.#onOffline);
    await this.following.readList();
    this.realtime.open();
    this.ready = true;
    this.changed();
    void this.following.refresh();
    this.#settleTimer = setInterval(() => void this.#settle(), SETTLE_EVERY_MS);
  }

  /** Everything was read once, and from now on is as it is: what had to be renewed after a restoration is. */
  async #followed(): Promise<void> {
    if (!this.restoring.renewing) {
      await this.restoring.confirm();
      if (this.restoring.fine) for (const held of await this.outbox.held('')) await this.outbox.letGo(held);
      if (this.#settled === 0) await this.#settle();
      return;
    }
    const { view } = await this.identity(true);
    await this.prekeys.renew(this.transactor, this.open.root, view, this.now());
    await this.identity(true);
    await this.restoring.renewed();
  }

  /** Pins and decisions, for the case that the vault's own copy is set back. */
  #keepContacts(contacts: Contacts): void {
    if (this.restoring.lenient) return;
    const text = toBase64url(Contacts.encode(contacts));
    void this.#quietly(() => this.#device.saveText(this.open.localKey, KEPT_CONTACTS, text));
  }

  async #putBackContacts(): Promise<void> {
    const text = await this.#device.text(this.open.localKey, KEPT_CONTACTS);
    if (text !== null) await this.contacts.merge(Contacts.decode(fromBase64url(text), FILE_LIMIT));
  }

  suspect(older: boolean): void {
    if (this.restoring.fine) void this.#quietly(() => this.restoring.suspect(older));
  }

  /** The server went back while this was open: it stays as it is, and what the server may have lost is kept. */
  async freeze(since: number): Promise<void> {
    this.following.freeze();
    for (const model of this.following.all()) {
      const mine = model.timeline.mineSince(since, MOST_HELD);
      if (mine.length === 0 && model.history.early.length === 0) continue;
      await this.outbox.noteBegun(model.hex, { account: model.peerHex, name: model.peerName });
      for (const { id, key, sequence, text, time, resent } of mine) {
        const repeat = resent ? { resends: key } : {};
        await this.outbox.hold({ id, thread: model.hex, text, written: time, failure: null, sequence, ...repeat });
      }
    }
  }

  /** What has no hurry: prekeys that run low, and the checkpoint for the next browser. */
  async #settle(): Promise<void> {
    if (this.restoring.lenient) return;
    await this.#quietly(async () => {
      const { view } = await this.identity();
      if (await this.prekeys.replenish(this.transactor, this.open.root, view, this.now())) await this.identity(true);
      const { size, root } = this.server.checkpoint;
      await this.#settings.update(this.transactor, (settings) =>
        settings.checkpointSize >= size ? null : { ...settings, checkpointSize: size, checkpointRoot: root });
      this.#settled = this.now();
    });
  }

  /** What another browser changed while this one was away. */
  async #loadShared(versions: ReadonlyMap<string, number>): Promise<void> {
    for (const file of this.#sharedFiles()) {
      const path = toHex(await this.folder.path(file.label));
      if ((versions.get(path) ?? 0) > file.version) await file.load();
    }
  }

  #sharedFiles(): readonly { readonly label: string; readonly version: number; load(): Promise<void> }[] {
    return [this.#settings, this.contacts, this.prekeys];
  }

  async send(thread: string, text: string): Promise<void> {
    if (this.following.get(thread) === null) throw new AppError('not-found');
    const id = toHex(systemRandom(16));
    await this.outbox.put({ id, thread, text, written: this.outbox.timeOfWriting(this.now()), failure: null });
    this.changed();
    this.following.send(thread);
  }

  async retry(thread: string, id: string): Promise<void> {
    const unsent = await this.outbox.stored(id);
    if (unsent === null) return;
    await this.outbox.put({ ...unsent, failure: null });
    this.changed();
    this.following.send(thread);
  }

  #socketEvents(): ConstructorParameters<typeof Realtime>[0] {
    return {
      online: () => this.#online(),
      lost: (retryAt) => {
        this.restoring.doubt();
        this.connection = navigator.onLine ? { kind: 'waiting', retryAt } : { kind: 'offline' };
        this.changed();
        // A refused handshake says nothing of its reason: ask whether the session still lives.
        void this.#quietly(() => this.#checkSession());
      },
      entries: (page) => void this.#quietly(() => this.following.entries(page)),
      privateChanged: (item) => void this.#quietly(() => this.#privateChanged(item)),
      marked: (mark) => this.following.marked(mark),
      typing: (typing) => this.following.typed(typing),
      signedOut: () => this.#end(),
      // Whatever it was to say, the list says it too.
      badFrame: () => this.lagging(null),
    };
  }

  #online(): void {
    this.connection = { kind: 'online' };
    this.changed();
    if (this.ready) void this.#quietly(() => this.#reconnected());
  }

  /** Nothing goes on before whoever answers now has shown that it is the same log. */
  async #reconnected(): Promise<void> {
    await this.restoring.check();
    if (!this.restoring.fine) return;
    this.following.reconnected();
    if (this.#settled > 0 && this.now() - this.#settled > SETTLE_EVERY_MS) void this.#settle();
  }

  /** The cookie is shared by all tabs: it may stand for nobody any more, or for somebody else. */
  async #checkSession(): Promise<void> {
    const session = await this.http.getJson('/api/session');
    const account = field(session, 'signed_in', 'boolean') ? toHex(fromBase64url(field(session, 'account', 'string'))) : null;
    if (account !== toHex(this.account)) return this.#end();
    this.http.csrf = field(session, 'csrf', 'string');
  }

  async #privateChanged({ path, version, size }: PrivateItem): Promise<void> {
    if (await this.following.privateChanged({ path, version, size })) return;
    for (const file of this.#sharedFiles()) {
      if (version > file.version && equalBytes(await this.folder.path(file.label), path)) await file.load();
    }
    this.changed();
  }

  readonly #onOnline = (): void => void this.realtime.revive();

  readonly #onOffline = (): void => {
    this.connection = { kind: 'offline' };
    this.changed();
  };

  /** What happens in the background has nobody to tell: being out of reach heals itself, an ended session ends us. */
  async #quietly(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (this.#stopped) return;
      if (error instanceof RequestRefused && error.kind === 'not-signed-in') this.#end();
      else if (troubleOf(error) === 'transient') this.lagging(null);
      else this.following.troubled(error);
    }
  }

  #end(): void {
    if (this.#stopped) return;
    this.halt();
    this.#events.ended();
  }

  /** Lets go of everything at once. */
  halt(): void {
    this.#stopped = true;
    if (this.#settleTimer !== null) clearInterval(this.#settleTimer);
    globalThis.removeEventListener('online', this.#onOnline);
    globalThis.removeEventListener('offline', this.#onOffline);
    this.following.halt();
    this.realtime.close();
  }

  /** As `stop`, saving nothing: what is held here is of a state that is no more. */
  async drop(): Promise<void> {
    this.halt();
    await this.stop();
  }

  /** Saves what waits, unless the session has ended, then lets go of everything. */
  async stop(): Promise<void> {
    await this.following.stop(!this.#stopped);
    await this.outbox.close();
    this.halt();
  }
}

const EMPTY_SETTINGS: Settings = {
  serverFingerprint: new Uint8Array(32),
  checkpointSize: 0,
  checkpointRoot: new Uint8Array(32),
  sendReadMarks: true,
  language: 'auto',
  theme: 'auto',
};
