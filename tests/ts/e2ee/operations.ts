/**
 * The operations of the cross-language scenarios: each a function of its inputs alone. The shape of a
 * scenario is told in tests/e2ee/operations.py, which has the same operations.
 */

import { CodecError } from '../../../static/src/codec/errors.ts';
import { type AeadName, type Envelope, OpeningEntry, openingId, readEnvelope } from '../../../static/src/codec/messages.ts';
import { fromHex, toHex } from '../../../static/src/crypto/bytes.ts';
import { deterministicMldsa65 } from '../../../static/src/crypto/mldsa65.ts';
import { argon2id } from '../../../static/src/crypto/password.ts';
import { seededRandom } from '../../../static/src/crypto/random.ts';
import { ED25519, type SigningKey, joinHybrid } from '../../../static/src/crypto/signature.ts';
import { hkdfBaseKey } from '../../../static/src/crypto/vaultkey.ts';
import { AccountKeys, openAccountKeys, sealAccountKeys } from '../../../static/src/e2ee/accountkeys.ts';
import { type Content, Signed, openArchived, openEnvelope, sealEnvelope, sealedHeader } from '../../../static/src/e2ee/envelope.ts';
import { Misuse, ProtocolError } from '../../../static/src/e2ee/errors.ts';
import type { ThreadEvent } from '../../../static/src/e2ee/events.ts';
import { Session, initiate, respond } from '../../../static/src/e2ee/handshake.ts';
import { type NewIdentity, fingerprintOf, newIdentity, openBundle, safetyNumber } from '../../../static/src/e2ee/identity.ts';
import { derive } from '../../../static/src/e2ee/labels.ts';
import { openMark, sealMark } from '../../../static/src/e2ee/marks.ts';
import { Prekeys, useUp } from '../../../static/src/e2ee/prekeys.ts';
import { RatchetState, receiveStep, sendStep } from '../../../static/src/e2ee/ratchet.ts';
import { send } from '../../../static/src/e2ee/send.ts';
import { ArchiveSegment, ThreadState, loadThread } from '../../../static/src/e2ee/state.ts';
import { receive, signerOf } from '../../../static/src/e2ee/thread.ts';
import {
  checkKeyDerivation, deriveFromMaster, deriveFromRecovery, formatRecoveryCode, mixSecondSecret, parseRecoveryCode, passwordBytes, unlockSalt,
} from '../../../static/src/e2ee/unlock.ts';
import { type Owners, type Vault, createVault, filePath, openFile, openVault, rotateVault, sealFile } from '../../../static/src/e2ee/vault.ts';
import { markPath } from '../../../static/src/e2ee/vaultfiles.ts';

// The inputs are read from a file whose shape each operation knows.
export type Inputs = any;
export type Outcome = { readonly [name: string]: unknown };

export interface Scenario {
  readonly name: string;
  readonly operation: string;
  readonly reason: string;
  readonly inputs: Inputs;
  readonly expected: Outcome;
}

function bytes(text: string | null): Uint8Array {
  return fromHex(text ?? '');
}

function maybeHex(data: Uint8Array | null): string | null {
  return data === null ? null : toHex(data);
}

/** The hybrid key of a seed, signing deterministically (FIPS 204 section 3.4) as Python does. */
async function deterministicKey(seed: Uint8Array): Promise<SigningKey> {
  return joinHybrid(await ED25519.generate(seed.slice(0, 32)), deterministicMldsa65(seed.slice(32)));
}

const people = new Map<string, Promise<NewIdentity>>();

/** The account that new_identity makes of a person's seed; each is made once. */
export function person(inputs: Inputs, who: string): Promise<NewIdentity> {
  const { seed, account, name, batch } = inputs[who];
  const { server, created } = inputs;
  const key = JSON.stringify([seed, account, name, batch, server, created]);
  const request = { server: bytes(server), account: bytes(account), name, now: created, batch };
  const made = people.get(key) ?? newIdentity(request, seededRandom(bytes(seed)), deterministicKey);
  people.set(key, made);
  return made;
}

/** What the operation gives, a refusal included. */
export async function run(operation: string, inputs: Inputs): Promise<Outcome> {
  const step = OPERATIONS[operation];
  if (step === undefined) throw new Error(`unknown operation ${operation}`);
  try {
    return await step(inputs);
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof CodecError) return { error: error.name };
    throw error;
  }
}

interface Epoch {
  readonly vault: Vault;
  readonly wraps: Uint8Array;
}

async function epochs(i: Inputs): Promise<Epoch[]> {
  const random = seededRandom(bytes(i.seed));
  const account = bytes(i.account);
  const password = await hkdfBaseKey(bytes(i.personal_key));
  const owners: Owners = { password, recovery: i.recovery_key === null ? null : await hkdfBaseKey(bytes(i.recovery_key)) };
  const made = [await createVault(account, owners, random)];
  while (made.length < i.epochs) {
    made.push(await rotateVault(made.at(-1)!.wraps, account, { by: 'password', key: password }, owners, random));
  }
  return made;
}

async function newest(i: Inputs): Promise<Vault> {
  return (await epochs(i)).at(-1)!.vault;
}

export function content(given: Inputs): Content {
  return given.kind === 'text' ? { kind: 'text', text: given.text } : { kind: 'resent', id: bytes(given.id), text: given.text };
}

function place(i: Inputs): { thread: Uint8Array; session: Uint8Array; author: Uint8Array } {
  return { thread: bytes(i.place.thread), session: bytes(i.place.session), author: bytes(i.place.author) };
}

/** What both languages say of an event: its name and what decides about it. */
export function eventJson(event: ThreadEvent): Outcome {
  const said: Record<string, unknown> = { event: event.kind, sequence: event.sequence };
  if ('id' in event) said['id'] = event.id === null ? '' : toHex(event.id);
  if ('opener' in event) said['opener'] = toHex(event.opener);
  if ('session' in event) said['session'] = toHex(event.session);
  if ('gap' in event) said['gap'] = event.gap;
  if ('reason' in event) said['reason'] = event.reason;
  if ('sessionVersion' in event) said['session_version'] = event.sessionVersion;
  if ('time' in event) said['time'] = event.time;
  if ('content' in event) {
    const { kind, text } = event.content;
    said['content'] = event.content.kind === 'resent' ? { kind, text, id: toHex(event.content.id) } : { kind, text };
  }
  if ('ids' in event) said['ids'] = event.ids.map(toHex);
  if (event.kind === 'Refused') said['kind'] = event.entryKind;
  return said;
}

export const OPERATIONS: { readonly [operation: string]: (i: Inputs) => Promise<Outcome> } = {
  async unlock(i) {
    const parameters = { memoryKib: i.memory_kib, passes: i.passes, lanes: i.lanes };
    checkKeyDerivation(parameters);
    const salt = unlockSalt(bytes(i.server), i.skeleton, bytes(i.stored_random));
    const stretched = await argon2id(passwordBytes(i.password), salt, { ...parameters, length: 32 });
    const master = i.second_secret === null ? stretched : mixSecondSecret(stretched, bytes(i.second_secret), salt);
    const { loginKey } = await deriveFromMaster(master, salt);
    return { login_key: toHex(loginKey), personal_key: toHex(derive(master, salt, 'securemsg/personal/1', 32)) };
  },
  async recovery_code(i) {
    const [code, account] = [bytes(i.code), bytes(i.account)];
    const { loginKey } = await deriveFromRecovery(code, account);
    return { text: formatRecoveryCode(code), login_key: toHex(loginKey), recovery_key: toHex(derive(code, account, 'securemsg/recovery/1', 32)) };
  },
  async read_recovery_code(i) {
    const code = parseRecoveryCode(i.text);
    if (code === null) throw new Misuse('not a recovery code');
    return { code: toHex(code) };
  },
  async vault(i) {
    const made = await epochs(i);
    const paths: string[] = [];
    for (const label of i.labels) paths.push(toHex(await filePath(made.at(-1)!.vault, label)));
    return { wraps: made.map(({ wraps }) => toHex(wraps)), paths };
  },
  async open_wraps(i) {
    const opened = await openVault(bytes(i.wraps), bytes(i.account), { by: i.which, key: await hkdfBaseKey(bytes(i.key)) });
    return { epoch: opened.epoch, path: toHex(await filePath(opened, i.label)) };
  },
  async seal_file(i) {
    const vault = await newest(i);
    const path = await filePath(vault, i.label);
    return { path: toHex(path), blob: toHex(await sealFile(vault, path, i.version, bytes(i.plaintext), () => bytes(i.salt))) };
  },
  async open_file(i) {
    const vault = await newest(i);
    return { plaintext: toHex(await openFile(vault, await filePath(vault, i.label), i.version, bytes(i.blob))) };
  },
  async seal_account_keys(i) {
    const { secrets } = await person(i, 'person');
    return { keys: toHex(AccountKeys.encode(await sealAccountKeys(await newest(i), secrets, seededRandom(bytes(i.nonces))))) };
  },
  async open_account_keys(i) {
    const opened = await openAccountKeys(await newest(i), AccountKeys.decode(bytes(i.keys)));
    const { signing, agreement } = opened.keys.at(-1)!;
    return { root_public: toHex(opened.root.public), signing_public: toHex(signing.public), agreement_public: toHex(agreement.public) };
  },
  async identity(i) {
    const { entries, prekeys, root } = await person(i, 'person');
    return {
      entries: entries.map(({ kind, body }) => ({ kind, body: toHex(body) })),
      prekeys: toHex(Prekeys.encode(prekeys)),
      fingerprint: toHex(fingerprintOf(root.public)),
    };
  },
  async safety_number(i) {
    return { text: safetyNumber(bytes(i.mine), bytes(i.theirs)) };
  },
  async open_bundle(i) {
    const expected = { server: bytes(i.server), account: bytes(i.account), pinned: i.pinned === null ? null : bytes(i.pinned) };
    const { view, keys, prekey, oneTime } = await openBundle(bytes(i.bundle), expected);
    return {
      fingerprint: toHex(fingerprintOf(view.root)),
      keys: toHex(keys.statement),
      prekey: toHex(prekey.statement),
      one_time: oneTime === null ? null : { batch: oneTime.batch.batch, index: oneTime.index, statement: toHex(oneTime.batch.statement) },
    };
  },
  async initiate(i) {
    const [own, peer] = [await person(i, 'own'), await person(i, 'peer')];
    const bundle = await openBundle(bytes(i.bundle), { server: bytes(i.server), account: peer.identity.view.account, pinned: null });
    const request = { thread: bytes(i.thread), replaces: bytes(i.replaces), bundle, now: i.now };
    const { body, session } = await initiate(own.identity, request, seededRandom(bytes(i.seed)));
    return { body: toHex(body), session: toHex(Session.encode(session)) };
  },
  async respond(i) {
    const [own, peer] = [await person(i, 'own'), await person(i, 'peer')];
    const prekeys = Prekeys.decode(bytes(i.prekeys));
    const answer = await respond(own.identity, prekeys, peer.identity.view, bytes(i.thread), bytes(i.body));
    return { session: toHex(Session.encode(answer.session)), prekeys: toHex(Prekeys.encode(answer.prekeys)) };
  },
  async spend(i) {
    const after = useUp(Prekeys.decode(bytes(i.prekeys)), { batch: i.batch, index: i.index });
    return { prekeys: toHex(Prekeys.encode(after)) };
  },
  async seal(i) {
    const random = seededRandom(bytes(i.seed));
    const at = place(i);
    const step = await sendStep(RatchetState.decode(bytes(i.ratchet)), at, random);
    const { signed } = i;
    const sealed = await sealEnvelope({
      place: at,
      confirm: bytes(i.confirm),
      seen: i.seen,
      aead: i.aead as AeadName,
      signer: (await person(i, 'author')).identity.keys[0]!.signing,
      id: i.id === null ? null : bytes(i.id),
      signed: {
        generation: signed.generation, time: signed.time, previousSequence: signed.previous_sequence, previous: bytes(signed.previous),
        sessionVersion: signed.session_version, checkpointSize: signed.checkpoint_size, checkpointRoot: bytes(signed.checkpoint_root),
        content: content(signed.content),
      },
    }, step, random);
    return {
      ratchet: toHex(RatchetState.encode(step.state)), opening: maybeHex(step.opening), id: toHex(sealed.id),
      content_key: toHex(sealed.contentKey), body: toHex(sealed.body),
    };
  },
  async unseal(i) {
    const pending = i.openings.map((body: string) => {
      const { session, salt, sealed } = OpeningEntry.decode(bytes(body));
      return { id: openingId(bytes(body)), session, salt, sealed };
    });
    const at = place(i);
    // The place is where the envelope is taken to stand, whatever it says itself.
    const envelope: Envelope = { ...readEnvelope(bytes(i.body)), session: at.session, author: { kind: 'member', account: at.author } };
    const step = await receiveStep(RatchetState.decode(bytes(i.ratchet)), sealedHeader(envelope, at.thread), pending, i.now);
    const view = (await person(i, 'author')).identity.view;
    const { signed, contentKey } = await openEnvelope(envelope, at.thread, bytes(i.confirm), step.messageKey, signerOf(view));
    return {
      ratchet: toHex(RatchetState.encode(step.state)), signed: toHex(Signed.encode(signed)), content_key: toHex(contentKey), gap: step.gap,
    };
  },
  async open_archived(i) {
    const view = (await person(i, 'author')).identity.view;
    const signed = await openArchived(readEnvelope(bytes(i.body)), bytes(i.thread), bytes(i.content_key), signerOf(view));
    return { signed: toHex(Signed.encode(signed)) };
  },
  async send(i) {
    const [own, peer] = [await person(i, 'own'), await person(i, 'peer')];
    const expected = { server: bytes(i.server), account: peer.identity.view.account, pinned: null };
    const sent = await send(loadThread(bytes(i.state)), content(i.content), {
      own: own.identity,
      bundle: i.bundle === null ? null : await openBundle(bytes(i.bundle), expected),
      renew: i.restart,
      aead: i.aead,
      ...(i.id === null ? {} : { id: bytes(i.id) }),
      sessionVersion: i.session_version,
      checkpoint: { size: i.checkpoint.size, root: bytes(i.checkpoint.root) },
      now: i.now,
      random: seededRandom(bytes(i.seed)),
    });
    return {
      state: toHex(ThreadState.encode(sent.state)),
      id: toHex(sent.id),
      appends: sent.appends.map(({ kind, body, expected: size }) => ({ kind, body: toHex(body), expected: size })),
    };
  },
  async receive(i) {
    const [own, peer] = [await person(i, 'own'), await person(i, 'peer')];
    const entries = i.entries.map((one: Inputs) => ({ header: bytes(one.header), salt: bytes(one.salt), body: one.body === null ? null : bytes(one.body) }));
    const result = await receive(loadThread(bytes(i.state)), entries, {
      own: own.identity, peer: peer.identity.view, prekeys: Prekeys.decode(bytes(i.prekeys)), now: i.now,
      refreshed: i.refreshed, unknownOwnBelow: i.unknown_own_below,
    });
    return {
      state: toHex(ThreadState.encode(result.state)),
      prekeys: toHex(Prekeys.encode(result.prekeys)),
      segments: result.segments.map((segment) => toHex(ArchiveSegment.encode(segment))),
      events: result.events.map(eventJson),
    };
  },
  async mark(i) {
    const mark = { sequence: i.sequence, time: i.time };
    const blob = await sealMark(loadThread(bytes(i.state)), bytes(i.author), mark, () => bytes(i.salt));
    return { path: toHex(markPath(bytes(i.thread))), blob: toHex(blob) };
  },
  async open_mark(i) {
    return { ...(await openMark(loadThread(bytes(i.state)), bytes(i.author), bytes(i.blob))) };
  },
};
