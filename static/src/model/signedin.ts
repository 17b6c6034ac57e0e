/** Everything that lives while somebody is signed in: the socket, the shared files, one model a conversation. */

import { fromHex, equalBytes, toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import type { LocalIdentity } from '../e2ee/identity.ts';
import { LABEL_SETTINGS, Settings, sessionLabel } from '../e2ee/vaultfiles.ts';
import type { Http } from '../net/http.ts';
import { RequestRefused, Unreachable } from '../net/errors.ts';
import { Realtime } from '../net/realtime.ts';
import { type EntriesPage, type PrivateItem, type ThreadItem, ThreadList } from '../net/records.ts';
import type { Connection, Preferences } from './api.ts';
import { AddressBook } from './contacts.ts';
import { ConversationModel } from './conversation.ts';
import type { Device } from './device.ts';
import type { OpenAccount } from './enrol.ts';
import { PrivateFolder, SharedFile } from './files.ts';
import { Outbox } from './outbox.ts';
import { People } from './people.ts';
import { OwnPrekeys } from './prekeys.ts';
import { ServedFolder } from './rawfolder.ts';
import { Sender } from './sending.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';
import type { Services } from './services.ts';
import { Transactor } from './transactor.ts';

const AT_ONCE = 4;
const REMEMBER_EVERY_MS = 30 * 60_000;

export interface SignedInEvents {
  changed(): void;
  /** The session is over: signed out elsewhere, revoked, or the password was changed. */
  ended(): void;
}

interface Held {
  readonly model: ConversationModel;
  readonly sender: Sender;
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
  readonly open: OpenAccount;
  connection: Connection = { kind: 'connecting' };
  ready = false;
  readonly #settings: SharedFile<Settings>;
  readonly #events: SignedInEvents;
  readonly #held = new Map<string, Held>();
  readonly #labels = new Map<string, string>();
  #identity: Promise<LocalIdentity>;
  #remembered = 0;
  #stopped = false;

  constructor(http: Http, server: ServerView, device: Device, open: OpenAccount, events: SignedInEvents) {
    this.http = http;
    this.server = server;
    this.open = open;
    this.account = open.account;
    this.#events = events;
    this.#identity = Promise.resolve(open.identity);
    this.realtime = new Realtime(this.#socketEvents());
    this.transactor = new Transactor(http, this.realtime, server);
    this.folder = new PrivateFolder(new ServedFolder(http, device), open.vault);
    this.prekeys = new OwnPrekeys(this.folder);
    this.contacts = new AddressBook(this.folder, this.transactor, () => this.now());
    this.people = new People(http, server, (account) => this.contacts.pin(account));
    this.outbox = new Outbox(device, open.localKey);
    this.#settings = new SharedFile(this.folder, LABEL_SETTINGS, Settings, EMPTY_SETTINGS);
  }

  now(): number {
    return Date.now();
  }

  changed(): void {
    this.#events.changed();
  }

  identity(fresh = false): Promise<LocalIdentity> {
    if (fresh) this.#identity = this.#readIdentity();
    return this.#identity;
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
    globalThis.addEventListener('online', this.#onOnline);
    globalThis.addEventListener('offline', this.#onOffline);
    this.realtime.open();
    await this.#readList();
    this.ready = true;
    this.changed();
    void this.#settle();
  }

  /** What has no hurry: prekeys that run low, and the checkpoint for the next browser. */
  async #settle(): Promise<void> {
    await this.#quietly(async () => {
      const { view } = await this.identity();
      if (await this.prekeys.replenish(this.transactor, this.open.root, view, this.now())) await this.identity(true);
      await this.#rememberCheckpoint();
    });
  }

  async #rememberCheckpoint(): Promise<void> {
    const now = this.now();
    if (now - this.#remembered < REMEMBER_EVERY_MS) return;
    this.#remembered = now;
    const { size, root } = this.server.checkpoint;
    await this.#settings.update(this.transactor, (settings) =>
      settings.checkpointSize >= size ? null : { ...settings, checkpointSize: size, checkpointRoot: root });
  }

  async #readList(): Promise<void> {
    const { threads } = await this.http.getRecord('/api/threads', ThreadList);
    const unknown = threads.filter(({ thread, size }) => size > 0 && !this.#held.has(toHex(thread)));
    for (const item of unknown) this.#hold(item);
    this.changed();
    const waiting = [...this.#held.values()]
      .filter(({ model }) => model.loading)
      .sort((a, b) => (b.model.lastTime ?? 0) - (a.model.lastTime ?? 0));
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await next.model.start();
        void this.#send(next);
      }
    };
    void Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  #hold(item: ThreadItem): Held {
    const model = new ConversationModel(this, item.thread, item.peer, item.peerName, item);
    const held = { model, sender: new Sender(model) };
    this.#held.set(model.hex, held);
    void this.folder.path(sessionLabel(item.thread)).then((path) => this.#labels.set(toHex(path), model.hex));
    return held;
  }

  conversations(): readonly ConversationModel[] {
    return [...this.#held.values()].map(({ model }) => model);
  }

  get(thread: string): ConversationModel | null {
    return this.#held.get(thread)?.model ?? null;
  }

  sender(thread: string): Sender | null {
    return this.#held.get(thread)?.sender ?? null;
  }

  /** The conversation with a person, which exists from its first message on. */
  async openWith(account: string, thread: string, name: string): Promise<void> {
    if (this.#held.has(thread)) return;
    const item = { thread: fromHex(thread), peer: fromHex(account), peerName: name, size: 0, lastTime: 0 };
    await this.#hold(item).model.start();
  }

  async send(thread: string, text: string): Promise<void> {
    const held = this.#held.get(thread);
    if (held === undefined) return;
    const id = toHex(systemRandom(16));
    await this.outbox.put({ id, thread, text, written: this.now(), failure: null });
    this.changed();
    void this.#send(held);
  }

  async retry(thread: string, id: string): Promise<void> {
    const unsent = this.outbox.get(id);
    const held = this.#held.get(thread);
    if (unsent === null || held === undefined) return;
    await this.outbox.put({ ...unsent, failure: null });
    this.changed();
    void this.#send(held);
  }

  async #send({ model, sender }: Held): Promise<void> {
    if (model.loading || this.#stopped) return;
    await this.#quietly(async () => {
      await sender.resendAsked();
      await sender.run();
    });
  }

  #socketEvents(): ConstructorParameters<typeof Realtime>[0] {
    return {
      online: () => void this.#quietly(() => this.#online()),
      lost: (retryAt) => {
        this.connection = navigator.onLine ? { kind: 'waiting', retryAt } : { kind: 'offline' };
        this.changed();
        // A refused handshake says nothing of its reason: ask whether the session still lives.
        void this.#quietly(async () => void (await this.http.getJson('/api/sessions')));
      },
      entries: (page) => void this.#quietly(() => this.#entries(page)),
      privateChanged: (item) => void this.#quietly(() => this.#privateChanged(item)),
      marked: ({ thread, account, blob }) => void this.#held.get(toHex(thread))?.model.marked({ account, blob }),
      typing: ({ thread, account }) => {
        const held = this.#held.get(toHex(thread));
        if (held !== undefined && equalBytes(account, held.model.peer)) held.model.peerTypes();
      },
      signedOut: () => this.#end(),
      badFrame: () => undefined,
    };
  }

  async #online(): Promise<void> {
    this.connection = { kind: 'online' };
    this.changed();
    if (!this.ready) return;
    await this.#readList();
    for (const held of this.#held.values()) {
      if (held.model.loading) continue;
      if (held.model.exists) await held.model.sync();
      void this.#send(held);
    }
  }

  async #entries(page: EntriesPage): Promise<void> {
    const held = this.#held.get(toHex(page.thread));
    if (held === undefined) return this.#readList();
    await held.model.announced(page);
    if (held.model.resend.length > 0) void this.#send(held);
  }

  async #privateChanged({ path, version }: PrivateItem): Promise<void> {
    const hex = toHex(path);
    const thread = this.#labels.get(hex);
    if (thread !== undefined) return this.#held.get(thread)?.model.fileChanged(version);
    const shared = [
      { label: this.#settings.label, load: () => this.#settings.load() },
      { label: 'contacts', load: () => this.contacts.load() },
    ];
    for (const { label, load } of shared) {
      if (equalBytes(await this.folder.path(label), path)) await load();
    }
    this.changed();
  }

  readonly #onOnline = (): void => this.realtime.retryNow();

  readonly #onOffline = (): void => {
    this.connection = { kind: 'offline' };
    this.changed();
  };

  /** What happens in the background has nobody to tell: being out of reach heals itself, an ended session ends us. */
  async #quietly(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (error instanceof RequestRefused && error.kind === 'not-signed-in') this.#end();
      else if (!(error instanceof Unreachable || error instanceof RequestRefused)) throw error;
    }
  }

  #end(): void {
    if (this.#stopped) return;
    this.#halt();
    this.#events.ended();
  }

  #halt(): void {
    this.#stopped = true;
    globalThis.removeEventListener('online', this.#onOnline);
    globalThis.removeEventListener('offline', this.#onOffline);
    this.realtime.close();
  }

  /** Saves what waits, then lets go of everything. */
  async stop(): Promise<void> {
    await Promise.all([...this.#held.values()].map(({ model }) => model.close()));
    await this.outbox.close();
    this.#halt();
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
