/** The application: one snapshot for the views, and the actions that change it. */

import { probe } from '../crypto/provider.ts';
import { fromHex, toBase64url, toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import { fingerprintOf } from '../ledger/accountchain.ts';
import { Http, type JsonObject, field } from '../net/http.ts';
import {
  type AccountSecurity, type App, AppError, type AppState, type Connection, type Hex, type MessageProtection, type Person,
  type Phase, type Preferences, type Progress, type SessionInfo,
} from './api.ts';
import { acting } from './apperrors.ts';
import { ConversationModel } from './conversation.ts';
import { workerDerive } from './derive.ts';
import { Device } from './device.ts';
import { Enrolment, type OpenAccount, type Recovered } from './enrol.ts';
import { ServerView, readServer } from './server.ts';
import { SignedIn } from './signedin.ts';
import { accountFacts, conversationOf, summariesOf } from './snapshot.ts';
import { missingFeatures } from './support.ts';
import { bytesField } from './unlocking.ts';

const MAX_TEXT = 32_768;
const MIN_QUERY = 2;
const TABS = 'secure-msg';
const CONNECTING: Connection = { kind: 'connecting' };
const DEFAULTS: Preferences = { language: 'auto', theme: 'auto', sendReadMarks: true };

export interface AppOptions {
  /** What `new Worker` takes: where Trusted Types are enforced, a TrustedScriptURL typed as its text. */
  readonly deriveWorkerUrl: string;
}

export function createApp(options: AppOptions): App {
  return new AppModel(options);
}

class AppModel implements App {
  readonly #http = new Http();
  readonly #options: AppOptions;
  readonly #listeners = new Set<() => void>();
  readonly #tabs = new BroadcastChannel(TABS);
  #phase: Phase = { kind: 'starting' };
  #snapshot: AppState | null = null;
  #scheduled = false;
  #server: ServerView | null = null;
  #enrolment: Enrolment | null = null;
  #signedIn: SignedIn | null = null;
  #recovered: Recovered | null = null;
  #work: Progress | null = null;
  #openThread: string | null = null;
  #firstUnread: string | null = null;

  constructor(options: AppOptions) {
    this.#options = options;
    this.#tabs.onmessage = ({ data }) => {
      if (data === 'signed-out') void this.#dropSignedIn('signed-out');
      else if (data === 'vault-changed' && this.#signedIn !== null) void this.#dropSignedIn('ended').then(() => this.#resume());
      else if (data === 'signed-in' && this.#signedIn === null && this.#phase.kind === 'signed-out') void this.#resume();
    };
  }

  get state(): AppState {
    this.#snapshot ??= this.#takeSnapshot();
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** At most one call of the listeners a frame; a hidden page has no frames, but its title still counts. */
  readonly #changed = (): void => {
    this.#snapshot = null;
    if (this.#scheduled) return;
    this.#scheduled = true;
    const tell = (): void => {
      if (!this.#scheduled) return;
      this.#scheduled = false;
      for (const listener of this.#listeners) listener();
    };
    if (document.visibilityState === 'visible') requestAnimationFrame(tell);
    setTimeout(tell, 50);
  };

  #takeSnapshot(): AppState {
    const signedIn = this.#signedIn;
    const model = this.#openThread === null ? null : (signedIn?.get(this.#openThread) ?? null);
    return {
      phase: this.#phase,
      me: signedIn === null ? null : {
        account: toHex(signedIn.account),
        name: signedIn.open.name,
        fingerprint: toHex(fingerprintOf(signedIn.open.root.public)),
      },
      connection: signedIn?.connection ?? CONNECTING,
      ready: signedIn?.ready ?? false,
      conversations: signedIn === null ? [] : summariesOf(signedIn, this.#openThread),
      open: model === null ? null : conversationOf(model, this.#firstUnread),
      preferences: signedIn?.preferences() ?? DEFAULTS,
      work: this.#work,
      serverName: location.host,
      registration: this.#server?.info.registration ?? 'open',
    };
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#changed();
  }

  readonly #progress = (progress: Progress): void => this.#enter({ kind: 'busy', progress });

  async start(): Promise<void> {
    const missing = missingFeatures();
    if (missing.length > 0) return this.#enter({ kind: 'unsupported', missing });
    for (let pause = 500; ; pause = Math.min(2 * pause, 8_000)) {
      try {
        await acting(() => this.#prepare());
        break;
      } catch (error) {
        if (!(error instanceof AppError) || !['offline', 'server-busy', 'slow-down'].includes(error.kind)) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    await this.#resume();
  }

  async #prepare(): Promise<void> {
    this.#server = new ServerView(await readServer(this.#http));
    const session = await this.#http.getJson('/api/session');
    this.#http.csrf = field(session, 'csrf', 'string');
    this.#enrolment = new Enrolment({
      http: this.#http,
      server: this.#server,
      device: await Device.open(),
      derive: workerDerive(this.#options.deriveWorkerUrl),
      random: systemRandom,
      now: () => Date.now(),
    });
  }

  async #resume(): Promise<void> {
    const open = await acting(() => this.#enrol().resume());
    if (open === null) this.#enter({ kind: 'signed-out', reason: 'none' });
    else await this.#signInto(open);
  }

  #enrol(): Enrolment {
    if (this.#enrolment === null) throw new AppError('offline');
    return this.#enrolment;
  }

  /** Runs a long account action; a failure leads back to where it began. */
  async #busy<T>(step: () => Promise<T>): Promise<T> {
    const before = this.#phase;
    try {
      return await acting(step);
    } catch (error) {
      this.#enter(before.kind === 'busy' ? { kind: 'signed-out', reason: 'none' } : before);
      throw error;
    }
  }

  async #signInto(open: OpenAccount): Promise<void> {
    this.#progress({ step: 'loading', fraction: null });
    await this.#load(open);
    this.#enter({ kind: 'signed-in' });
    this.#tabs.postMessage('signed-in');
  }

  async #load(open: OpenAccount): Promise<void> {
    if (this.#server === null) throw new AppError('offline');
    const signedIn = new SignedIn(this.#http, this.#server, this.#enrol().device, open, {
      changed: this.#changed,
      ended: () => void this.#dropSignedIn('ended'),
    });
    await signedIn.start();
    this.#signedIn = signedIn;
    this.#changed();
  }

  async #dropSignedIn(reason: 'ended' | 'signed-out'): Promise<void> {
    const signedIn = this.#signedIn;
    if (signedIn === null) return;
    this.#signedIn = null;
    this.#openThread = null;
    this.#enter({ kind: 'signed-out', reason });
    await signedIn.stop();
    await acting(() => this.#enrol().forget());
  }

  register(name: string, password: string, withRecovery: boolean): Promise<{ readonly recoveryCode: string | null }> {
    return this.#busy(async () => {
      const { account, recoveryCode } = await this.#enrol().register(name, password, withRecovery, this.#progress);
      await this.#signInto(account);
      return { recoveryCode };
    });
  }

  signIn(name: string, password: string): Promise<void> {
    return this.#busy(async () => this.#signInto(await this.#enrol().signIn(name, password, this.#progress)));
  }

  recover(name: string, code: string): Promise<void> {
    return this.#busy(async () => {
      this.#recovered = await this.#enrol().recover(name, code, this.#progress);
      this.#enter({ kind: 'recovering', name });
    });
  }

  setPasswordAfterRecovery(password: string): Promise<{ readonly recoveryCode: string }> {
    const recovered = this.#recovered;
    if (recovered === null) throw new AppError('recovery-failed');
    return this.#busy(async () => {
      const { account, recoveryCode } = await this.#enrol().finishRecovery(recovered, password, this.#progress);
      this.#recovered = null;
      await this.#signInto(account);
      return { recoveryCode };
    });
  }

  changePassword(current: string, next: string): Promise<{ readonly recoveryCode: string | null }> {
    return this.#reopen((open) => this.#enrol().changePassword(open, current, next, this.#working));
  }

  renewRecoveryCode(password: string): Promise<{ readonly recoveryCode: string }> {
    return this.#reopen((open) => this.#enrol().renewRecovery(open, password, this.#working));
  }

  readonly #working = (work: Progress | null): void => {
    this.#work = work;
    this.#changed();
  };

  /** The vault changes under everything that is loaded: it is saved and let go first, then opened again. */
  async #reopen<C extends { readonly account: OpenAccount }>(step: (open: OpenAccount) => Promise<C>): Promise<C> {
    const before = this.#active();
    this.#working({ step: 'deriving', fraction: null });
    try {
      await before.stop();
      const changed = await acting(() => step(before.open));
      await this.#load(changed.account);
      this.#tabs.postMessage('vault-changed');
      return changed;
    } catch (error) {
      // Whether the change was made may not be known: what this browser remembers says which vault is true.
      const open = await acting(() => this.#enrol().resume());
      if (open === null) await this.#dropSignedIn('ended');
      else await this.#load(open);
      throw error;
    } finally {
      this.#working(null);
    }
  }

  async signOut(): Promise<void> {
    const signedIn = this.#active();
    await signedIn.stop();
    await acting(() => this.#enrol().signOut());
    await this.#dropSignedIn('signed-out');
    this.#tabs.postMessage('signed-out');
  }

  #active(): SignedIn {
    if (this.#signedIn === null) throw new AppError('unexpected', 'not-signed-in');
    return this.#signedIn;
  }

  #model(thread: Hex): ConversationModel {
    const model = this.#active().get(thread);
    if (model === null) throw new AppError('not-found');
    return model;
  }

  searchPeople(query: string): Promise<readonly Person[]> {
    return acting(async () => {
      const asked = query.trim();
      if ([...asked].length < MIN_QUERY) return [];
      const answer = await this.#http.getJson(`/api/directory?q=${encodeURIComponent(asked)}`);
      const people = Array.isArray(answer['people']) ? (answer['people'] as readonly JsonObject[]) : [];
      const me = toHex(this.#active().account);
      return people
        .map((person) => ({ account: toHex(bytesField(person, 'account', 32)), name: field(person, 'name', 'string') }))
        .filter(({ account }) => account !== me);
    });
  }

  openWith(account: Hex): Promise<Hex> {
    return acting(async () => {
      const peer = fromHex(account);
      const answer = await this.#http.sendJson('POST', '/api/threads', { peer: toBase64url(peer) });
      const thread = toHex(bytesField(answer, 'thread', 32));
      const view = await this.#active().people.view(peer);
      await this.#active().openWith(account, thread, view.name);
      this.#changed();
      return thread;
    });
  }

  openConversation(thread: Hex): Promise<void> {
    return acting(async () => {
      const model = this.#model(thread);
      this.#openThread = thread;
      this.#firstUnread = model.timeline.unreadAfter(model.file.state.read)[0]?.key ?? null;
      this.#changed();
    });
  }

  closeConversation(): void {
    this.#openThread = null;
    this.#firstUnread = null;
    this.#changed();
  }

  async loadOlder(): Promise<void> {
    const model = this.#openThread === null ? null : this.#model(this.#openThread);
    if (model === null || !model.history.hasOlder) return;
    await acting(() => model.lane.run(() => model.history.loadOlder()));
    this.#changed();
  }

  markRead(): void {
    if (this.#openThread === null) return;
    const model = this.#signedIn?.get(this.#openThread);
    if (model !== null && model !== undefined && !model.loading && model.contactState !== 'request') model.markRead();
  }

  setDraft(thread: Hex, text: string): void {
    this.#active().outbox.setDraft(thread, text);
    this.#changed();
  }

  noteTyping(thread: Hex): void {
    this.#signedIn?.get(thread)?.noteTyping();
  }

  async send(thread: Hex, text: string): Promise<void> {
    const size = new TextEncoder().encode(text).length;
    if (text.trim() === '') return;
    if (size > MAX_TEXT) throw new AppError('too-long');
    this.#firstUnread = null;
    await acting(() => this.#active().send(thread, text));
  }

  retry(thread: Hex, key: string): Promise<void> {
    return acting(() => this.#active().retry(thread, key));
  }

  discard(_thread: Hex, key: string): Promise<void> {
    return acting(async () => {
      await this.#active().outbox.remove(key);
      this.#changed();
    });
  }

  accept(thread: Hex): Promise<void> {
    return acting(() => this.#model(thread).setContact('accepted'));
  }

  deleteConversation(thread: Hex): Promise<void> {
    return acting(async () => {
      const model = this.#model(thread);
      await model.setContact('deleted');
      await model.clear();
      if (this.#openThread === thread) this.closeConversation();
    });
  }

  block(thread: Hex): Promise<void> {
    return acting(() => this.#model(thread).setContact('blocked'));
  }

  unblock(thread: Hex): Promise<void> {
    return acting(() => this.#model(thread).setContact('accepted'));
  }

  askAgain(thread: Hex, key: string): Promise<void> {
    return acting(async () => {
      const id = ConversationModel.askedId(key);
      const sender = this.#active().sender(thread);
      if (id === null || sender === null) throw new AppError('not-found');
      await sender.askAgain([id]);
      this.#model(thread).timeline.asked(key);
      this.#changed();
    });
  }

  protection(thread: Hex, key: string): Promise<MessageProtection | null> {
    return acting(() => this.#model(thread).history.protection(key));
  }

  accountSecurity(): Promise<AccountSecurity> {
    return acting(async () => {
      const signedIn = this.#active();
      const native = await probe();
      const { open, server } = signedIn;
      return {
        ...(await accountFacts(signedIn)),
        suites: ['SM1'],
        keyDerivation: open.kdf,
        rootAlgorithms: ['Ed25519', 'ML-DSA-65'],
        vaultEpoch: open.epoch,
        hasRecoveryCode: open.hasRecovery,
        nativeKeys: (['Ed25519', 'X25519', 'ML-DSA-65', 'ML-KEM-1024'] as const).every((name) => native.has(name)),
        server: { origin: server.info.origin, fingerprint: server.fingerprintHex, checkpointSize: server.checkpoint.size },
      };
    });
  }

  sessions(): Promise<readonly SessionInfo[]> {
    return acting(() => this.#enrol().sessions());
  }

  endSession(id: string | 'all'): Promise<void> {
    return acting(() => this.#enrol().endSession(id));
  }

  setPreferences(change: Partial<Preferences>): Promise<void> {
    return acting(() => this.#active().setPreferences(change));
  }
}
