/** The application: one snapshot for the views, and the actions that change it. */

import { probe } from '../crypto/provider.ts';
import { toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import { fingerprintOf } from '../ledger/accountchain.ts';
import { Http, field } from '../net/http.ts';
import {
  type AccountSecurity, type App, AppError, type AppState, type Connection, type Phase, type Preferences, type Progress, type SessionInfo,
} from './api.ts';
import { acting } from './apperrors.ts';
import { workerDerive } from './derive.ts';
import { Device } from './device.ts';
import { Enrolment, type OpenAccount, type Recovered } from './enrol.ts';
import { GoingOn } from './goingon.ts';
import { ServerView, readServer } from './server.ts';
import { SignedIn } from './signedin.ts';
import { accountFacts, summariesOf } from './snapshot.ts';
import { missingFeatures } from './support.ts';
import { Talking } from './talking.ts';

const TABS = 'secure-msg';
const CONNECTING: Connection = { kind: 'connecting' };
const PASSING: readonly string[] = ['offline', 'server-busy', 'slow-down', 'read-only', 'storage-full'];
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 8_000;
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
  #goingOn: GoingOn | null = null;
  #signedIn: SignedIn | null = null;
  #recovered: Recovered | null = null;
  #work: Progress | null = null;
  readonly #talking = new Talking(this.#http, () => this.#signedIn, () => this.#changed());

  constructor(options: AppOptions) {
    this.#options = options;
    this.#tabs.onmessage = ({ data }) => void this.#onTab(data).catch(reportError);
  }

  /** Another tab has done its part already: this one only follows. */
  async #onTab(news: unknown): Promise<void> {
    if (news === 'signed-out') await this.#letGo('signed-out');
    else if (news === 'vault-changed' && this.#signedIn !== null) await this.#openAgain(this.#signedIn);
    else if (news === 'went-on') await this.#going().followed();
    else if (news === 'signed-in' && this.#phase.kind === 'signed-out') await this.#untilReached(() => this.#resume());
  }

  readonly searchPeople: App['searchPeople'] = (query) => this.#talking.searchPeople(query);
  readonly openWith: App['openWith'] = (account) => this.#talking.openWith(account);
  readonly openConversation: App['openConversation'] = (thread) => this.#talking.openConversation(thread);
  readonly closeConversation: App['closeConversation'] = () => this.#talking.closeConversation();
  readonly loadOlder: App['loadOlder'] = () => this.#talking.loadOlder();
  readonly markRead: App['markRead'] = () => this.#talking.markRead();
  readonly setDraft: App['setDraft'] = (thread, text) => this.#talking.setDraft(thread, text);
  readonly noteTyping: App['noteTyping'] = (thread) => this.#talking.noteTyping(thread);
  readonly send: App['send'] = (thread, text) => this.#talking.send(thread, text);
  readonly retry: App['retry'] = (thread, key) => this.#talking.retry(thread, key);
  readonly discard: App['discard'] = (thread, key) => this.#talking.discard(thread, key);
  readonly accept: App['accept'] = (thread) => this.#talking.accept(thread);
  readonly deleteConversation: App['deleteConversation'] = (thread) => this.#talking.deleteConversation(thread);
  readonly block: App['block'] = (thread) => this.#talking.block(thread);
  readonly unblock: App['unblock'] = (thread) => this.#talking.unblock(thread);
  readonly askAgain: App['askAgain'] = (thread, key) => this.#talking.askAgain(thread, key);
  readonly protection: App['protection'] = (thread, key) => this.#talking.protection(thread, key);

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
    return {
      phase: this.#phase,
      me: signedIn === null ? null : {
        account: toHex(signedIn.account),
        name: signedIn.open.name,
        fingerprint: toHex(fingerprintOf(signedIn.open.root.public)),
      },
      connection: signedIn?.connection ?? CONNECTING,
      ready: signedIn?.ready ?? false,
      conversations: signedIn === null ? [] : summariesOf(signedIn, this.#talking.thread),
      open: this.#talking.shown(),
      wentBack: this.#goingOn?.shown ?? null,
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
    await this.#untilReached(async () => {
      if (this.#enrolment === null) await this.#prepare();
      await this.#going().restoring.check();
      await this.#resume();
    });
  }

  #going(): GoingOn {
    if (this.#goingOn === null) throw new AppError('offline');
    return this.#goingOn;
  }

  goOn(): Promise<void> {
    return acting(async () => {
      await this.#going().goOn();
      this.#tabs.postMessage('went-on');
    });
  }

  /** Repeats a step while the server is away or busy. */
  async #untilReached(step: () => Promise<void>): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
      try {
        return await acting(step);
      } catch (error) {
        if (error instanceof AppError && PASSING.includes(error.kind)) await new Promise((resolve) => setTimeout(resolve, pause));
        else {
          if (this.#signedIn === null) this.#enter({ kind: 'signed-out', reason: 'none' });
          throw error;
        }
      }
    }
  }

  async #prepare(): Promise<void> {
    this.#server = new ServerView(await readServer(this.#http));
    const device = await Device.open();
    const goingOn = new GoingOn(this.#http, this.#server, device, {
      signedIn: () => this.#signedIn,
      openAgain: (before) => this.#openAgain(before),
      working: this.#working,
      changed: this.#changed,
    });
    await goingOn.restoring.load();
    const session = await this.#http.getJson('/api/session');
    this.#http.csrf = field(session, 'csrf', 'string');
    this.#enrolment = new Enrolment({
      http: this.#http,
      server: this.#server,
      device,
      memory: goingOn.restoring,
      derive: workerDerive(this.#options.deriveWorkerUrl),
      random: systemRandom,
      now: () => Date.now(),
    });
    this.#goingOn = goingOn;
  }

  #resume(): Promise<void> {
    return this.#going().judged(async () => {
      const open = await this.#enrol().resume();
      if (open === null) this.#enter({ kind: 'signed-out', reason: 'none' });
      else await this.#signInto(open);
    });
  }

  /** What this browser remembers says which vault is true, whoever changed it. */
  async #openAgain(before: SignedIn): Promise<void> {
    await before.stop();
    await this.#untilReached(() => this.#going().judged(async () => {
      if (this.#signedIn !== before) return;
      const open = await this.#enrol().resume();
      if (this.#signedIn !== before) return;
      if (open === null) await this.#letGo('ended');
      else await this.#load(open);
    }));
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
    const parts = { http: this.#http, server: this.#server, device: this.#enrol().device, restoring: this.#going().restoring };
    const signedIn = new SignedIn(parts, open, {
      changed: this.#changed,
      ended: () => void this.#end().catch(reportError),
    });
    try {
      await signedIn.start();
    } catch (error) {
      signedIn.halt();
      throw error;
    }
    this.#signedIn = signedIn;
    this.#talking.again();
    // What was written while the vault was opened anew.
    await signedIn.outbox.load();
    void signedIn.following.refresh();
    this.#changed();
  }

  /** The session has ended: this browser forgets the keys, unless another tab has signed in again with them. */
  async #end(): Promise<void> {
    const signedIn = this.#signedIn;
    if (signedIn === null) return;
    await this.#going().kept();
    if (this.#signedIn !== signedIn) return;
    await this.#letGo('ended');
    await acting(() => this.#enrol().forgetEnded(signedIn.open));
  }

  async #letGo(reason: 'ended' | 'signed-out'): Promise<void> {
    const signedIn = this.#signedIn;
    if (signedIn === null) return;
    this.#signedIn = null;
    this.#talking.closeConversation();
    this.#enter({ kind: 'signed-out', reason });
    await signedIn.stop();
  }

  register(name: string, password: string, withRecovery: boolean): Promise<{ readonly recoveryCode: string | null }> {
    return this.#busy(async () => {
      this.#going().checkFine();
      const { account, recoveryCode } = await this.#enrol().register(name, password, withRecovery, this.#progress);
      await this.#signInto(account);
      return { recoveryCode };
    });
  }

  signIn(name: string, password: string): Promise<void> {
    return this.#busy(() => this.#going().judged(async () => this.#signInto(await this.#enrol().signIn(name, password, this.#progress))));
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
      this.#going().checkFine();
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
    this.#going().checkFine();
    this.#working({ step: 'deriving', fraction: null });
    try {
      await before.stop();
      const changed = await acting(() => step(before.open));
      await this.#load(changed.account);
      this.#tabs.postMessage('vault-changed');
      return changed;
    } catch (error) {
      // Whether the change was made may not be known.
      void this.#openAgain(before).catch(reportError);
      throw error;
    } finally {
      this.#working(null);
    }
  }

  async signOut(): Promise<void> {
    await this.#active().stop();
    try {
      await acting(() => this.#enrol().signOut());
    } finally {
      await this.#letGo('signed-out');
      this.#tabs.postMessage('signed-out');
    }
  }

  #active(): SignedIn {
    if (this.#signedIn === null) throw new AppError('unexpected', 'not-signed-in');
    return this.#signedIn;
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
