/** The parts of an account's life that need no browser: rules, derivation, registration, epochs over a folder in memory. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedData } from '../../../static/src/codec/errors.ts';
import { toBase64url, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { InvalidSignature } from '../../../static/src/crypto/errors.ts';
import { seededRandom } from '../../../static/src/crypto/random.ts';
import { AccountKeys, openAccountKeys } from '../../../static/src/e2ee/accountkeys.ts';
import { AuthenticationFailed, Misuse, PeerViolation, RolledBack, ServerViolation } from '../../../static/src/e2ee/errors.ts';
import { viewOf } from '../../../static/src/e2ee/identity.ts';
import { Prekeys, unusedOneTime } from '../../../static/src/e2ee/prekeys.ts';
import { ThreadState, newThread } from '../../../static/src/e2ee/state.ts';
import { type Unlocked, deriveFromMaster, deriveFromRecovery, parseRecoveryCode, unlockSalt } from '../../../static/src/e2ee/unlock.ts';
import { type Vault, WRAPS_PATH, filePath, openFile, openVault, readWraps, sealFile } from '../../../static/src/e2ee/vault.ts';
import { Contacts, FILE_LIMIT, Settings, archiveLabel, sessionLabel } from '../../../static/src/e2ee/vaultfiles.ts';
import { AppError } from '../../../static/src/model/api.ts';
import { asAppError } from '../../../static/src/model/apperrors.ts';
import { DeriveFailed, workerDerive } from '../../../static/src/model/derive.ts';
import { type EpochRequest, laterPuts, nextEpoch } from '../../../static/src/model/epochs.ts';
import { checkNewPassword, isPossiblePassword } from '../../../static/src/model/password.ts';
import { RootChanged } from '../../../static/src/model/people.ts';
import type { RawFile, RawFolder } from '../../../static/src/model/rawfolder.ts';
import { newAccount, newRecovery } from '../../../static/src/model/registration.ts';
import { ServerMisbehaved } from '../../../static/src/model/server.ts';
import { readDerivation, unlockingKeys } from '../../../static/src/model/unlocking.ts';
import { BadAnswer, RequestRefused, Unreachable } from '../../../static/src/net/errors.ts';
import type { PutFile } from '../../../static/src/net/records.ts';

const random = seededRandom(utf8('enrolment'));
const ACCOUNT = random(32);
const SERVER = random(32);
const unlockedBy = (seed: number): Promise<Unlocked> => deriveFromMaster(new Uint8Array(32).fill(seed), ACCOUNT);

function refusedPassword(password: string, name = 'someone'): string | null {
  try {
    checkNewPassword(password, name);
    return null;
  } catch (error) {
    assert(error instanceof AppError);
    assert.equal(error.kind, 'weak-password');
    return error.detail;
  }
}

test('a new password has eight characters, however many bytes they take', () => {
  assert.equal(refusedPassword('1234567'), 'short');
  assert.equal(refusedPassword('12345678'), null);
  assert.equal(refusedPassword('\u{1f600}'.repeat(7)), 'short');
  assert.equal(refusedPassword('\u{1f600}'.repeat(8)), null);
  // Seven letters, each with a combining accent: NFKC counts seven.
  assert.equal(refusedPassword('e\u0301'.repeat(7)), 'short');
  assert.equal(refusedPassword('x'.repeat(1_024)), null);
  assert.equal(refusedPassword('x'.repeat(1_025)), 'long');
  assert.equal(refusedPassword('12345678\ud800'), 'characters');
});

test('a new password is more than the name', () => {
  for (const password of ['Penelope', ' PENELOPE ', 'penelopepenelope', 'ｐenelope']) {
    assert.equal(refusedPassword(password, 'penelope'), 'name', password);
  }
  assert.equal(refusedPassword('penelope1', 'penelope'), null);
  assert.equal(refusedPassword('12345678', ''), null);
});

test('what nobody can have as a password is not derived', () => {
  assert.deepEqual(['', '\ud800', 'x'.repeat(1_025), 'x', 'x'.repeat(1_024)].map(isPossiblePassword), [false, false, false, true, true]);
});

const answer = (kdf: object): { [name: string]: unknown } =>
  ({ skeleton: 'someone', stored_random: toBase64url(new Uint8Array(32).fill(5)), kdf });

test('attack_cheap_derivation: parameters under the floor or over the ceiling are refused', () => {
  const good = { memory_kib: 65_536, passes: 3, lanes: 1 };
  assert.deepEqual(readDerivation(answer(good)).kdf, { memoryKib: 65_536, passes: 3, lanes: 1 });
  readDerivation(answer({ memory_kib: 1_048_576, passes: 16, lanes: 1 }));
  for (const wrong of [{ memory_kib: 65_535 }, { memory_kib: 1_048_577 }, { passes: 2 }, { passes: 17 }, { lanes: 2 }, { passes: 3.5 }]) {
    assert.throws(() => readDerivation(answer({ ...good, ...wrong })), ServerViolation, JSON.stringify(wrong));
  }
  for (const broken of [{}, { ...good, passes: '3' }]) assert.throws(() => readDerivation(answer(broken)), BadAnswer);
  for (const stored_random of ['', 'AAAA', '!']) assert.throws(() => readDerivation({ ...answer(good), stored_random }), BadAnswer);
  assert.throws(() => readDerivation({ ...answer(good), kdf: null }), BadAnswer);
});

test('a password is stretched under the salt of its server, name and random; its bytes are overwritten', async () => {
  const derivation = readDerivation(answer({ memory_kib: 65_536, passes: 3, lanes: 1 }));
  const seen: Uint8Array[] = [];
  const master = new Uint8Array(32).fill(9);
  const { loginKey } = await unlockingKeys(async (password, salt, parameters) => {
    assert.equal(toHex(password), toHex(utf8('pässwörd')));
    assert.equal(toHex(salt), toHex(unlockSalt(SERVER, 'someone', new Uint8Array(32).fill(5))));
    assert.deepEqual(parameters, { memoryKib: 65_536, passes: 3, lanes: 1 });
    seen.push(password);
    return master;
  }, SERVER, derivation, 'pa\u0308sswo\u0308rd');
  const expected = await deriveFromMaster(new Uint8Array(32).fill(9), unlockSalt(SERVER, 'someone', new Uint8Array(32).fill(5)));
  assert.equal(toHex(loginKey), toHex(expected.loginKey));
  assert([...seen, master].every((bytes) => bytes.every((byte) => byte === 0)));
});

type Reply = (worker: FakeWorker, message: { id: number; length: number }) => void;

/** A worker that answers as a test says. */
class FakeWorker {
  static reply: Reply = () => undefined;
  static ended = 0;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  onmessageerror: (() => void) | null = null;

  postMessage(message: { id: number; length: number }): void {
    queueMicrotask(() => FakeWorker.reply(this, message));
  }

  terminate(): void {
    FakeWorker.ended += 1;
  }
}

test('the worker is ended after its one answer, whatever it is', async () => {
  const before = globalThis.Worker;
  globalThis.Worker = FakeWorker as unknown as typeof Worker;
  try {
    const derive = (reply: Reply): Promise<Uint8Array> => {
      FakeWorker.reply = reply;
      return workerDerive('worker.js')(utf8('x'), new Uint8Array(32), { memoryKib: 65_536, passes: 3, lanes: 1 });
    };
    const key = new Uint8Array(32).fill(3);
    assert.equal(await derive((worker, { id, length }) => {
      assert.equal(length, 32);
      worker.onmessage?.({ data: { id, progress: 0 } });
      worker.onmessage?.({ data: { id, key } });
    }), key);
    const failing: readonly Reply[] = [
      (worker, { id }) => worker.onmessage?.({ data: { id, error: 'InvalidParameter' } }),
      (worker, { id }) => worker.onmessage?.({ data: { id, key: new Uint8Array(16) } }),
      (worker) => worker.onmessage?.({ data: null }),
      (worker) => worker.onerror?.(),
      (worker) => worker.onmessageerror?.(),
    ];
    for (const reply of failing) await assert.rejects(derive(reply), DeriveFailed);
    assert.equal(FakeWorker.ended, 1 + failing.length);
  } finally {
    globalThis.Worker = before;
  }
});

test('every failure becomes an AppError of one kind', () => {
  const refused = (kind: string, detail = '', retryAfter: number | null = null): RequestRefused => new RequestRefused(400, kind, detail, retryAfter);
  const kinds: readonly (readonly [unknown, string])[] = [
    [new Unreachable(), 'offline'],
    [refused('name-taken'), 'name-taken'],
    [refused('conflict', 'name'), 'name-taken'],
    [refused('conflict', 'version'), 'conflict'],
    [refused('refused', 'registration-closed'), 'registration-closed'],
    [refused('refused', 'recovering'), 'unexpected'],
    [refused('sign-in-failed'), 'sign-in-failed'],
    [refused('busy'), 'server-busy'],
    [refused('something-new'), 'unexpected'],
    [new BadAnswer('x'), 'server-misbehaved'],
    [new ServerMisbehaved('x'), 'server-misbehaved'],
    [new RootChanged(), 'server-misbehaved'],
    [new AuthenticationFailed('x'), 'server-misbehaved'],
    [new PeerViolation('x'), 'server-misbehaved'],
    [new MalformedData('x'), 'server-misbehaved'],
    [new InvalidSignature('x'), 'server-misbehaved'],
    [new RolledBack('x'), 'folder-rolled-back'],
    [new Misuse('x'), 'unexpected'],
    [new TypeError('secret'), 'unexpected'],
  ];
  for (const [error, kind] of kinds) {
    const found = asAppError(error);
    assert.equal(found.kind, kind, String(error));
    assert.equal(found.cause, error);
    assert(!found.detail.includes('secret'));
  }
  assert.equal(asAppError(refused('slow-down', '', 7)).retryAfter, 7);
  assert.equal(asAppError(refused('sign-in-failed'), { 'sign-in-failed': 'wrong-password' }).kind, 'wrong-password');
  const own = new AppError('weak-password', 'short');
  assert.equal(asAppError(own), own);
});

/** A private folder that takes puts as the server does. */
class MemoryFolder implements RawFolder {
  readonly files = new Map<string, RawFile>();
  reads = 0;

  async list(): Promise<ReadonlyMap<string, number>> {
    return new Map([...this.files].map(([path, { version }]) => [path, version]));
  }

  async read(path: Uint8Array): Promise<RawFile | null> {
    this.reads += 1;
    return this.files.get(toHex(path)) ?? null;
  }

  /** All or nothing, by compare-and-swap. */
  commit(puts: readonly PutFile[]): void {
    for (const { path, expected } of puts) assert.equal(this.files.get(toHex(path))?.version ?? 0, expected);
    for (const { path, expected, blob } of puts) this.files.set(toHex(path), { version: expected + 1, blob });
  }

  async write(vault: Vault, label: string, plaintext: Uint8Array): Promise<void> {
    const path = await filePath(vault, label);
    const expected = this.files.get(toHex(path))?.version ?? 0;
    this.commit([{ path, expected, blob: await sealFile(vault, path, expected + 1, plaintext, random), delete: false }]);
  }

  async open(vault: Vault, label: string): Promise<{ epoch: number; plaintext: Uint8Array }> {
    const path = await filePath(vault, label);
    const { version, blob } = this.files.get(toHex(path))!;
    return { epoch: new DataView(blob.buffer, blob.byteOffset).getUint32(1), plaintext: await openFile(vault, path, version, blob) };
  }
}

const password = await unlockedBy(1);
const recovery = await newRecovery(ACCOUNT, random);
const fractions: number[] = [];
const made = await newAccount({
  server: SERVER, serverFingerprint: SERVER, account: ACCOUNT, name: 'someone', ticket: utf8('ticket'), now: 1_000, password, recovery, random,
  onFraction: (fraction) => fractions.push(fraction),
});

function newFolder(): MemoryFolder {
  const folder = new MemoryFolder();
  folder.commit(made.registration.puts);
  return folder;
}

test('a registration is whole: a verified chain, five files that open by password and by code', async () => {
  const { registration, keys } = made;
  const entries = [
    ['account', registration.accountStatement], ['keys', registration.keysEntry],
    ['prekey', registration.prekeyStatement], ['prekey-batch', registration.batchEntry],
  ] as const;
  const view = await viewOf(entries.map(([kind, body]) => ({ kind, body })), SERVER, ACCOUNT);
  assert.equal(toHex(view.root), toHex(keys.root.public));
  assert.equal(view.name, 'someone');
  assert.equal(registration.loginKey, password.loginKey);
  const folder = newFolder();
  assert.equal(folder.files.size, 5);
  const wraps = folder.files.get(toHex(WRAPS_PATH))!.blob;
  const byCode = await deriveFromRecovery(parseRecoveryCode(recovery.code)!, ACCOUNT);
  assert.equal(toHex(registration.recoveryLoginKey!), toHex(byCode.loginKey));
  for (const unlocking of [{ by: 'password', key: password.key }, { by: 'recovery', key: byCode.key }] as const) {
    const vault = await openVault(wraps, ACCOUNT, unlocking);
    const opened = await openAccountKeys(vault, AccountKeys.decode((await folder.open(vault, 'keys')).plaintext, FILE_LIMIT));
    assert.equal(toHex(opened.root.public), toHex(view.root));
    const prekeys = Prekeys.decode((await folder.open(vault, 'prekeys')).plaintext, FILE_LIMIT);
    assert.equal(unusedOneTime(prekeys, view), 32);
    assert.deepEqual(Contacts.decode((await folder.open(vault, 'contacts')).plaintext, FILE_LIMIT).contacts, []);
    const settings = Settings.decode((await folder.open(vault, 'settings')).plaintext, FILE_LIMIT);
    assert.equal(toHex(settings.serverFingerprint), toHex(SERVER));
  }
  assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
  assert.equal(fractions.at(-1), 1);
});

const thread = (number: number): Uint8Array => {
  const id = new Uint8Array(32);
  new DataView(id.buffer).setUint32(28, number);
  return id;
};

function sessionOf(number: number, segments = 0): Uint8Array {
  return ThreadState.encode({ ...newThread(thread(number), new Uint8Array(32)), segments });
}

async function requestFor(more: Partial<EpochRequest> = {}): Promise<EpochRequest> {
  const owners = { password: (await unlockedBy(2)).key, recovery: null };
  return { account: ACCOUNT, unlocking: { by: 'password', key: password.key }, owners, threads: [], random, onFraction: () => undefined, ...more };
}

test('a new epoch moves what is in use and leaves older archive segments readable', async () => {
  const folder = newFolder();
  const contact = { account: thread(9), name: 'x', fingerprint: thread(9), state: 'accepted', verified: false, thread: thread(1), added: 1 } as const;
  await folder.write(made.vault, 'contacts', Contacts.encode({ contacts: [contact] }));
  await folder.write(made.vault, sessionLabel(thread(1)), sessionOf(1, 2));
  await folder.write(made.vault, archiveLabel(thread(1), 0), utf8('old'));
  await folder.write(made.vault, archiveLabel(thread(1), 1), utf8('new'));
  await folder.write(made.vault, sessionLabel(thread(2)), sessionOf(2));
  await folder.write(made.vault, sessionLabel(thread(3)), sessionOf(3));
  const { vault, puts, left } = await nextEpoch(folder, await requestFor({ threads: [thread(2), thread(1)] }));
  folder.commit(puts);
  assert.deepEqual(left, []);
  assert.equal(vault.epoch, 2);
  const expected: readonly (readonly [string, number])[] = [
    ['keys', 2], ['prekeys', 2], ['contacts', 2], ['settings', 2], [sessionLabel(thread(1)), 2], [archiveLabel(thread(1), 1), 2],
    [sessionLabel(thread(2)), 2], [archiveLabel(thread(1), 0), 1], [sessionLabel(thread(3)), 1],
  ];
  for (const [label, epoch] of expected) assert.equal((await folder.open(vault, label)).epoch, epoch, label);
  assert.equal(toHex((await folder.open(vault, sessionLabel(thread(1)))).plaintext), toHex(sessionOf(1, 2)));
  const keys = AccountKeys.decode((await folder.open(vault, 'keys')).plaintext, FILE_LIMIT);
  assert.equal(toHex((await openAccountKeys(vault, keys)).root.public), toHex(made.keys.root.public));

  const wraps = folder.files.get(toHex(WRAPS_PATH))!.blob;
  assert.equal((await readWraps(wraps, ACCOUNT)).recovery, null);
  await openVault(wraps, ACCOUNT, { by: 'password', key: (await unlockedBy(2)).key });
  await assert.rejects(openVault(wraps, ACCOUNT, { by: 'password', key: password.key }), AuthenticationFailed);
});

test('attack_rolled_back_keys: the vault before a change opens nothing of after it, the one after it no old keys', async () => {
  const folder = newFolder();
  const old = folder.files.get(toHex(await filePath(made.vault, 'keys')))!;
  const { vault, puts } = await nextEpoch(folder, await requestFor());
  folder.commit(puts);
  await assert.rejects(folder.open(made.vault, 'keys'), AuthenticationFailed);
  await assert.rejects(openFile(vault, await filePath(vault, 'keys'), old.version, old.blob), ServerViolation);
});

test('a wrong password prepares nothing', async () => {
  const folder = newFolder();
  const unlocking = { by: 'password', key: (await unlockedBy(3)).key } as const;
  await assert.rejects(nextEpoch(folder, await requestFor({ unlocking })), AuthenticationFailed);
  assert.equal(folder.reads, 1);
});

test('an altered file of the account stops the change; an altered session stays as it is', async () => {
  for (const label of ['keys', 'prekeys', 'contacts', 'settings']) {
    const folder = newFolder();
    const path = toHex(await filePath(made.vault, label));
    const { version, blob } = folder.files.get(path)!;
    folder.files.set(path, { version, blob: blob.with(blob.length - 1, blob.at(-1)! ^ 1) });
    await assert.rejects(nextEpoch(folder, await requestFor()), AuthenticationFailed, label);
  }
  const folder = newFolder();
  await folder.write(made.vault, sessionLabel(thread(1)), sessionOf(1));
  const path = toHex(await filePath(made.vault, sessionLabel(thread(1))));
  const { version, blob } = folder.files.get(path)!;
  folder.files.set(path, { version, blob: blob.with(blob.length - 1, blob.at(-1)! ^ 1) });
  const { puts } = await nextEpoch(folder, await requestFor({ threads: [thread(1)] }));
  assert(!puts.some((put) => toHex(put.path) === path));
});

test('more threads than one transaction takes are moved later, and only those', async () => {
  const folder = newFolder();
  const many = Array.from({ length: 520 }, (_, number) => thread(number + 1));
  for (const [number, id] of many.entries()) await folder.write(made.vault, sessionLabel(id), sessionOf(number + 1));
  const { vault, puts, left } = await nextEpoch(folder, await requestFor({ threads: [...many, ...many] }));
  assert(puts.length <= 512 && puts.length > 500);
  assert.equal(left.length, 520 - (puts.length - 5));
  folder.commit(puts);
  let later = 0;
  for await (const some of laterPuts(folder, vault, many, random)) {
    assert(some.length <= 2);
    folder.commit(some);
    later += some.length;
  }
  assert.equal(later, left.length);
  for (const id of many) assert.equal((await folder.open(vault, sessionLabel(id))).epoch, 2);
});
