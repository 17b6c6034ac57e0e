/**
 * A direct thread as one member keeps it: reading its chain (docs/spec/e2ee.md section 5). The server's
 * lies throw and leave the caller's state as it was; what the peer did wrong in one entry is an event.
 * Sending is in send.ts, what is kept in state.ts.
 */

import {
  type Envelope, KIND_HANDSHAKE, KIND_MESSAGE, KIND_OPENED, KIND_OPENING, KIND_SESSION_RESET, Opened, OpeningEntry,
  SessionReset, TYPE_OPENED, TYPE_SESSION_RESET, openingId, readEnvelope, readHandshake, sessionId,
} from '../codec/messages.ts';
import { CodecError } from '../codec/errors.ts';
import { openStatement, unverifiedPayload } from '../codec/statement.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { type AccountView, keysOf } from '../ledger/accountchain.ts';
import { type ChainHeader, type ChainState, checkContent, nextState, readHeader, startChain } from '../ledger/chain.ts';
import { LedgerError } from '../ledger/errors.ts';
import { type FindSigner, type OpenedMessage, type Signed, openArchived, openEnvelope, sealedHeader } from './envelope.ts';
import {
  AuthenticationFailed, Misuse, NeedsAccount, NeedsOpening, PeerViolation, Replayed, RolledBack, ServerViolation, fromPeer,
} from './errors.ts';
import type { ThreadEvent, UndecryptableReason } from './events.ts';
import { type Session, respond } from './handshake.ts';
import type { LocalIdentity } from './identity.ts';
import type { Prekeys } from './prekeys.ts';
import { type ReceiveStep, receiveStep } from './ratchet.ts';
import {
  type ArchiveSegment, MAX_PENDING, MAX_RESETS, MAX_SESSIONS, type ThreadState, archiveStep, currentSession, sessionOf, withSession,
} from './state.ts';

const RESET_INTERVAL = 3_600_000;

/** An entry as it is served: header and salt, and the body unless it was erased. */
export interface ServedEntry {
  readonly header: Uint8Array;
  readonly salt: Uint8Array;
  readonly body: Uint8Array | null;
}

export interface ReceiveContext {
  readonly own: LocalIdentity;
  readonly peer: AccountView;
  readonly prekeys: Prekeys;
  readonly now: number;
  /** Both views were just fetched: a generation that they lack does not exist. */
  readonly refreshed?: boolean;
  /** After consent to a rollback: own entries below this sequence may be unknown. */
  readonly unknownOwnBelow?: number;
}

/** What a receive asks to be saved together: state, prekeys where they changed, each segment. */
export interface ReceiveResult {
  readonly state: ThreadState;
  readonly prekeys: Prekeys;
  readonly segments: readonly ArchiveSegment[];
  readonly events: readonly ThreadEvent[];
}

interface Outcome {
  readonly state: ThreadState;
  readonly prekeys?: Prekeys;
  readonly events: readonly ThreadEvent[];
}

interface Entry {
  readonly header: ChainHeader;
  readonly body: Uint8Array;
}

/**
 * The state after these entries, which continue the chain where the state stands. Throws ServerViolation,
 * RolledBack (an own entry that the state does not know: reload it) or NeedsAccount (fetch, and repeat
 * with `refreshed`).
 */
export async function receive(state: ThreadState, entries: readonly ServedEntry[], context: ReceiveContext): Promise<ReceiveResult> {
  if (!equalBytes(context.peer.account, state.peer)) throw new Misuse("the view is not this thread's peer's");
  let result: ReceiveResult = { state, prekeys: context.prekeys, segments: [], events: [] };
  let chain = startChain(state.thread, { size: state.chain.size, hashes: state.chain.frontier });
  for (const served of entries) {
    const { header, next } = followChain(chain, served);
    const outcome = await receiveEntry(result.state, header, served.body, { ...context, prekeys: result.prekeys });
    const moved = advance(outcome.state, next, header);
    const archived = archiveStep(moved);
    result = {
      state: archived.state,
      prekeys: outcome.prekeys ?? result.prekeys,
      segments: [...result.segments, ...archived.segments],
      events: [...result.events, ...outcome.events],
    };
    chain = next;
  }
  return result;
}

function followChain(chain: ChainState, { header: data, salt, body }: ServedEntry): { header: ChainHeader; next: ChainState } {
  try {
    const header = readHeader(data);
    const next = nextState(chain, header);
    if (body !== null) checkContent(header, salt, body);
    else if (header.kind !== KIND_MESSAGE) throw new ServerViolation('chain: an entry that is not erasable has no body');
    if ((header.sequence === 0) !== (header.kind === KIND_OPENED)) {
      throw new ServerViolation('a thread is opened by its entry 0, and by no other');
    }
    return { header, next };
  } catch (error) {
    if (error instanceof LedgerError || error instanceof CodecError) throw new ServerViolation(`chain: ${error.message}`);
    throw error;
  }
}

function advance(state: ThreadState, { frontier, last }: ChainState, header: ChainHeader): ThreadState {
  const chain = { size: frontier.size, frontier: frontier.hashes };
  if (header.kind !== KIND_MESSAGE || last === null) return { ...state, chain };
  return { ...state, chain, lastMessage: { sequence: header.sequence, hash: last } };
}

type Handler = (state: ThreadState, entry: Entry, context: ReceiveContext) => Promise<Outcome>;

const HANDLERS: ReadonlyMap<string, Handler> = new Map([
  [KIND_OPENED, receiveOpened],
  [KIND_HANDSHAKE, receiveHandshake],
  [KIND_OPENING, receiveOpening],
  [KIND_SESSION_RESET, receiveReset],
]);

async function receiveEntry(state: ThreadState, header: ChainHeader, body: Uint8Array | null, context: ReceiveContext): Promise<Outcome> {
  if (header.kind === KIND_MESSAGE) return receiveMessage(state, header, body, context);
  const handler = HANDLERS.get(header.kind);
  if (handler === undefined || body === null) return refused(state, header, 'an unknown kind');
  try {
    return await handler(state, { header, body }, context);
  } catch (error) {
    if (!isEvent(error, context)) throw error;
    return refused(state, header, error.rule);
  }
}

function refused(state: ThreadState, header: ChainHeader, rule: string): Outcome {
  return { state, events: [{ kind: 'Refused', sequence: header.sequence, entryKind: header.kind, rule }] };
}

/** Whether an error is what one entry's author did wrong, and not a reason to stop. */
function isEvent(error: unknown, context: ReceiveContext): error is PeerViolation | AuthenticationFailed | NeedsAccount {
  if (error instanceof NeedsAccount) return context.refreshed === true;
  return error instanceof PeerViolation || error instanceof AuthenticationFailed;
}

async function receiveOpened(state: ThreadState, { header, body }: Entry, { own, peer }: ReceiveContext): Promise<Outcome> {
  const opener = await verifiedOpener(state.thread, body, own.view, peer);
  return { state, events: [{ kind: 'ThreadOpened', sequence: header.sequence, opener }] };
}

/** The account that opened a thread, by the body of its entry 0. Throws PeerViolation, AuthenticationFailed, NeedsAccount. */
export async function verifiedOpener(thread: Uint8Array, body: Uint8Array, own: AccountView, peer: AccountView): Promise<Uint8Array> {
  const claimed = await fromPeer('opened', () => Opened.decode(unverifiedPayload(body)));
  const opener = memberView(claimed.opener, own, peer);
  const signer = signerOf(opener)(claimed.generation);
  await fromPeer('opened', () => openStatement(signer, TYPE_OPENED, body));
  const other = opener === peer ? own : peer;
  if (!equalBytes(claimed.thread, thread) || !equalBytes(claimed.peer, other.account)) {
    throw new PeerViolation('opened: of another thread or other members');
  }
  return opener.account;
}

async function receiveHandshake(state: ThreadState, { header, body }: Entry, context: ReceiveContext): Promise<Outcome> {
  const handshake = await fromPeer('handshake', () => readHandshake(body));
  const id = sessionId(body);
  const held = sessionOf(state, id) !== null;
  if (equalBytes(handshake.initiator, context.own.view.account)) {
    if (held) return { state, events: [] };
    checkKnown(header.sequence, context);
    return { state: follows(state, handshake.replaces, id), events: [] };
  }
  const moved = follows(state, handshake.replaces, id);
  try {
    checkReplaces(state, handshake.replaces, held);
    const { session, prekeys } = await respond(context.own, context.prekeys, context.peer, state.thread, body);
    return { state: withSession(moved, session), prekeys, events: [started(header.sequence, session)] };
  } catch (error) {
    if (!isEvent(error, context)) throw error;
    return refused(moved, header, error.rule);
  }
}

/** `current` follows the thread's register on the server. */
function follows(state: ThreadState, replaces: Uint8Array, id: Uint8Array): ThreadState {
  return equalBytes(replaces, state.current) ? { ...state, current: id } : state;
}

function checkReplaces(state: ThreadState, replaces: Uint8Array, held: boolean): void {
  if (held) throw new Replayed('handshake: seen before');
  if (equalBytes(replaces, state.current)) return;
  const current = currentSession(state);
  if (current === null || !equalBytes(replaces, current.replaces)) {
    throw new PeerViolation('handshake: does not replace the current session');
  }
  // A rival may not push out another one, whose handshake could then be played again.
  if (state.sessions.filter((one) => equalBytes(one.replaces, replaces)).length >= MAX_SESSIONS) {
    throw new PeerViolation('handshake: beside too many others');
  }
}

function started(sequence: number, { id, initiated, lastResort, created }: Session): ThreadEvent {
  return { kind: 'SessionStarted', sequence, session: id, initiated, lastResort, created };
}

/** RolledBack for an own entry that this state should know. */
function checkKnown(sequence: number, { unknownOwnBelow = 0 }: ReceiveContext): void {
  if (sequence >= unknownOwnBelow) throw new RolledBack('an own entry that the session file does not know');
}

async function receiveOpening(state: ThreadState, { body }: Entry, { own, peer }: ReceiveContext): Promise<Outcome> {
  const opening = await fromPeer('opening', () => OpeningEntry.decode(body));
  if (memberView(opening.author, own.view, peer) === own.view) return { state, events: [] };
  const { session, salt, sealed } = opening;
  const pending = [...state.pending, { id: openingId(body), session, salt, sealed }].slice(-MAX_PENDING);
  return { state: { ...state, pending }, events: [] };
}

async function receiveReset(state: ThreadState, { header, body }: Entry, { own, peer, now }: ReceiveContext): Promise<Outcome> {
  const claimed = await fromPeer('session-reset', () => SessionReset.decode(unverifiedPayload(body)));
  const author = memberView(claimed.author, own.view, peer);
  const signer = signerOf(author)(claimed.generation);
  await fromPeer('session-reset', () => openStatement(signer, TYPE_SESSION_RESET, body));
  if (!equalBytes(claimed.thread, state.thread)) throw new PeerViolation('session-reset: of another thread');
  if (author === own.view) return { state, events: [] };
  if (!equalBytes(claimed.session, state.current)) throw new PeerViolation('session-reset: not of the current session');
  if (state.resets.some(({ at }) => at > now - RESET_INTERVAL)) throw new PeerViolation('session-reset: more than one an hour');
  const resets = [...state.resets, { sequence: header.sequence, at: now }].slice(-MAX_RESETS);
  const { session, ids } = claimed;
  return { state: { ...state, resets }, events: [{ kind: 'ResetAsked', sequence: header.sequence, session, ids }] };
}

async function receiveMessage(state: ThreadState, header: ChainHeader, body: Uint8Array | null, context: ReceiveContext): Promise<Outcome> {
  if (body === null) return undecryptable(state, header, null, 'erased');
  const envelope = readOrNull(body);
  if (envelope === null) return undecryptable(state, header, null, 'malformed');
  const { id, author } = envelope;
  if (equalBytes(author.account, context.own.view.account)) return receiveOwn(state, header, envelope, context);
  if (!equalBytes(author.account, state.peer)) return undecryptable(state, header, id, 'author');
  const session = sessionOf(state, envelope.session);
  if (session === null) return undecryptable(state, header, id, 'session');
  try {
    return await receivePeers(state, header, envelope, session, context);
  } catch (error) {
    if (error instanceof NeedsOpening) return undecryptable(state, header, id, 'opening');
    if (!isEvent(error, context)) throw error;
    return undecryptable(state, header, id, reasonOf(error));
  }
}

function readOrNull(body: Uint8Array): Envelope | null {
  try {
    return readEnvelope(body);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

function reasonOf(error: PeerViolation | AuthenticationFailed | NeedsAccount): UndecryptableReason {
  if (error instanceof Replayed) return 'replayed';
  return error instanceof AuthenticationFailed ? 'forged' : 'rules';
}

function undecryptable(state: ThreadState, { sequence }: ChainHeader, id: Uint8Array | null, reason: UndecryptableReason): Outcome {
  return { state, events: [{ kind: 'Undecryptable', sequence, id, reason }] };
}

async function receiveOwn(state: ThreadState, header: ChainHeader, envelope: Envelope, context: ReceiveContext): Promise<Outcome> {
  const { sequence } = header;
  const { id } = envelope;
  const mine = state.kept.find((one) => equalBytes(one.id, id));
  if (mine === undefined) {
    checkKnown(sequence, context);
    return undecryptable(state, header, id, 'session');
  }
  if (mine.sequence !== 0) return undecryptable(state, header, id, 'rules');
  try {
    const { time, content } = await openArchived(envelope, state.thread, mine.key, signerOf(context.own.view));
    const kept = state.kept.map((one) => (one === mine ? { ...mine, sequence } : one));
    return { state: { ...state, kept }, events: [{ kind: 'OwnMessage', sequence, id, time, content }] };
  } catch (error) {
    if (!isEvent(error, context)) throw error;
    return undecryptable(state, header, id, reasonOf(error));
  }
}

async function receivePeers(state: ThreadState, header: ChainHeader, envelope: Envelope, session: Session, context: ReceiveContext): Promise<Outcome> {
  if (hasKept(state, envelope.id)) throw new PeerViolation('message: an id that was used before');
  const step = await receiveStep(session.ratchet, sealedHeader(envelope, state.thread), state.pending, context.now);
  const opened = await openEnvelope(envelope, state.thread, session.confirm, step.messageKey, signerOf(context.peer));
  checkClaims(state, header.sequence, envelope, opened);
  const kept = [...state.kept, { id: envelope.id, key: opened.contentKey, sequence: header.sequence }];
  const pending = state.pending.filter(({ id }) => step.opening === null || !equalBytes(id, step.opening));
  const peerVersion = Math.max(state.peerVersion, opened.signed.sessionVersion);
  const next = withSession({ ...state, kept, pending, peerVersion }, { ...session, ratchet: step.state });
  return { state: next, events: receivedEvents(state, header, envelope, step, opened) };
}

function hasKept(state: ThreadState, id: Uint8Array): boolean {
  return state.kept.some((one) => equalBytes(one.id, id));
}

/** What the author says of the thread must agree with the chain as this side sees it. */
function checkClaims(state: ThreadState, sequence: number, envelope: Envelope, { signed }: OpenedMessage): void {
  const { previousSequence, previous, content } = signed;
  const last = state.lastMessage;
  if (envelope.seen > sequence) throw new PeerViolation('message: has seen more than there is');
  if (previousSequence > last.sequence || (previousSequence === last.sequence && !equalBytes(previous, last.hash))) {
    throw new PeerViolation('message: its predecessor is another one');
  }
  if (content.kind === 'resent' && hasKept(state, content.id)) throw new PeerViolation('message: resends what was read');
}

function receivedEvents(state: ThreadState, { sequence }: ChainHeader, envelope: Envelope, step: ReceiveStep, { signed }: OpenedMessage): ThreadEvent[] {
  const { time, content, sessionVersion, checkpointSize, checkpointRoot } = signed;
  const author = envelope.author.account;
  const received: ThreadEvent = {
    kind: 'Received', sequence, id: envelope.id, author, time, content, sessionVersion, gap: step.gap,
    turn: step.header.turn, count: step.header.count, checkpoint: { size: checkpointSize, root: checkpointRoot },
  };
  if (sessionVersion > state.peerVersion) return [received];
  return [received, { kind: 'FolderRolledBack', sequence, author }];
}

/** Gives up all sessions, after a rollback to which the user consented: the next send begins a new one. */
export function abandon(state: ThreadState): ThreadState {
  return { ...state, sessions: [], pending: [] };
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
