/** From the models to what views show. */

import { toHex } from '../crypto/bytes.ts';
import { currentSession } from '../e2ee/state.ts';
import { fingerprintOf, keysOf } from '../ledger/accountchain.ts';
import type { Conversation, ConversationSecurity, ConversationSummary } from './api.ts';
import type { ConversationModel } from './conversation.ts';
import type { Unsent } from './outbox.ts';
import type { SignedIn } from './signedin.ts';

export function summaryOf(model: ConversationModel): ConversationSummary {
  const { services, timeline } = model;
  const state = model.contactState;
  const latest = timeline.latest;
  const unsent = lastWritten(model);
  const newest = unsent !== undefined && unsent.written >= (latest?.time ?? 0) ? { text: unsent.text, mine: true, time: unsent.written } : latest;
  return {
    thread: model.hex,
    peer: { account: model.peerHex, name: model.peerName },
    state,
    unread: state === 'blocked' ? 0 : timeline.unread(model.file.state.read),
    preview: state === 'blocked' ? null : (newest?.text ?? null),
    previewMine: newest?.mine ?? false,
    lastTime: newest?.time ?? model.lastTime,
    typing: model.typing.shown,
    hasDraft: services.outbox.draft(model.hex) !== '',
    blockedBy: state === 'blocked' ? 'you-blocked' : services.restoring.fine ? model.block : 'server-went-back',
  };
}

/** The newest of what stands in the outbox and not among the entries. */
function lastWritten({ services, hex, history }: ConversationModel): Unsent | undefined {
  return [...services.outbox.of(hex), ...history.early].sort((a, b) => a.written - b.written).at(-1);
}

/** Newest first; what was deleted, or opened and never used, is not listed. */
export function summariesOf(signedIn: SignedIn, open: string | null): readonly ConversationSummary[] {
  return signedIn.following
    .all()
    .filter((model) => model.hex === open || isListed(signedIn, model))
    .map((model) => summaryOf(model))
    .sort((a, b) => (b.lastTime ?? Number.MAX_SAFE_INTEGER) - (a.lastTime ?? Number.MAX_SAFE_INTEGER));
}

function isListed(signedIn: SignedIn, model: ConversationModel): boolean {
  const waiting = lastWritten(model) !== undefined || signedIn.outbox.draft(model.hex) !== '';
  if (signedIn.contacts.find(model.peer)?.state === 'deleted') return waiting || model.timeline.latest !== null;
  return model.exists || waiting || (model.loading && model.lastTime !== null);
}

export function conversationOf(model: ConversationModel, firstUnread: string | null): Conversation {
  const summary = summaryOf(model);
  const hidden = summary.state === 'blocked';
  return {
    summary,
    items: hidden ? [] : model.timeline.items(model.services.outbox.of(model.hex), model.marks.peerRead, model.history.early),
    hasOlder: !hidden && model.history.hasOlder,
    loading: model.loading,
    firstUnread,
    draft: model.services.outbox.draft(model.hex),
    security: securityOf(model),
  };
}

function securityOf(model: ConversationModel): ConversationSecurity {
  const { state } = model.file;
  const session = currentSession(state);
  const pin = model.services.contacts.pin(model.peer);
  return {
    established: session !== null,
    suite: 'SM1',
    agreement: ['X25519', 'ML-KEM-1024'],
    signatures: ['Ed25519', 'ML-DSA-65'],
    content: 'AES-256-GCM',
    sessionStarted: session?.created ?? null,
    turn: session?.ratchet.turn ?? 0,
    lastTurnAt: model.lastTurnAt,
    lastResort: session?.lastResort ?? false,
    peerFingerprint: pin === null ? null : toHex(pin),
    peerGeneration: session?.peerGeneration ?? null,
    skippedKeys: session?.ratchet.skipped.length ?? 0,
    entries: state.chain.size,
  };
}

export async function accountFacts(signedIn: SignedIn) {
  const { view } = await signedIn.identity();
  const newest = keysOf(view);
  return {
    fingerprint: toHex(fingerprintOf(view.root)),
    generation: newest?.generation ?? 0,
    generationSince: newest?.created ?? view.created,
    oneTimePrekeysLeft: signedIn.prekeys.unused(view),
    signedPrekeyAge: signedIn.now() - (signedIn.prekeys.newestSigned ?? signedIn.now()),
  };
}
