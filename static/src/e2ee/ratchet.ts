/**
 * Double Ratchet with header encryption; every turn mixes a fresh X25519 and a fresh ML-KEM-1024 secret
 * (docs/spec/e2ee.md section 3). A state is a value: a step gives the next one, a failed step throws and
 * the caller still holds the old one, unchanged.
 */

import { encode } from '../codec/cbor.ts';
import { KEM_CIPHERTEXT_SIZE, OpeningEntry, SEALED_OPENING_SIZE, openingId } from '../codec/messages.ts';
import { type Infer, bytes, fixed, many, maybe, nested, record, uint } from '../codec/schema.ts';
import { AES_256_GCM } from '../crypto/aead.ts';
import { AGREEMENT_PRIVATE_SIZE, AGREEMENT_PUBLIC_SIZE, importAgreementKey, splitPublic } from '../crypto/agreement.ts';
import { concat, equalBytes } from '../crypto/bytes.ts';
import { DecryptionFailed } from '../crypto/errors.ts';
import { sha256 } from '../crypto/hash.ts';
import { checkMlkem1024Public, mlkem1024Encapsulate } from '../crypto/kem.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { AuthenticationFailed, Misuse, NeedsOpening, PeerViolation, Replayed, fromPeer } from './errors.ts';
import { NO_SALT, ZERO_NONCE, derive, split } from './labels.ts';
import { padTo, unpadFrom } from './padding.ts';

export const MAX_SKIPPED_STEP = 256;
export const MAX_SKIPPED = 512;
export const SKIPPED_LIFETIME = 30 * 24 * 3_600_000;
const HEADER_SIZE = 64;

export const Chain = record('Chain', { key: fixed(32), header: fixed(32), count: uint(), turn: uint(), opening: fixed(32) });
export type Chain = Infer<typeof Chain>;

export const Skipped = record('Skipped', { header: fixed(32), turn: uint(), count: uint(), key: fixed(32), expires: uint() });
export type Skipped = Infer<typeof Skipped>;

export const RatchetState = record('RatchetState', {
  root: fixed(32),
  own: maybe(fixed(AGREEMENT_PRIVATE_SIZE)),
  peer: maybe(fixed(AGREEMENT_PUBLIC_SIZE)),
  sending: maybe(nested(Chain)),
  receiving: maybe(nested(Chain)),
  nextSend: fixed(32),
  nextReceive: fixed(32),
  previousCount: uint(),
  turn: uint(),
  skipped: many(nested(Skipped), MAX_SKIPPED),
});
export type RatchetState = Infer<typeof RatchetState>;

export const Opening = record('Opening', { x: fixed(32), kem: fixed(AGREEMENT_PUBLIC_SIZE - 32), ciphertext: fixed(KEM_CIPHERTEXT_SIZE) });
export type Opening = Infer<typeof Opening>;

export const MessageHeader = record('MessageHeader', { turn: uint(), count: uint(), previousCount: uint(), opening: fixed(32) });
export type MessageHeader = Infer<typeof MessageHeader>;

/** An opening of the peer that was seen and not yet used. */
export const PendingOpening = record('PendingOpening', { id: fixed(32), session: fixed(32), salt: fixed(32), sealed: bytes(SEALED_OPENING_SIZE, SEALED_OPENING_SIZE) });
export type PendingOpening = Infer<typeof PendingOpening>;

/** Where a message or an opening stands, and whose it is. */
export interface Place {
  readonly thread: Uint8Array;
  readonly session: Uint8Array;
  readonly author: Uint8Array;
}

/** The secrets of a handshake that the ratchet begins with. */
export interface RatchetSecrets {
  readonly root: Uint8Array;
  readonly headerA: Uint8Array;
  readonly headerB: Uint8Array;
}

/** The initiator's state; `peerPrekey` is the responder's signed prekey (1600). */
export function startInitiator(secrets: RatchetSecrets, peerPrekey: Uint8Array): RatchetState {
  return { ...START, root: secrets.root, peer: peerPrekey, nextSend: secrets.headerA, nextReceive: secrets.headerB };
}

/** The responder's state; `ownPrekey` is the private half of that prekey (96). */
export function startResponder(secrets: RatchetSecrets, ownPrekey: Uint8Array): RatchetState {
  return { ...START, root: secrets.root, own: ownPrekey, nextSend: secrets.headerB, nextReceive: secrets.headerA };
}

const START = { own: null, peer: null, sending: null, receiving: null, previousCount: 0, turn: 0, skipped: [] };

/** What a sending step gives: the next state, the turn's opening if it begins one, and the keys of one message. */
export interface SendStep {
  readonly state: RatchetState;
  /** Body of the opening entry that goes before the message; null within a turn. */
  readonly opening: Uint8Array | null;
  readonly header: MessageHeader;
  readonly headerKey: Uint8Array;
  readonly messageKey: Uint8Array;
}

/** A responder cannot send before it has received. */
export function canSend({ sending, peer }: RatchetState): boolean {
  return sending !== null || peer !== null;
}

/** Randomness for a new turn: pair 96, encapsulation 32, opening salt 32; otherwise none. */
export async function sendStep(state: RatchetState, place: Place, random: RandomBytes): Promise<SendStep> {
  const { state: begun, opening } = state.sending === null ? await beginTurn(state, place, random) : { state, opening: null };
  const chain = begun.sending!;
  const { messageKey, next } = stepChain(chain);
  return {
    state: { ...begun, sending: next },
    opening,
    header: { turn: chain.turn, count: chain.count, previousCount: begun.previousCount, opening: chain.opening },
    headerKey: chain.header,
    messageKey,
  };
}

async function beginTurn(state: RatchetState, place: Place, random: RandomBytes): Promise<{ state: RatchetState; opening: Uint8Array }> {
  if (state.peer === null) throw new Misuse('nothing was received in this session yet');
  const peer = splitPublic(state.peer);
  const own = random(AGREEMENT_PRIVATE_SIZE);
  const pair = await importAgreementKey(own);
  const { ciphertext, secret } = mlkem1024Encapsulate(peer.kem, random(32));
  const { x, kem } = splitPublic(pair.public);
  const opening = Opening.encode({ x, kem, ciphertext });
  const { root, chainKey, nextHeader } = mixTurn(state.root, await pair.dh(peer.x), secret, opening);
  const body = await sealOpening(opening, state.nextSend, random(32), place);
  const turn = state.turn + 1;
  const sending = { key: chainKey, header: state.nextSend, count: 0, turn, opening: openingId(body) };
  return { state: { ...state, root, own, sending, nextSend: nextHeader, turn }, opening: body };
}

function mixTurn(root: Uint8Array, ssX: Uint8Array, ssK: Uint8Array, opening: Uint8Array): { root: Uint8Array; chainKey: Uint8Array; nextHeader: Uint8Array } {
  const mixed = derive(concat(ssX, ssK), root, 'securemsg/turn/1', 96, sha256(opening));
  const [nextRoot, chainKey, nextHeader] = split(mixed, 32, 32, 32);
  return { root: nextRoot!, chainKey: chainKey!, nextHeader: nextHeader! };
}

function stepChain(chain: Chain): { messageKey: Uint8Array; next: Chain } {
  const [messageKey, key] = split(derive(chain.key, NO_SALT, 'securemsg/chain/1', 64), 32, 32);
  return { messageKey: messageKey!, next: { ...chain, key: key!, count: chain.count + 1 } };
}

function openingAd({ thread, session, author }: Place): Uint8Array {
  return encode([thread, session, author]);
}

function openingKey(headerKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return derive(headerKey, salt, 'securemsg/opening/1', 32);
}

async function sealOpening(opening: Uint8Array, headerKey: Uint8Array, salt: Uint8Array, place: Place): Promise<Uint8Array> {
  const sealed = await AES_256_GCM.seal(openingKey(headerKey, salt), ZERO_NONCE, opening, openingAd(place));
  return OpeningEntry.encode({ session: place.session, author: place.author, salt, sealed });
}

/** A message's header, padded to 64 bytes and sealed (80); `ad` binds it to its place and id. */
export async function sealHeader(header: MessageHeader, headerKey: Uint8Array, salt: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  const key = derive(headerKey, salt, 'securemsg/header/1', 32);
  return AES_256_GCM.seal(key, ZERO_NONCE, padTo(MessageHeader.encode(header), HEADER_SIZE), ad);
}

/** The parts of a received message that the ratchet reads. */
export interface SealedHeader {
  readonly header: Uint8Array;
  readonly salt: Uint8Array;
  readonly ad: Uint8Array;
  readonly place: Place;
}

export interface ReceiveStep {
  readonly state: RatchetState;
  readonly messageKey: Uint8Array;
  readonly header: MessageHeader;
  /** How many counts before this message have not been received. */
  readonly gap: number;
  /** The opening that this message used, if it began a turn. */
  readonly opening: Uint8Array | null;
}

/**
 * The state after a received message, and its key. The caller keeps the state only when the message's
 * content is authentic too. Throws AuthenticationFailed, Replayed, PeerViolation or NeedsOpening.
 */
export async function receiveStep(state: RatchetState, message: SealedHeader, openings: readonly PendingOpening[], now: number): Promise<ReceiveStep> {
  const live = { ...state, skipped: state.skipped.filter(({ expires }) => expires > now) };
  const found = await findHeader(live, message);
  const current = live.receiving;
  const skipped = live.skipped.find(({ header, turn, count }) =>
    equalBytes(header, found.key) && turn === found.header.turn && count === found.header.count);
  if (skipped !== undefined) return useSkipped(live, skipped, found.header);
  if (current !== null && equalBytes(current.header, found.key)) return receiveInChain(live, current, found.header, now);
  if (equalBytes(live.nextReceive, found.key)) return receiveNewTurn(live, found.header, message.place, openings, now);
  throw new Replayed('the message was read before');
}

/** Tries the header keys of skipped messages, of the receiving chain and of the next one. */
async function findHeader(state: RatchetState, message: SealedHeader): Promise<{ key: Uint8Array; header: MessageHeader }> {
  const tried: Uint8Array[] = [];
  const keys = [...state.skipped.map(({ header }) => header), ...(state.receiving === null ? [] : [state.receiving.header]), state.nextReceive];
  for (const key of keys) {
    if (tried.some((one) => equalBytes(one, key))) continue;
    tried.push(key);
    const padded = await openHeader(key, message);
    if (padded !== null) return { key, header: await fromPeer('header', () => MessageHeader.decode(unpadFrom(padded))) };
  }
  throw new AuthenticationFailed('header: not authentic under any key of the session');
}

async function openHeader(headerKey: Uint8Array, { header, salt, ad }: SealedHeader): Promise<Uint8Array | null> {
  try {
    return await AES_256_GCM.open(derive(headerKey, salt, 'securemsg/header/1', 32), ZERO_NONCE, header, ad);
  } catch (error) {
    if (error instanceof DecryptionFailed) return null;
    throw error;
  }
}

function useSkipped(state: RatchetState, used: Skipped, header: MessageHeader): ReceiveStep {
  const skipped = state.skipped.filter((one) => one !== used);
  return { state: { ...state, skipped }, messageKey: used.key, header, gap: 0, opening: null };
}

function receiveInChain(state: RatchetState, chain: Chain, header: MessageHeader, now: number): ReceiveStep {
  if (header.turn !== chain.turn || !equalBytes(header.opening, chain.opening)) {
    throw new PeerViolation('header: not the turn that its key belongs to');
  }
  if (header.count < chain.count) throw new Replayed('the message was read before');
  const gap = header.count - chain.count;
  checkGap(gap);
  const { skipped, chain: reached } = skipTo(chain, header.count, now);
  const { messageKey, next } = stepChain(reached);
  return { state: keepSkipped({ ...state, receiving: next }, skipped), messageKey, header, gap, opening: null };
}

async function receiveNewTurn(state: RatchetState, header: MessageHeader, place: Place, openings: readonly PendingOpening[], now: number): Promise<ReceiveStep> {
  const old = state.receiving;
  if (header.turn !== state.turn + 1) throw new PeerViolation('header: not the next turn');
  if (state.own === null) throw new PeerViolation('header: a turn before this side has begun one');
  const missing = header.previousCount - (old?.count ?? 0);
  if (missing < 0 || (old === null && missing > 0)) throw new PeerViolation('header: previous_count contradicts what was received');
  const gap = missing + header.count;
  checkGap(gap);
  const pending = openings.find(({ id, session }) => equalBytes(id, header.opening) && equalBytes(session, place.session));
  if (pending === undefined) throw new NeedsOpening(header.opening);
  const { opening, chainKey, ...mixed } = await openTurn(state, state.own, pending, place);
  const begun = { key: chainKey, header: state.nextReceive, count: 0, turn: header.turn, opening: header.opening };
  const left = old === null ? [] : skipTo(old, header.previousCount, now).skipped;
  const { skipped, chain: reached } = skipTo(begun, header.count, now);
  const { messageKey, next } = stepChain(reached);
  const turned: RatchetState = {
    ...state,
    root: mixed.root,
    peer: concat(opening.x, opening.kem),
    sending: null,
    receiving: next,
    nextReceive: mixed.nextHeader,
    previousCount: state.sending?.count ?? 0,
    turn: header.turn,
  };
  return { state: keepSkipped(turned, [...left, ...skipped]), messageKey, header, gap, opening: pending.id };
}

async function openTurn(state: RatchetState, own: Uint8Array, pending: PendingOpening, place: Place): Promise<{ opening: Opening; root: Uint8Array; chainKey: Uint8Array; nextHeader: Uint8Array }> {
  return fromPeer('opening', async () => {
    const key = openingKey(state.nextReceive, pending.salt);
    const encoded = await AES_256_GCM.open(key, ZERO_NONCE, pending.sealed, openingAd(place));
    const opening = Opening.decode(encoded);
    checkMlkem1024Public(opening.kem);
    const pair = await importAgreementKey(own);
    const mixed = mixTurn(state.root, await pair.dh(opening.x), await pair.decapsulate(opening.ciphertext), encoded);
    return { opening, ...mixed };
  });
}

function checkGap(gap: number): void {
  if (gap > MAX_SKIPPED_STEP) throw new PeerViolation(`header: more than ${MAX_SKIPPED_STEP} messages skipped`);
}

function skipTo(chain: Chain, count: number, now: number): { skipped: Skipped[]; chain: Chain } {
  const skipped: Skipped[] = [];
  let reached = chain;
  while (reached.count < count) {
    const { messageKey, next } = stepChain(reached);
    skipped.push({ header: chain.header, turn: chain.turn, count: reached.count, key: messageKey, expires: now + SKIPPED_LIFETIME });
    reached = next;
  }
  return { skipped, chain: reached };
}

function keepSkipped(state: RatchetState, added: readonly Skipped[]): RatchetState {
  return added.length === 0 ? state : { ...state, skipped: [...state.skipped, ...added].slice(-MAX_SKIPPED) };
}
