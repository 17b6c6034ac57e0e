/** The account's life in the browser: registering, signing in, recovering, changing its secrets, signing out. */

import { equalBytes, fromBase64url, toBase64url, toHex } from '../crypto/bytes.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { AuthenticationFailed } from '../e2ee/errors.ts';
import { type Unlocked, deriveFromRecovery, parseRecoveryCode } from '../e2ee/unlock.ts';
import { type Unlocking, type Vault, type Wraps, WRAPS_PATH, openVault, readWraps } from '../e2ee/vault.ts';
import { RequestRefused, Unreachable } from '../net/errors.ts';
import { type Http, type JsonObject, field } from '../net/http.ts';
import { Registration, RegistrationResult } from '../net/records.ts';
import {
  type OpenAccount, type RememberedAccount, type Stretching, keptVault, openIdentity, openOwnFiles, remembered,
} from './account.ts';
import { AppError, type Progress, type SessionInfo } from './api.ts';
import { acting } from './apperrors.ts';
import { checkRegistered } from './committed.ts';
import { type Change, Credentials, credentialOf, ownersOf } from './credentials.ts';
import type { DeriveKey } from './derive.ts';
import { type Device, makeLocalKey } from './device.ts';
import { checkNewPassword, isPossiblePassword } from './password.ts';
import { type RawFile, ServedFolder } from './rawfolder.ts';
import { newAccount, newRecovery } from './registration.ts';
import type { Restoring } from './restoring.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';
import { type Begun, Sessions } from './sessions.ts';
import { type Derivation, bytesField, readDerivation, unlockingKeys } from './unlocking.ts';

export type { OpenAccount } from './account.ts';

export type OnProgress = (progress: Progress) => void;

/** What is needed of a Device here. */
export type DeviceStore = Pick<Device, 'account' | 'remember' | 'forget' | 'seenVersion' | 'noteVersion'>;

/** What is known of files that may have come back from a copy; without it, every older one is refused. */
export type Memory = Pick<Restoring, 'seenVersion' | 'noteVersion' | 'fine' | 'lenient'>;

export interface EnrolmentParts<D extends DeviceStore = Device> {
  readonly http: Http;
  readonly server: ServerView;
  readonly device: D;
  readonly derive: DeriveKey;
  readonly random: RandomBytes;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly memory?: Memory;
}

/** A recovery code was right; nothing else can be done before a new password is set. */
export interface Recovered {
  readonly account: Uint8Array;
  readonly name: string;
  readonly unlocking: Unlocking;
}

export interface AccountAndCode {
  readonly account: OpenAccount;
  readonly recoveryCode: string;
}

/** The code is null when the account has none. */
export interface AccountMaybeCode {
  readonly account: OpenAccount;
  readonly recoveryCode: string | null;
}

/** What the vault was opened with. */
interface Opened {
  readonly vault: Vault;
  readonly kdf: Stretching;
  readonly hasRecovery: boolean;
}

const NO_PROOF = new Uint8Array(32);

/** Every method throws AppError and nothing else. */
export class Enrolment<D extends DeviceStore = Device> {
  readonly device: D;
  readonly #parts: EnrolmentParts<D>;
  readonly #folder: ServedFolder;
  readonly #sessions: Sessions;
  readonly #credentials: Credentials;

  constructor(parts: EnrolmentParts<D>) {
    this.device = parts.device;
    this.#parts = parts;
    this.#folder = new ServedFolder(parts.http, parts.memory ?? parts.device);
    this.#sessions = new Sessions(parts.http);
    this.#credentials = new Credentials(parts.http, parts.server, this.#folder, parts.random);
  }

  register(name: string, password: string, withRecovery: boolean, onProgress: OnProgress): Promise<AccountMaybeCode> {
    return acting(async () => {
      const { http, server, random, now } = this.#parts;
      const typed = name.normalize('NFC').trim();
      checkNewPassword(password, typed);
      await this.#sessions.current();
      const begun = await http.sendJson('POST', '/api/registration/begin', { name: typed });
      const account = bytesField(begun, 'account', 32);
      const derivation = readDerivation(begun);
      onProgress({ step: 'deriving', fraction: null });
      const unlocked = await this.#unlocked(derivation, password);
      const recovery = withRecovery ? await newRecovery(account, random) : null;
      onProgress({ step: 'making-keys', fraction: 0 });
      const made = await newAccount({
        server: server.info.id, serverFingerprint: server.fingerprint, account, name: typed, now: now(),
        ticket: fromBase64url(field(begun, 'ticket', 'string')), password: unlocked, recovery, random,
        onFraction: (fraction) => onProgress({ step: 'making-keys', fraction }),
      });
      onProgress({ step: 'registering', fraction: null });
      await this.#sendRegistration(made.registration, account, typed);
      wipe(made.registration.loginKey, made.registration.recoveryLoginKey);
      const open = await this.#openSession({ account, name: typed }, { vault: made.vault, kdf: derivation.kdf, hasRecovery: withRecovery });
      await this.#folder.noteCommitted(made.registration.puts);
      return { account: open, recoveryCode: recovery?.code ?? null };
    });
  }

  signIn(name: string, password: string, onProgress: OnProgress): Promise<OpenAccount> {
    return acting(async () => {
      if (!isPossiblePassword(password)) throw new AppError('sign-in-failed');
      await this.#sessions.current();
      const typed = name.normalize('NFC').trim();
      const derivation = await this.#derivation(typed);
      onProgress({ step: 'deriving', fraction: null });
      const { loginKey, key } = await this.#unlocked(derivation, password);
      onProgress({ step: 'signing-in', fraction: null });
      const begun = await this.#begin('/api/sign-in', { name: typed, login_key: toBase64url(loginKey) });
      wipe(loginKey);
      onProgress({ step: 'opening-vault', fraction: null });
      const { blob } = await this.#wraps();
      const { recovery } = await readWraps(blob, begun.account);
      const vault = await openVault(blob, begun.account, { by: 'password', key });
      return this.#openSession(begun, { vault, kdf: derivation.kdf, hasRecovery: recovery !== null });
    });
  }

  /** `recovery-failed` for a code that is none, too. */
  recover(name: string, code: string, onProgress: OnProgress): Promise<Recovered> {
    return acting(async () => {
      const parsed = parseRecoveryCode(code);
      if (parsed === null) throw new AppError('recovery-failed');
      await this.#sessions.current();
      const typed = name.normalize('NFC').trim();
      onProgress({ step: 'signing-in', fraction: null });
      const account = bytesField(await this.#parts.http.sendJson('POST', '/api/recovery/begin', { name: typed }), 'account', 32);
      const { loginKey, key } = await deriveFromRecovery(parsed, account);
      wipe(parsed);
      const begun = await this.#begin('/api/recovery', { name: typed, recovery_login_key: toBase64url(loginKey) });
      wipe(loginKey);
      if (!equalBytes(begun.account, account)) throw new ServerMisbehaved('another account than the one that was named');
      onProgress({ step: 'opening-vault', fraction: null });
      const unlocking = { by: 'recovery', key } as const;
      const vault = await openVault((await this.#wraps()).blob, account, unlocking);
      await openOwnFiles(this.#folder, vault, this.#parts.server);
      return { ...begun, unlocking };
    }, { 'sign-in-failed': 'recovery-failed' });
  }

  /** The account that this browser remembers, if the same one is signed in; null: somebody has to sign in. */
  resume(): Promise<OpenAccount | null> {
    return acting(async () => {
      const kept = await this.#kept();
      const session = await this.#sessions.current();
      if (kept === null || kept.vaultKeys.size === 0) return null;
      const usable = field(session, 'signed_in', 'boolean') && !field(session, 'recovering', 'boolean');
      const account = usable ? bytesField(session, 'account', 32) : null;
      if (account !== null && toHex(account) !== kept.account) return null;
      const wraps = account === null ? null : await readWraps((await this.#wraps()).blob, account);
      if (account === null || wraps === null || wraps.epoch > kept.epoch) {
        await this.forget();
        return null;
      }
      return this.#openKept(account, kept, wraps);
    });
  }

  #openKept(account: Uint8Array, kept: RememberedAccount, { epoch, recovery }: Wraps): Promise<OpenAccount> {
    const vault = keptVault(account, kept, epoch, this.#parts.memory?.lenient === true);
    return this.#openSession({ account, name: kept.name }, { vault, kdf: kept.kdf, hasRecovery: recovery !== null });
  }

  finishRecovery(recovered: Recovered, password: string, onProgress: OnProgress): Promise<AccountAndCode> {
    return acting(async () => {
      const { account, name, unlocking } = recovered;
      checkNewPassword(password, name);
      const derivation = await this.#freshDerivation(name);
      onProgress({ step: 'deriving', fraction: null });
      const unlocked = await this.#unlocked(derivation, password);
      const recovery = await newRecovery(account, this.#parts.random);
      const change = changeOf({ account, unlocking, credential: credentialOf(NO_PROOF.slice(), derivation, unlocked, recovery) }, onProgress);
      const epoch = await this.#credentials.newEpoch(change, ownersOf(unlocked, recovery), []);
      onProgress({ step: 'opening-vault', fraction: null });
      const open = await this.#openSession({ account, name }, { vault: epoch.vault, kdf: derivation.kdf, hasRecovery: true });
      await this.#credentials.reencryptRest(epoch.vault, await this.#credentials.threads());
      return { account: open, recoveryCode: recovery.code };
    });
  }

  /** Whoever had a recovery code gets a new one: the old code ends with the old password. */
  changePassword(open: OpenAccount, current: string, next: string, onProgress: OnProgress): Promise<AccountMaybeCode> {
    return acting(async () => {
      checkNewPassword(next, open.name);
      onProgress({ step: 'deriving', fraction: null });
      const { derivation, unlocked: old } = await this.#proved(open, current);
      const fresh = { ...derivation, storedRandom: this.#parts.random(32) };
      const unlocked = await this.#unlocked(fresh, next);
      const recovery = open.hasRecovery ? await newRecovery(open.account, this.#parts.random) : null;
      const credential = credentialOf(old.loginKey, fresh, unlocked, recovery);
      const change = changeOf({ account: open.account, unlocking: { by: 'password', key: old.key }, credential }, onProgress);
      const epoch = await this.#credentials.newEpoch(change, ownersOf(unlocked, recovery), await this.#credentials.threads());
      const changed = await this.#changed(open, { vault: epoch.vault, kdf: fresh.kdf, hasRecovery: recovery !== null });
      await this.#credentials.reencryptRest(epoch.vault, epoch.left);
      return { account: changed, recoveryCode: recovery?.code ?? null };
    }, { 'sign-in-failed': 'wrong-password' });
  }

  /** With a code before, a new epoch: nobody who knows the old one and an old copy of the wraps reads what follows. */
  renewRecovery(open: OpenAccount, password: string, onProgress: OnProgress): Promise<AccountAndCode> {
    return acting(async () => {
      onProgress({ step: 'deriving', fraction: null });
      const { derivation, unlocked } = await this.#proved(open, password);
      const recovery = await newRecovery(open.account, this.#parts.random);
      const credential = credentialOf(unlocked.loginKey.slice(), derivation, unlocked, recovery);
      const change = changeOf({ account: open.account, unlocking: { by: 'password', key: unlocked.key }, credential }, onProgress);
      if (!open.hasRecovery) {
        await this.#credentials.addRecovery(change, recovery.unlocked.key);
        return { account: await this.#changed(open, { vault: open.vault, kdf: derivation.kdf, hasRecovery: true }), recoveryCode: recovery.code };
      }
      const epoch = await this.#credentials.newEpoch(change, ownersOf(unlocked, recovery), await this.#credentials.threads());
      const changed = await this.#changed(open, { vault: epoch.vault, kdf: derivation.kdf, hasRecovery: true });
      await this.#credentials.reencryptRest(epoch.vault, epoch.left);
      return { account: changed, recoveryCode: recovery.code };
    }, { 'sign-in-failed': 'wrong-password' });
  }

  /** This browser forgets first: its keys are gone even if the server cannot be told ('offline'). */
  signOut(): Promise<void> {
    return acting(async () => {
      await this.device.forget();
      await this.#sessions.signOut();
    });
  }

  /** As `forget`, unless the session lives: another tab signed in again, or somebody else did. */
  forgetEnded({ account }: OpenAccount): Promise<void> {
    return acting(async () => {
      if ((await this.#kept())?.account !== toHex(account)) return;
      if (!(await this.#sessions.lives())) await this.forget();
    });
  }

  /** The session has ended: its keys go, what was not sent waits (encrypted) for the next sign-in. */
  forget(): Promise<void> {
    return acting(async () => {
      const kept = await this.#kept();
      if (kept === null) return;
      const without: RememberedAccount = { ...kept, vaultKeys: new Map() };
      await this.device.remember(without);
    });
  }

  sessions(): Promise<readonly SessionInfo[]> {
    return acting(() => this.#sessions.list());
  }

  /** 'all' ends all others. */
  endSession(id: string): Promise<void> {
    return acting(() => this.#sessions.end(id));
  }

  async #derivation(name: string): Promise<Derivation> {
    return readDerivation(await this.#parts.http.sendJson('POST', '/api/sign-in/begin', { name }));
  }

  /** That of a new password: its stored random is made here. */
  async #freshDerivation(name: string): Promise<Derivation> {
    return { ...(await this.#derivation(name)), storedRandom: this.#parts.random(32) };
  }

  #unlocked(derivation: Derivation, password: string): Promise<Unlocked> {
    return unlockingKeys(this.#parts.derive, this.#parts.server.info.id, derivation, password);
  }

  /** The keys of the current password. A wrong one does not open the wraps. */
  async #proved(open: OpenAccount, password: string): Promise<{ derivation: Derivation; unlocked: Unlocked }> {
    if (!isPossiblePassword(password)) throw new AppError('wrong-password');
    const derivation = await this.#derivation(open.name);
    const unlocked = await this.#unlocked(derivation, password);
    const { blob } = await this.#wraps();
    try {
      await openVault(blob, open.account, { by: 'password', key: unlocked.key });
    } catch (error) {
      throw error instanceof AuthenticationFailed ? new AppError('wrong-password') : error;
    }
    return { derivation, unlocked };
  }

  /** Signs in by a key. What another account left in this browser goes before anything of this one is read. */
  async #begin(path: string, body: JsonObject): Promise<Begun> {
    const { device } = this.#parts;
    const begun = await this.#sessions.begin(path, body);
    const before = await device.account();
    if (before !== null && before.account !== toHex(begun.account)) await device.forget();
    return begun;
  }

  async #wraps(): Promise<RawFile> {
    const found = await this.#folder.read(WRAPS_PATH);
    if (found === null) throw new ServerMisbehaved('the wraps are missing');
    return found;
  }

  async #sendRegistration(registration: Registration, account: Uint8Array, name: string): Promise<void> {
    const { http, server } = this.#parts;
    try {
      const result = await http.postRecord('/api/registration', registration, Registration, RegistrationResult);
      if (!equalBytes(result.account, account)) throw new ServerMisbehaved('another account than the one that was promised');
      http.csrf = result.csrf;
      await checkRegistered(server, account, registration.puts, result.committed);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      // The answer was lost. If the account came to be, its key signs in, and what was made here is its own.
      await this.#signInAgain(registration, name, error);
    }
  }

  async #signInAgain({ loginKey }: Registration, name: string, lost: Unreachable): Promise<void> {
    try {
      await this.#sessions.current();
      await this.#begin('/api/sign-in', { name, login_key: toBase64url(loginKey) });
    } catch (error) {
      if (error instanceof RequestRefused && error.kind === 'sign-in-failed') throw lost;
      throw error;
    }
  }

  /** Everything is checked before this browser remembers anything. */
  async #openSession({ account, name }: Begun, { vault, kdf, hasRecovery }: Opened): Promise<OpenAccount> {
    const { http, server, device } = this.#parts;
    const files = await openOwnFiles(this.#folder, vault, server);
    const identity = await openIdentity(http, server, account, files);
    if (identity.view.name !== name) throw new ServerMisbehaved('an account of another name');
    const session = field(await this.#sessions.current(), 'session', 'string');
    const before = await device.account();
    const localKey = before?.account === toHex(account) ? before.localKey : await makeLocalKey();
    const open = { account, name, session, vault, root: files.root, identity, localKey, hasRecovery, epoch: vault.epoch, kdf: stretching(kdf) };
    // An older vault, to which nobody agreed, does not make this browser forget the newer one.
    const newer = before?.account === toHex(account) && before.vaultKeys.size > 0 && before.epoch > vault.epoch;
    if (!newer || this.#parts.memory?.fine !== false) await device.remember(remembered(open));
    return open;
  }

  async #changed(open: OpenAccount, { vault, kdf, hasRecovery }: Opened): Promise<OpenAccount> {
    const changed = { ...open, vault, epoch: vault.epoch, hasRecovery, kdf: stretching(kdf) };
    await this.device.remember(remembered(changed));
    return changed;
  }

  async #kept(): Promise<RememberedAccount | null> {
    return (await this.device.account()) as RememberedAccount | null;
  }
}

function changeOf(change: Omit<Change, 'onFraction'>, onProgress: OnProgress): Change {
  onProgress({ step: 're-encrypting', fraction: 0 });
  return { ...change, onFraction: (fraction) => onProgress({ step: 're-encrypting', fraction }) };
}

function stretching({ memoryKib, passes }: Stretching): Stretching {
  return { memoryKib, passes };
}

function wipe(...secrets: readonly (Uint8Array | null)[]): void {
  for (const secret of secrets) secret?.fill(0);
}
