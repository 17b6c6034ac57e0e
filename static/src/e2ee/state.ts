/** What a client keeps of a direct thread: the session file's and the archive's records (docs/spec/e2ee.md section 5). */

import { MESSAGE_ID_SIZE } from '../codec/messages.ts';
import { type Infer, MalformedData, bytes, fixed, many, nested, record, uint } from '../codec/schema.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { ProofError } from '../ledger/errors.ts';
import { checkFrontier } from '../ledger/merkle.ts';
import { Session } from './handshake.ts';
import { PendingOpening } from './ratchet.ts';

export const MAX_SESSIONS = 4;
export const MAX_PENDING = 8;
export const MAX_RESETS = 8;
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

export function newThread(thread: Uint8Array, peer: Uint8Array): ThreadState {
  return {
    thread, peer, chain: { size: 0, frontier: [] }, sessions: [], current: NO_SESSION, pending: [], kept: [], segments: 0,
    lastMessage: { sequence: 0, hash: new Uint8Array(32) }, peerVersion: 0, read: 0, resets: [],
  };
}

/** The state of its bytes, with the rules between its fields. Throws MalformedData. */
export function loadThread(data: Uint8Array): ThreadState {
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
  return sessionOf(state, state.current);
}

export function sessionOf(state: ThreadState, id: Uint8Array): Session | null {
  return state.sessions.find((session) => equalBytes(session.id, id)) ?? null;
}

/** With `session` in the place of its older self, or added; for a fifth the oldest that is not current goes. */
export function withSession(state: ThreadState, session: Session): ThreadState {
  if (sessionOf(state, session.id) !== null) {
    return { ...state, sessions: state.sessions.map((one) => (equalBytes(one.id, session.id) ? session : one)) };
  }
  const sessions = [...state.sessions, session];
  if (sessions.length <= MAX_SESSIONS) return { ...state, sessions };
  const gone = sessions.find(({ id }) => !equalBytes(id, state.current));
  return { ...state, sessions: sessions.filter((one) => one !== gone) };
}

/** Moves the oldest keys out when 256 have their place; the segments belong into the same transaction. */
export function archiveStep(state: ThreadState): { readonly state: ThreadState; readonly segments: readonly ArchiveSegment[] } {
  const placed = state.kept.filter(({ sequence }) => sequence > 0);
  if (placed.length < ARCHIVE_AT) return { state, segments: [] };
  const keys = placed.sort((a, b) => a.sequence - b.sequence).slice(0, ARCHIVED_AT_ONCE);
  const segment = { number: state.segments, first: keys[0]!.sequence, last: keys.at(-1)!.sequence, keys };
  const kept = state.kept.filter((one) => !keys.includes(one));
  return { state: { ...state, kept, segments: state.segments + 1 }, segments: [segment] };
}
