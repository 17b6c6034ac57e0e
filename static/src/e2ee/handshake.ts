/**
 * PQXDH's shape with every key in an X25519 and an ML-KEM-1024 half, the whole transcript bound into the
 * derivation and signed by the initiator (docs/spec/e2ee.md section 2).
 */

import { encode } from '../codec/cbor.ts';
import {
  Handshake, type OneTimeRef, TYPE_HANDSHAKE, UnsignedHandshake, readHandshake, sessionId,
} from '../codec/messages.ts';
import { type Infer, bool, bytes, fixed, nested, record, uint } from '../codec/schema.ts';
import { signDetached, verifyDetached } from '../codec/statement.ts';
import { importAgreementKey, splitPublic } from '../crypto/agreement.ts';
import { concat, equalBytes } from '../crypto/bytes.ts';
import { x25519PrivateKey } from '../crypto/dh.ts';
import { sha256 } from '../crypto/hash.ts';
import { type Encapsulation, mlkem1024Encapsulate } from '../crypto/kem.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { type AccountView, type Keys, keysOf, prekeyOf } from '../ledger/accountchain.ts';
import { Misuse, NeedsAccount, PeerViolation, fromPeer } from './errors.ts';
import type { LocalIdentity, PeerBundle, WorkingKeys } from './identity.ts';
import { derive, labelledHash, split } from './labels.ts';
import { type Prekeys, findOneTime, useUp } from './prekeys.ts';
import { type RatchetSecrets, RatchetState, startInitiator, startResponder } from './ratchet.ts';

const PREFIX = new Uint8Array(32).fill(0xff);
const SALT = new Uint8Array(64);
const SECRETS_SIZE = 160;

/** One session of a thread. `confirm` is bound into every message, `mark` keys the read marks. */
export const Session = record('Session', {
  id: fixed(32),
  replaces: bytes(32),
  initiated: bool(),
  confirm: fixed(32),
  mark: fixed(32),
  created: uint(),
  peerGeneration: uint(),
  lastResort: bool(),
  ratchet: nested(RatchetState),
});
export type Session = Infer<typeof Session>;

export interface Initiation {
  readonly thread: Uint8Array;
  /** The session that this one replaces; empty when there is none. */
  readonly replaces: Uint8Array;
  readonly bundle: PeerBundle;
  readonly now: number;
}

/** Body of the handshake entry, and the session it begins. Randomness: E 32, then 32 an encapsulation. */
export async function initiate(own: LocalIdentity, request: Initiation, random: RandomBytes): Promise<{ readonly body: Uint8Array; readonly session: Session }> {
  const { bundle, thread, replaces, now } = request;
  const { keys, prekey, oneTime } = bundle;
  const working = newestKeys(own);
  return fromPeer('bundle', async () => {
    const ephemeral = await x25519PrivateKey(random(32));
    const [identity, signed] = [splitPublic(keys.agreement), splitPublic(prekey.agreement)];
    const single = oneTime === null ? null : splitPublic(oneTime.key);
    const dh = [await working.agreement.dh(signed.x), await ephemeral.agree(identity.x), await ephemeral.agree(signed.x)];
    if (single !== null) dh.push(await ephemeral.agree(single.x));
    const kem = [identity, signed, ...(single === null ? [] : [single])].map((half) => mlkem1024Encapsulate(half.kem, random(32)));
    const [ctIdentity, ctPrekey, ctOneTime] = kem as [Encapsulation, Encapsulation, Encapsulation?];
    const unsigned: UnsignedHandshake = {
      suite: 'SM1', thread, initiator: own.view.account, responder: bundle.view.account,
      initiatorKeys: working.generation, responderKeys: keys.generation, prekey: prekey.id,
      oneTime: oneTime === null ? null : { batch: oneTime.batch.batch, index: oneTime.index },
      replaces, ephemeral: ephemeral.public,
      ctIdentity: ctIdentity.ciphertext, ctPrekey: ctPrekey.ciphertext, ctOneTime: ctOneTime?.ciphertext ?? null, created: now,
    };
    const transcript = transcriptOf(unsigned, {
      server: own.view.server,
      initiator: { root: own.view.root, keys: ownKeys(own, working.generation) },
      responder: { root: bundle.view.root, keys },
      prekey: prekey.statement,
      batch: oneTime?.batch.statement ?? null,
      oneTime: oneTime?.key ?? null,
    });
    const secrets = deriveSecrets(transcript, dh, kem.map(({ secret }) => secret));
    const signature = await signDetached(working.signing, TYPE_HANDSHAKE, transcript);
    const body = Handshake.encode({ ...unsigned, signature });
    return { body, session: sessionOf(body, unsigned, true, secrets, startInitiator(secrets, prekey.agreement)) };
  });
}

/**
 * The responder's session, and its prekeys without the one that was used up. Throws PeerViolation,
 * AuthenticationFailed, or NeedsAccount when `peer`, or the own view, lacks keys that it names.
 */
export async function respond(own: LocalIdentity, prekeys: Prekeys, peer: AccountView, thread: Uint8Array, body: Uint8Array): Promise<{ readonly session: Session; readonly prekeys: Prekeys }> {
  const { signature, ...unsigned } = await fromPeer('handshake', () => readHandshake(body));
  checkPlace(unsigned, own, peer, thread);
  const initiator = keysOf(peer, unsigned.initiatorKeys);
  if (initiator === null) throw new NeedsAccount(peer.account, unsigned.initiatorKeys);
  checkOwnView(own, prekeys, unsigned);
  const mine = await privateKeys(own, prekeys, unsigned);
  const transcript = transcriptOf(unsigned, {
    server: own.view.server,
    initiator: { root: peer.root, keys: initiator },
    responder: { root: own.view.root, keys: ownKeys(own, unsigned.responderKeys) },
    prekey: mine.prekey.statement,
    batch: mine.oneTime?.statement ?? null,
    oneTime: mine.oneTime?.key.public ?? null,
  });
  return fromPeer('handshake', async () => {
    await verifyDetached(initiator.signing, TYPE_HANDSHAKE, transcript, signature);
    const { dh, kem } = await respondingSecrets(unsigned, splitPublic(initiator.agreement).x, mine);
    const secrets = deriveSecrets(transcript, dh, kem);
    const session = sessionOf(body, unsigned, false, secrets, startResponder(secrets, mine.prekey.private));
    return { session, prekeys: unsigned.oneTime === null ? prekeys : useUp(prekeys, unsigned.oneTime) };
  });
}

function checkPlace(handshake: UnsignedHandshake, own: LocalIdentity, peer: AccountView, thread: Uint8Array): void {
  if (!equalBytes(handshake.thread, thread)) throw new PeerViolation('handshake: of another thread');
  if (!equalBytes(handshake.initiator, peer.account)) throw new PeerViolation("handshake: not of this thread's peer");
  if (!equalBytes(handshake.responder, own.view.account)) throw new PeerViolation('handshake: for another account');
  if (!equalBytes(own.view.server, peer.server)) throw new Misuse('the peer is of another server');
}

/** Another browser of this account may have published keys that this one has not loaded yet. */
function checkOwnView(own: LocalIdentity, prekeys: Prekeys, { responderKeys, prekey, oneTime }: UnsignedHandshake): void {
  const known = keysOf(own.view, responderKeys) !== null && prekeyOf(own.view, prekey) !== null
    && prekey < prekeys.nextPrekey && (oneTime?.batch ?? 0) < prekeys.nextBatch;
  if (!known) throw new NeedsAccount(own.view.account, responderKeys);
}

type AgreementKey = WorkingKeys['agreement'];

interface RespondingKeys {
  readonly identity: AgreementKey;
  readonly prekey: { readonly key: AgreementKey; readonly private: Uint8Array; readonly statement: Uint8Array };
  readonly oneTime: { readonly key: AgreementKey; readonly statement: Uint8Array } | null;
}

/** Own keys that a handshake names. */
async function privateKeys(own: LocalIdentity, prekeys: Prekeys, handshake: UnsignedHandshake): Promise<RespondingKeys> {
  const working = own.keys.find(({ generation }) => generation === handshake.responderKeys);
  if (working === undefined) throw new PeerViolation('handshake: names unknown working keys');
  const signed = prekeys.signed.find(({ id }) => id === handshake.prekey);
  const statement = prekeyOf(own.view, handshake.prekey)?.statement;
  if (signed === undefined || statement === undefined) throw new PeerViolation('handshake: names an unknown prekey');
  return {
    identity: working.agreement,
    prekey: { key: await importAgreementKey(signed.private), private: signed.private, statement },
    oneTime: handshake.oneTime === null ? null : await oneTimeKey(prekeys, handshake.oneTime),
  };
}

async function oneTimeKey(prekeys: Prekeys, place: OneTimeRef): Promise<NonNullable<RespondingKeys['oneTime']>> {
  const found = findOneTime(prekeys, place);
  if (found === null) throw new PeerViolation('handshake: names a spent or unknown one-time prekey');
  return { key: await importAgreementKey(found.private), statement: found.statement };
}

async function respondingSecrets(handshake: UnsignedHandshake, initiatorX: Uint8Array, mine: RespondingKeys): Promise<{ dh: Uint8Array[]; kem: Uint8Array[] }> {
  const { ephemeral, ctIdentity, ctPrekey, ctOneTime } = handshake;
  const { identity, prekey, oneTime } = mine;
  const dh = [await prekey.key.dh(initiatorX), await identity.dh(ephemeral), await prekey.key.dh(ephemeral)];
  const kem = [await identity.decapsulate(ctIdentity), await prekey.key.decapsulate(ctPrekey)];
  if (oneTime !== null && ctOneTime !== null) {
    dh.push(await oneTime.key.dh(ephemeral));
    kem.push(await oneTime.key.decapsulate(ctOneTime));
  }
  return { dh, kem };
}

export interface Party {
  readonly root: Uint8Array;
  readonly keys: Keys;
}

export interface Parties {
  readonly server: Uint8Array;
  readonly initiator: Party;
  readonly responder: Party;
  /** H of the prekey statement, and of the batch statement. */
  readonly prekey: Uint8Array;
  readonly batch: Uint8Array | null;
  readonly oneTime: Uint8Array | null;
}

/** T: both identities, every statement that was relied on, and the handshake itself. */
export function transcriptOf(handshake: UnsignedHandshake, parties: Parties): Uint8Array {
  const { server, initiator, responder, prekey, batch, oneTime } = parties;
  return labelledHash('securemsg/handshake/1', encode([
    server, sha256(initiator.root), initiator.keys.statement, sha256(responder.root), responder.keys.statement,
    prekey, batch, oneTime === null ? null : sha256(oneTime), UnsignedHandshake.toValue(handshake),
  ]));
}

interface SessionSecrets extends RatchetSecrets {
  readonly mark: Uint8Array;
  readonly confirm: Uint8Array;
}

function deriveSecrets(transcript: Uint8Array, dh: readonly Uint8Array[], kem: readonly Uint8Array[]): SessionSecrets {
  const secret = derive(concat(PREFIX, ...dh, ...kem), SALT, 'securemsg/handshake/1', SECRETS_SIZE, transcript);
  const [root, headerA, headerB, mark, confirm] = split(secret, 32, 32, 32, 32, 32);
  return { root: root!, headerA: headerA!, headerB: headerB!, mark: mark!, confirm: confirm! };
}

function sessionOf(body: Uint8Array, handshake: UnsignedHandshake, initiated: boolean, secrets: SessionSecrets, ratchet: RatchetState): Session {
  return {
    id: sessionId(body),
    replaces: handshake.replaces,
    initiated,
    confirm: secrets.confirm,
    mark: secrets.mark,
    created: handshake.created,
    peerGeneration: initiated ? handshake.responderKeys : handshake.initiatorKeys,
    lastResort: handshake.oneTime === null,
    ratchet,
  };
}

/** The newest working keys; Misuse when there are none. */
export function newestKeys(own: LocalIdentity): WorkingKeys {
  const working = own.keys.at(-1);
  if (working === undefined) throw new Misuse('no working keys');
  return working;
}

function ownKeys(own: LocalIdentity, generation: number): Keys {
  const keys = keysOf(own.view, generation);
  if (keys === null) throw new Misuse("the own account's chain lacks a generation");
  return keys;
}
