/**
 * One account, driven from outside: JSON lines in, JSON lines out, for tests that let Python and TypeScript
 * talk to each other. It keeps everything in memory and has no disk, clock or network.
 *
 *   node build/tests/interop/peer.mjs        (built by: node tools/build.mjs --tests)
 *
 * A request is {"id": n, "command": name, ...arguments}; the answer {"id": n, "ok": {...}} or
 * {"id": n, "error": {"kind": class name, "rule": text}}. Answers come in the order of the requests.
 * Bytes are lower-case hex, times are milliseconds. An entry is {"header", "salt", "body" or null}; an
 * append is {"kind", "body", "expected" or null}. After an error the peer's state is what it was before.
 *
 *   new_identity {seed, server, account, name, now, batch}   -> {entries: [{kind, body}], fingerprint}
 *       seed (32) starts the peer's stream of randomness (SeededRandom); batch: one-time prekeys
 *   load_identity {seed, server, account, entries, keys}     -> {fingerprint}
 *       an account that was made elsewhere: its chain, and its AccountKeys under the vault opened before
 *   bundle {one_time}                                        -> {bundle}   one_time: index in the first batch, or null
 *   peer {account, entries: [{kind, body}]}                  -> {fingerprint, safety_number}
 *   thread {thread, peer}                                    -> {}         an empty state
 *   send {thread, text, now, version, bundle?, aead?, resent?, restart?, checkpoint_size?, checkpoint_root?}
 *                                                            -> {appends, id, session, key}
 *       bundle is opened against the peer's fingerprint; resent: the id that is sent again
 *   receive {thread, entries, now, refreshed?, unknown_own_below?}
 *                                                            -> {events, segments: [hex], prekeys_changed}
 *       events in the form of event_json in tests/e2ee/operations.py; a SessionStarted has last_resort besides
 *   reset {thread, session, ids, now}                        -> {append}
 *   abandon {thread}                                         -> {}
 *   save_state {thread} -> {state};  load_state {thread, state} -> {}
 *   save_prekeys {} -> {prekeys};    load_prekeys {prekeys} -> {}
 *   seal_mark {thread, sequence, time} -> {blob};  open_mark {thread, author, blob} -> {sequence, time}
 *   open_history {thread, body, key}                         -> {author, id, content}
 *   new_vault {password, recovery?}                          -> {wraps}    personal and recovery key, 32 bytes each
 *   open_vault {wraps, by, key, account?}                    -> {epoch}    by: "password" or "recovery"; account
 *       where there is no identity yet
 *   rotate_vault {wraps, by, key, password, recovery?}       -> {wraps, epoch}
 *   seal_file {label, version, plaintext}                    -> {path, blob}
 *   open_file {label, version, blob}                         -> {plaintext}
 *   seal_keys {} -> {keys}                                   AccountKeys of this identity under the vault
 *   open_keys {keys} -> {}                                   goes on with the unwrapped keys
 *   unlock {master, salt} -> {login_key, personal_key};  recovery {code, account} -> {text, login_key, recovery_key}
 */

import { createInterface } from 'node:readline';
import { CodecError } from '../../../static/src/codec/errors.ts';
import type { AeadName } from '../../../static/src/codec/messages.ts';
import { BatchEntry, Bundle } from '../../../static/src/codec/accounts.ts';
import { fromHex, toHex } from '../../../static/src/crypto/bytes.ts';
import { CryptoError } from '../../../static/src/crypto/errors.ts';
import { type RandomBytes, seededRandom } from '../../../static/src/crypto/random.ts';
import { hkdfBaseKey } from '../../../static/src/crypto/vaultkey.ts';
import { AccountKeys, openAccountKeys, sealAccountKeys } from '../../../static/src/e2ee/accountkeys.ts';
import type { Content } from '../../../static/src/e2ee/envelope.ts';
import { Misuse, ProtocolError } from '../../../static/src/e2ee/errors.ts';
import type { ThreadEvent } from '../../../static/src/e2ee/events.ts';
import { type LocalIdentity, type NewIdentity, fingerprintOf, newIdentity, openBundle, safetyNumber, viewOf } from '../../../static/src/e2ee/identity.ts';
import { derive } from '../../../static/src/e2ee/labels.ts';
import { openMark, sealMark } from '../../../static/src/e2ee/marks.ts';
import { Prekeys, oneTimeOf } from '../../../static/src/e2ee/prekeys.ts';
import { type Append, askReset, send } from '../../../static/src/e2ee/send.ts';
import { ArchiveSegment, ThreadState, loadThread, newThread } from '../../../static/src/e2ee/state.ts';
import { abandon, openHistory, receive } from '../../../static/src/e2ee/thread.ts';
import { deriveFromMaster, deriveFromRecovery, formatRecoveryCode, parseRecoveryCode } from '../../../static/src/e2ee/unlock.ts';
import { type Unlocking, type Vault, createVault, filePath, openFile, openVault, rotateVault, sealFile } from '../../../static/src/e2ee/vault.ts';
import type { AccountView } from '../../../static/src/ledger/accountchain.ts';
import { LedgerError } from '../../../static/src/ledger/errors.ts';
import { eventJson } from '../e2ee/operations.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
type Arguments = { readonly [name: string]: unknown };

let made: NewIdentity | null = null;
let own: LocalIdentity | null = null;
let prekeys: Prekeys | null = null;
let random: RandomBytes = () => { throw new Misuse('new_identity comes first'); };
let vault: Vault | null = null;
const peers = new Map<string, AccountView>();
const threads = new Map<string, ThreadState>();

function need<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Misuse(`${what} is missing`);
  return value;
}

function bytesOf(args: Arguments, name: string): Uint8Array {
  return fromHex(textOf(args, name));
}

function textOf(args: Arguments, name: string): string {
  const value = args[name];
  if (typeof value !== 'string') throw new Misuse(`${name}: text expected`);
  return value;
}

function numberOf(args: Arguments, name: string): number {
  const value = args[name];
  if (typeof value !== 'number') throw new Misuse(`${name}: a number expected`);
  return value;
}

function has(args: Arguments, name: string): boolean {
  return args[name] !== undefined && args[name] !== null;
}

function listOf(args: Arguments, name: string): readonly Arguments[] {
  const value = args[name];
  if (!Array.isArray(value)) throw new Misuse(`${name}: a list expected`);
  return value as readonly Arguments[];
}

function maybeBytes(args: Arguments, name: string): Uint8Array | null {
  return has(args, name) ? bytesOf(args, name) : null;
}

function stateOf(args: Arguments): ThreadState {
  return need(threads.get(textOf(args, 'thread')), 'the thread');
}

function peerOf(state: ThreadState): AccountView {
  return need(peers.get(toHex(state.peer)), "the peer's account");
}

function appendJson({ kind, body, expected }: Append): Json {
  return { kind, body: toHex(body), expected };
}

function told(event: ThreadEvent): Json {
  const json = eventJson(event) as { readonly [name: string]: Json };
  return event.kind === 'SessionStarted' ? { ...json, last_resort: event.lastResort } : json;
}

function contentJson(content: Content): Json {
  const { kind, text } = content;
  return content.kind === 'resent' ? { kind, text, id: toHex(content.id) } : { kind, text };
}

function accountOf(args: Arguments): Uint8Array {
  return own === null ? bytesOf(args, 'account') : own.view.account;
}

function entriesOf(args: Arguments): { kind: string; body: Uint8Array | null }[] {
  return listOf(args, 'entries').map((one) => ({ kind: textOf(one, 'kind'), body: maybeBytes(one, 'body') }));
}

async function unlocking(args: Arguments): Promise<Unlocking> {
  const by = textOf(args, 'by');
  if (by !== 'password' && by !== 'recovery') throw new Misuse('by: password or recovery');
  return { by, key: await hkdfBaseKey(bytesOf(args, 'key')) };
}

async function owners(args: Arguments): Promise<{ password: CryptoKey; recovery: CryptoKey | null }> {
  const recovery = maybeBytes(args, 'recovery');
  return { password: await hkdfBaseKey(bytesOf(args, 'password')), recovery: recovery === null ? null : await hkdfBaseKey(recovery) };
}

function contentOf(args: Arguments): Content {
  const text = textOf(args, 'text');
  return has(args, 'resent') ? { kind: 'resent', id: bytesOf(args, 'resent'), text } : { kind: 'text', text };
}

const COMMANDS: { readonly [command: string]: (args: Arguments) => Promise<Json> } = {
  async new_identity(args) {
    random = seededRandom(bytesOf(args, 'seed'));
    made = await newIdentity({
      server: bytesOf(args, 'server'), account: bytesOf(args, 'account'), name: textOf(args, 'name'),
      now: numberOf(args, 'now'), batch: numberOf(args, 'batch'),
    }, random);
    [own, prekeys] = [made.identity, made.prekeys];
    const entries = made.entries.map(({ kind, body }) => ({ kind, body: toHex(body) }));
    return { entries, fingerprint: toHex(fingerprintOf(made.root.public)) };
  },
  async load_identity(args) {
    const view = await viewOf(entriesOf(args), bytesOf(args, 'server'), bytesOf(args, 'account'));
    const { keys } = await openAccountKeys(need(vault, 'the vault'), AccountKeys.decode(bytesOf(args, 'keys')));
    random = seededRandom(bytesOf(args, 'seed'));
    [made, own] = [null, { view, keys }];
    return { fingerprint: toHex(fingerprintOf(view.root)) };
  },
  async bundle(args) {
    const [account, keys, prekey, batch] = need(made, 'the identity').entries.map(({ body }) => body);
    const oneTime = has(args, 'one_time') ? oneTimeOf(BatchEntry.decode(batch!), 1, numberOf(args, 'one_time')) : null;
    return { bundle: toHex(Bundle.encode({ account: account!, keys: keys!, prekey: prekey!, oneTime })) };
  },
  async peer(args) {
    const account = bytesOf(args, 'account');
    const me = need(own, 'the identity').view;
    const view = await viewOf(entriesOf(args), me.server, account);
    peers.set(toHex(account), view);
    const fingerprint = fingerprintOf(view.root);
    return { fingerprint: toHex(fingerprint), safety_number: safetyNumber(fingerprintOf(me.root), fingerprint) };
  },
  async thread(args) {
    threads.set(textOf(args, 'thread'), newThread(bytesOf(args, 'thread'), bytesOf(args, 'peer')));
    return {};
  },
  async send(args) {
    const state = stateOf(args);
    const me = need(own, 'the identity');
    const bundle = maybeBytes(args, 'bundle');
    const peer = peerOf(state);
    const expected = { server: me.view.server, account: peer.account, pinned: fingerprintOf(peer.root) };
    const sent = await send(state, contentOf(args), {
      own: me,
      bundle: bundle === null ? null : await openBundle(bundle, expected),
      renew: args['restart'] === true,
      aead: has(args, 'aead') ? (textOf(args, 'aead') as AeadName) : 'AES-256-GCM',
      sessionVersion: numberOf(args, 'version'),
      checkpoint: {
        size: has(args, 'checkpoint_size') ? numberOf(args, 'checkpoint_size') : 0,
        root: maybeBytes(args, 'checkpoint_root') ?? new Uint8Array(32),
      },
      now: numberOf(args, 'now'),
      random,
    });
    threads.set(toHex(state.thread), sent.state);
    return { appends: sent.appends.map(appendJson), id: toHex(sent.id), session: toHex(sent.session), key: toHex(sent.contentKey) };
  },
  async receive(args) {
    const state = stateOf(args);
    const entries = listOf(args, 'entries').map((one) => ({
      header: bytesOf(one, 'header'), salt: bytesOf(one, 'salt'), body: maybeBytes(one, 'body'),
    }));
    const result = await receive(state, entries, {
      own: need(own, 'the identity'), peer: peerOf(state), prekeys: need(prekeys, 'the prekeys'), now: numberOf(args, 'now'),
      refreshed: args['refreshed'] === true,
      unknownOwnBelow: has(args, 'unknown_own_below') ? numberOf(args, 'unknown_own_below') : 0,
    });
    threads.set(toHex(state.thread), result.state);
    const changed = result.prekeys !== prekeys;
    prekeys = result.prekeys;
    const segments = result.segments.map((segment) => toHex(ArchiveSegment.encode(segment)));
    return { events: result.events.map(told), segments, prekeys_changed: changed };
  },
  async reset(args) {
    const ids = need(args['ids'] as readonly string[] | undefined, 'ids').map(fromHex);
    const append = await askReset(stateOf(args), need(own, 'the identity'), bytesOf(args, 'session'), ids, numberOf(args, 'now'));
    return { append: appendJson(append) };
  },
  async abandon(args) {
    threads.set(textOf(args, 'thread'), abandon(stateOf(args)));
    return {};
  },
  async save_state(args) {
    return { state: toHex(ThreadState.encode(stateOf(args))) };
  },
  async load_state(args) {
    threads.set(textOf(args, 'thread'), loadThread(bytesOf(args, 'state')));
    return {};
  },
  async save_prekeys() {
    return { prekeys: toHex(Prekeys.encode(need(prekeys, 'the prekeys'))) };
  },
  async load_prekeys(args) {
    prekeys = Prekeys.decode(bytesOf(args, 'prekeys'));
    return {};
  },
  async seal_mark(args) {
    const mark = { sequence: numberOf(args, 'sequence'), time: numberOf(args, 'time') };
    return { blob: toHex(await sealMark(stateOf(args), need(own, 'the identity').view.account, mark, random)) };
  },
  async open_mark(args) {
    return { ...(await openMark(stateOf(args), bytesOf(args, 'author'), bytesOf(args, 'blob'))) };
  },
  async open_history(args) {
    const state = stateOf(args);
    const found = await openHistory(bytesOf(args, 'body'), state.thread, bytesOf(args, 'key'), need(own, 'the identity').view, peerOf(state));
    return { author: toHex(found.author), id: toHex(found.id), content: contentJson(found.signed.content) };
  },
  async new_vault(args) {
    const created = await createVault(need(own, 'the identity').view.account, await owners(args), random);
    vault = created.vault;
    return { wraps: toHex(created.wraps) };
  },
  async open_vault(args) {
    vault = await openVault(bytesOf(args, 'wraps'), accountOf(args), await unlocking(args));
    return { epoch: vault.epoch };
  },
  async rotate_vault(args) {
    const rotated = await rotateVault(bytesOf(args, 'wraps'), need(own, 'the identity').view.account, await unlocking(args), await owners(args), random);
    vault = rotated.vault;
    return { wraps: toHex(rotated.wraps), epoch: vault.epoch };
  },
  async seal_file(args) {
    const open = need(vault, 'the vault');
    const path = await filePath(open, textOf(args, 'label'));
    return { path: toHex(path), blob: toHex(await sealFile(open, path, numberOf(args, 'version'), bytesOf(args, 'plaintext'), random)) };
  },
  async open_file(args) {
    const open = need(vault, 'the vault');
    const path = await filePath(open, textOf(args, 'label'));
    return { plaintext: toHex(await openFile(open, path, numberOf(args, 'version'), bytesOf(args, 'blob'))) };
  },
  async seal_keys() {
    const { secrets } = need(made, 'the identity');
    return { keys: toHex(AccountKeys.encode(await sealAccountKeys(need(vault, 'the vault'), secrets, random))) };
  },
  async open_keys(args) {
    const opened = await openAccountKeys(need(vault, 'the vault'), AccountKeys.decode(bytesOf(args, 'keys')));
    own = { ...need(own, 'the identity'), keys: opened.keys };
    return {};
  },
  async unlock(args) {
    const [master, salt] = [bytesOf(args, 'master'), bytesOf(args, 'salt')];
    const { loginKey } = await deriveFromMaster(master, salt);
    return { login_key: toHex(loginKey), personal_key: toHex(derive(master, salt, 'securemsg/personal/1', 32)) };
  },
  async recovery(args) {
    const code = has(args, 'code') ? bytesOf(args, 'code') : need(parseRecoveryCode(textOf(args, 'text')), 'a recovery code');
    const account = bytesOf(args, 'account');
    const { loginKey } = await deriveFromRecovery(code, account);
    const key = derive(code, account, 'securemsg/recovery/1', 32);
    return { code: toHex(code), text: formatRecoveryCode(code), login_key: toHex(loginKey), recovery_key: toHex(key) };
  },
};

async function answer(line: string): Promise<Json> {
  const { id, command, ...args } = JSON.parse(line) as { id: number; command: string } & Arguments;
  try {
    const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
    if (run === undefined) throw new Misuse('an unknown command');
    return { id, ok: await run(args) };
  } catch (error) {
    const known = error instanceof ProtocolError || error instanceof CodecError || error instanceof CryptoError || error instanceof LedgerError;
    if (!known) throw error;
    return { id, error: { kind: error.name, rule: error.message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
