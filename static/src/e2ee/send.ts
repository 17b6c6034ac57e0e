/** What sending asks of one transaction (docs/spec/e2ee.md section 5). */

import {
  type AeadName, KIND_HANDSHAKE, KIND_MESSAGE, KIND_OPENED, KIND_OPENING, KIND_SESSION_RESET, MAX_RESET_IDS, Opened,
  SessionReset, TYPE_OPENED, TYPE_SESSION_RESET,
} from '../codec/messages.ts';
import { signStatement } from '../codec/statement.ts';
import { equalBytes } from '../crypto/bytes.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { type Content, type Signed, sealEnvelope } from './envelope.ts';
import { Misuse, StaleSession } from './errors.ts';
import { type Session, initiate, newestKeys } from './handshake.ts';
import type { LocalIdentity, PeerBundle } from './identity.ts';
import { canSend, sendStep } from './ratchet.ts';
import { type ThreadState, currentSession, withSession } from './state.ts';

export const MAX_UNPLACED = 64;

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
  /** The id of an earlier try of the same message; otherwise a fresh one is drawn. */
  readonly id?: Uint8Array;
  readonly aead?: AeadName;
  /** The version that the session file gets by the same transaction. */
  readonly sessionVersion: number;
  readonly checkpoint: { readonly size: number; readonly root: Uint8Array };
  readonly now: number;
  readonly random: RandomBytes;
}

/** What a send asks of one transaction: these appends, and the put of `state`. */
export interface Sent {
  readonly state: ThreadState;
  readonly appends: readonly Append[];
  readonly id: Uint8Array;
  readonly session: Uint8Array;
  readonly contentKey: Uint8Array;
}

/** Whether the next message begins a new session. */
export function needsBundle(state: ThreadState): boolean {
  const current = currentSession(state);
  return current === null || !canSend(current.ratchet);
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
    id: context.id ?? null,
    signed: signedOf(state, content, working.generation, context),
  }, step, context.random);
  const appends = [...begun.appends];
  if (step.opening !== null) appends.push({ kind: KIND_OPENING, body: step.opening, expected: null });
  appends.push({ kind: KIND_MESSAGE, body: message.body, expected: null });
  const kept = [...state.kept, { id: message.id, key: message.contentKey, sequence: 0 }];
  const moved = withSession({ ...begun.state, kept }, { ...begun.session, ratchet: step.state });
  return { state: moved, appends, id: message.id, session: begun.session.id, contentKey: message.contentKey };
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
  if (current !== null && canSend(current.ratchet) && context.renew !== true) return { state, session: current, appends: [] };
  const { own, bundle, now, random } = context;
  if (bundle === null) throw new StaleSession("a new session needs the peer's bundle");
  if (!equalBytes(bundle.view.account, state.peer)) throw new Misuse("the bundle is not this thread's peer's");
  const opened = state.chain.size === 0 && state.current.length === 0 ? [await openedEntry(state, own, now)] : [];
  const { body, session } = await initiate(own, { thread: state.thread, replaces: state.current, bundle, now }, random);
  const appends = [...opened, { kind: KIND_HANDSHAKE, body, expected: null }];
  return { state: withSession({ ...state, current: session.id }, session), session, appends };
}

async function openedEntry({ thread, peer }: ThreadState, own: LocalIdentity, now: number): Promise<Append> {
  const { signing, generation } = newestKeys(own);
  const payload = Opened.encode({ thread, opener: own.view.account, peer, generation, created: now });
  return { kind: KIND_OPENED, body: await signStatement(signing, TYPE_OPENED, payload), expected: 0 };
}

/** The entry that asks the peer for a new session, and for these messages again. */
export async function askReset(state: ThreadState, own: LocalIdentity, session: Uint8Array, ids: readonly Uint8Array[], now: number): Promise<Append> {
  if (ids.length > MAX_RESET_IDS) throw new Misuse(`at most ${MAX_RESET_IDS} messages are asked for at once`);
  const { signing, generation } = newestKeys(own);
  const payload = SessionReset.encode({ thread: state.thread, author: own.view.account, session, generation, ids, created: now });
  return { kind: KIND_SESSION_RESET, body: await signStatement(signing, TYPE_SESSION_RESET, payload), expected: null };
}
