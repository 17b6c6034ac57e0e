/**
 * A direct thread as one member holds it: what is stored of it, sending, and asking for repair
 * (docs/spec/e2ee.md section 5). Receiving is in receive.ts.
 */

import {
  type AeadName, Envelope, KIND_HANDSHAKE, KIND_MESSAGE, KIND_OPENED, KIND_OPENING, KIND_SESSION_RESET, MAX_RESET_IDS,
  MESSAGE_ID_SIZE, Opened, SessionReset, TYPE_OPENED, TYPE_SESSION_RESET, readEnvelope,
} from '../codec/messages.ts';
import { type Infer, MalformedData, bytes, fixed, many, nested, record, uint } from '../codec/schema.ts';
import { signStatement } from '../codec/statement.ts';
import { equalBytes } from '../crypto/bytes.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { type AccountView, keysOf } from '../ledger/accountchain.ts';
import { ProofError } from '../ledger/errors.ts';
import { checkFrontier } from '../ledger/merkle.ts';
import { type Content, type FindSigner, type Signed, openArchived, sealEnvelope } from './envelope.ts';
import { Misuse, NeedsAccount, PeerViolation, StaleSession, fromPeer } from './errors.ts';
import { Session, initiate, newestKeys } from './handshake.ts';
import type { LocalIdentity, PeerBundle } from './identity.ts';
import { PendingOpening, sendStep } from './ratchet.ts';

export const MAX_SESSIONS = 4;
export const MAX_PENDING = 8;
export const MAX_RESETS = 8;
export const MAX_UNPLACED = 64;
export const STATE_LIMIT = 1_048_576;
const MAX_KEPT = 320;
const ARCHIVE_AT = 256;
const ARCHIVED_AT_ONCE = 192;
const NO_SESSION = new Uint8Array(0);

export const ChainPosition = record('ChainPosition', { size: uint(), frontier: many(fixed(32), 53) });
export type ChainPosition = Infer<typeof ChainPosition>;

/** A message's content key; sequence 0: an own message whose place is not known yet. */
export const KeptKey = record('KeptKey', { id: fixed(MESSAGE_ID_SIZE), key: fixed(32), sequence: uint() });
export type KeptKey = Infer<typeof KeptKey>;

export const LastMessage = record('LastMessage', { sequence: uint(), hash: fixed(32) });
export type LastMessage = Infer<typeof LastMessage>;

export const ResetMark = record('ResetMark', { sequence: uint(), at: uint() });
export type ResetMark = Infer<typeof ResetMark>;

/** The plaintext of the session file. */
export const ThreadState = record('ThreadState', {
  thread: fixed(32),
  peer: fixed(32),
  chain: nested(ChainPosition),
  sessions: many(nested(Session), MAX_SESSIONS),
  current: bytes(32),
  pending: many(nested(PendingOpening), MAX_PENDING),
  kept: many(nested(KeptKey), MAX_KEPT),
  segments: uint(),
  lastMessage: nested(LastMessage),
  peerVersion: uint(),
  read: uint(),
  resets: many(nested(ResetMark), MAX_RESETS),
});
export type ThreadState = Infer<typeof ThreadState>;

/** The plaintext of one archive file; `first` and `last` are sequences. */
export const ArchiveSegment = record('ArchiveSegment', {
  number: uint(),
  first: uint(),
  last: uint(),
  keys: many(nested(KeptKey), ARCHIVE_AT),
});
export type ArchiveSegment = Infer<typeof ArchiveSegment>;

export function startThread(thread: Uint8Array, peer: Uint8Array): ThreadState {
  return {
    thread, peer, chain: { size: 0, frontier: [] }, sessions: [], current: NO_SESSION, pending: [], kept: [], segments: 0,
    lastMessage: { sequence: 0, hash: new Uint8Array(32) }, peerVersion: 0, read: 0, resets: [],
  };
}

/** The state of its bytes, with the rules between its fields. Throws MalformedData. */
export function readThreadState(data: Uint8Array): ThreadState {
  const state = ThreadState.decode(data, STATE_LIMIT);
  const links = [state.current, ...state.sessions.map(({ replaces }) => replaces)];
  if (links.some(({ length }) => length !== 0 && length !== 32)) {
    throw new MalformedData('ThreadState: a session id is neither empty nor 32 bytes');
  }
  try {
    checkFrontier({ size: state.chain.size, hashes: state.chain.frontier });
  } catch (error) {
    if (error instanceof ProofError) throw new MalformedData(`ThreadState.chain: ${error.message}`);
    throw error;
  }
  return state;
}

/** The session that is sent in, if it is held. */
export function currentSession(state: ThreadState): Session | null {
  return findSession(state, state.current);
}

export function findSession(state: ThreadState, id: Uint8Array): Session | null {
  return state.sessions.find((session) => equalBytes(session.id, id)) ?? null;
}

/** With `session` in the place of its older self, or added; for a fifth the oldest that is not current goes. */
export function keepSession(state: ThreadState, session: Session): ThreadState {
  if (findSession(state, session.id) !== null) {
    return { ...state, sessions: state.sessions.map((one) => (equalBytes(one.id, session.id) ? session : one)) };
  }
  const sessions = [...state.sessions, session];
  if (sessions.length <= MAX_SESSIONS) return { ...state, sessions };
  const gone = sessions.find(({ id }) => !equalBytes(id, state.current));
  return { ...state, sessions: sessions.filter((one) => one !== gone) };
}

export interface Append {
  readonly kind: string;
  readonly body: Uint8Array;
  /** The chain size that the append insists on; null for any. */
  readonly expected: number | null;
}

export interface SendContext {
  readonly own: LocalIdentity;
  /** The peer's bundle, for a new session; null where the caller expects to have one. */
  readonly bundle: PeerBundle | null;
  /** Begin a new session although there is one. */
  readonly renew?: boolean;
  readonly aead?: AeadName;
  /** The version that the session file gets by the same transaction. */
  readonly sessionVersion: number;
  readonly checkpoint: { readonly size: number; readonly root: Uint8Array };
  readonly now: number;
  readonly random: RandomBytes;
}

/** What a send asks of one transaction: these appends, the put of `state`, and of each segment. */
export interface Sent {
  readonly state: ThreadState;
  readonly appends: readonly Append[];
  readonly segments: readonly ArchiveSegment[];
  readonly id: Uint8Array;
  readonly contentKey: Uint8Array;
}

/** Throws StaleSession when a new session is due and no bundle is given; Misuse when 64 messages have no place yet. */
export async function send(state: ThreadState, content: Content, context: SendContext): Promise<Sent> {
  if (state.kept.filter(({ sequence }) => sequence === 0).length >= MAX_UNPLACED) {
    throw new Misuse('too many own messages without a place');
  }
  const begun = await sendingSession(state, context);
  const working = newestKeys(context.own);
  const place = { thread: state.thread, session: begun.session.id, author: context.own.view.account };
  const step = await sendStep(begun.session.ratchet, place, context.random);
  const message = await sealEnvelope({
    place,
    confirm: begun.session.confirm,
    seen: state.chain.size,
    aead: context.aead ?? 'AES-256-GCM',
    signer: working.signing,
    signed: signedOf(state, content, working.generation, context),
  }, step, context.random);
  const appends = [...begun.appends];
  if (step.opening !== null) appends.push({ kind: KIND_OPENING, body: step.opening, expected: null });
  appends.push({ kind: KIND_MESSAGE, body: message.body, expected: null });
  const kept = [...state.kept, { id: message.id, key: message.contentKey, sequence: 0 }];
  const moved = keepSession({ ...begun.state, kept }, { ...begun.session, ratchet: step.state });
  return { ...archive(moved), appends, id: message.id, contentKey: message.contentKey };
}

function signedOf(state: ThreadState, content: Content, generation: number, { now, sessionVersion, checkpoint }: SendContext): Signed {
  return {
    generation,
    time: now,
    previousSequence: state.lastMessage.sequence,
    previous: state.lastMessage.hash,
    sessionVersion,
    checkpointSize: checkpoint.size,
    checkpointRoot: checkpoint.root,
    content,
  };
}

interface Begun {
  readonly state: ThreadState;
  readonly session: Session;
  readonly appends: readonly Append[];
}

async function sendingSession(state: ThreadState, context: SendContext): Promise<Begun> {
  const current = currentSession(state);
  if (current !== null && current.ratchet.peer !== null && context.renew !== true) return { state, session: current, appends: [] };
  const { own, bundle, now, random } = context;
  if (bundle === null) throw new StaleSession("a new session needs the peer's bundle");
  if (!equalBytes(bundle.view.account, state.peer)) throw new Misuse("the bundle is not this thread's peer's");
  const opened = state.chain.size === 0 && state.current.length === 0 ? [await openedEntry(state, own, now)] : [];
  const { body, session } = await initiate(own, { thread: state.thread, replaces: state.current, bundle, now }, random);
  const appends = [...opened, { kind: KIND_HANDSHAKE, body, expected: null }];
  return { state: keepSession({ ...state, current: session.id }, session), session, appends };
}

async function openedEntry({ thread, peer }: ThreadState, own: LocalIdentity, now: number): Promise<Append> {
  const { signing, generation } = newestKeys(own);
  const payload = Opened.encode({ thread, opener: own.view.account, peer, generation, created: now });
  return { kind: KIND_OPENED, body: await signStatement(signing, TYPE_OPENED, payload), expected: 0 };
}

/** Moves the oldest keys out when 256 have their place; the segments belong into the same transaction. */
export function archive(state: ThreadState): { readonly state: ThreadState; readonly segments: readonly ArchiveSegment[] } {
  const placed = state.kept.filter(({ sequence }) => sequence > 0);
  if (placed.length < ARCHIVE_AT) return { state, segments: [] };
  const keys = placed.sort((a, b) => a.sequence - b.sequence).slice(0, ARCHIVED_AT_ONCE);
  const segment = { number: state.segments, first: keys[0]!.sequence, last: keys.at(-1)!.sequence, keys };
  const kept = state.kept.filter((one) => !keys.includes(one));
  return { state: { ...state, kept, segments: state.segments + 1 }, segments: [segment] };
}

/** Gives up all sessions, after a rollback to which the user consented: the next send begins a new one. */
export function abandon(state: ThreadState): ThreadState {
  return { ...state, sessions: [], pending: [] };
}

/** The entry that asks the peer for a new session, and for these messages again. */
export async function askReset(state: ThreadState, own: LocalIdentity, session: Uint8Array, ids: readonly Uint8Array[], now: number): Promise<Append> {
  if (ids.length > MAX_RESET_IDS) throw new Misuse(`at most ${MAX_RESET_IDS} messages are asked for at once`);
  const { signing, generation } = newestKeys(own);
  const payload = SessionReset.encode({ thread: state.thread, author: own.view.account, session, generation, ids, created: now });
  return { kind: KIND_SESSION_RESET, body: await signStatement(signing, TYPE_SESSION_RESET, payload), expected: null };
}

/** Finds a member's working key by generation; NeedsAccount for one that the view lacks. */
export function signerOf(view: AccountView): FindSigner {
  return (generation) => {
    const keys = keysOf(view, generation);
    if (keys === null) throw new NeedsAccount(view.account, generation);
    return keys.signing;
  };
}

/** The view of one of the two members. Throws PeerViolation for anybody else. */
export function memberView(account: Uint8Array, own: AccountView, peer: AccountView): AccountView {
  if (equalBytes(account, own.account)) return own;
  if (equalBytes(account, peer.account)) return peer;
  throw new PeerViolation('not a member of the thread');
}

export interface HistoryEntry {
  readonly author: Uint8Array;
  readonly id: Uint8Array;
  readonly signed: Signed;
  readonly envelope: Envelope;
}

/** Reads a message entry of the history again by its content key (own messages too). */
export async function openHistory(body: Uint8Array, thread: Uint8Array, key: Uint8Array, own: AccountView, peer: AccountView): Promise<HistoryEntry> {
  const envelope = await fromPeer('envelope', () => readEnvelope(body));
  const view = memberView(envelope.author.account, own, peer);
  const signed = await openArchived(envelope, thread, key, signerOf(view));
  return { author: view.account, id: envelope.id, signed, envelope };
}
