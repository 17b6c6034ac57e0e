/**
 * Sends what waits in the outbox of one conversation, in order. A message keeps its id over every try, so
 * that one whose acknowledgement got lost is recognised and never stands twice.
 */

import { fromHex, toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import type { Content } from '../e2ee/envelope.ts';
import { Misuse, PeerViolation, ProtocolError, RolledBack } from '../e2ee/errors.ts';
import { type SendContext, type Sent, askReset, needsBundle, send } from '../e2ee/send.ts';
import { archiveStep } from '../e2ee/state.ts';
import { readHeader } from '../ledger/chain.ts';
import { BadAnswer, RequestRefused, Unreachable } from '../net/errors.ts';
import type { PlacedEntry, TransactResult } from '../net/records.ts';
import type { AppErrorKind } from './api.ts';
import { ConversationModel } from './conversation.ts';
import { isConflict } from './files.ts';
import type { Unsent } from './outbox.ts';
import { RootChanged } from './people.ts';
import { ServerMisbehaved } from './server.ts';
import { contentOf } from './timeline.ts';

const MOST_TRIES = 12;
const MOST_WAITS = 20;

/** What one try came to. `again`: something moved, or the server was busy; the same message is tried anew. */
type Outcome = 'sent' | 'again' | 'later' | { readonly failed: AppErrorKind };

export class Sender {
  readonly #conversation: ConversationModel;
  #running: Promise<void> | null = null;
  #renewFrom: string | null = null;

  constructor(conversation: ConversationModel) {
    this.#conversation = conversation;
  }

  /** Works through the outbox; called again while it works, it goes on with what was added. */
  async run(): Promise<void> {
    while (this.#running !== null) await this.#running;
    this.#running = this.#drain();
    try {
      await this.#running;
    } finally {
      this.#running = null;
    }
  }

  async #drain(): Promise<void> {
    const { outbox } = this.#conversation.services;
    for (;;) {
      const next = outbox.of(this.#conversation.hex).find(({ failure }) => failure === null);
      if (next === undefined) return;
      const outcome = await this.#sendOne(next);
      if (outcome === 'later') return;
      if (typeof outcome === 'object') await outbox.put({ ...next, failure: outcome.failed });
      this.#conversation.services.changed();
    }
  }

  async #sendOne(unsent: Unsent): Promise<Outcome> {
    let waits = 0;
    for (let tries = 0; tries < MOST_TRIES; ) {
      const outcome = await this.#conversation.lane.run(() => this.#try(unsent));
      if (outcome === 'again') tries += 1;
      else if (typeof outcome === 'object' && 'wait' in outcome) {
        waits += 1;
        if (waits > MOST_WAITS) return { failed: 'server-busy' };
        await new Promise((resolve) => setTimeout(resolve, outcome.wait));
      } else return outcome;
    }
    return { failed: 'conflict' };
  }

  async #try(unsent: Unsent): Promise<Outcome | { readonly wait: number }> {
    const { services } = this.#conversation;
    // Another tab of this browser may have sent it while this one waited for the lane.
    if (services.outbox.get(unsent.id) === null) return 'sent';
    try {
      await this.#transmit(unsent);
      return 'sent';
    } catch (error) {
      return this.#judge(error);
    }
  }

  async #judge(error: unknown): Promise<Outcome | { readonly wait: number }> {
    if (error instanceof Unreachable) return 'later';
    if (isConflict(error)) return this.#reload();
    if (error instanceof RequestRefused) return refusedOutcome(error);
    if (error instanceof PeerViolation) return { failed: 'peer-violation' };
    if (error instanceof Misuse) return { wait: 500 };
    if (error instanceof ProtocolError || error instanceof ServerMisbehaved || error instanceof RootChanged || error instanceof BadAnswer) {
      this.#conversation.noteTrouble(error instanceof BadAnswer ? new ServerMisbehaved(error.message) : error);
      return { failed: error instanceof RolledBack ? 'folder-rolled-back' : 'server-misbehaved' };
    }
    throw error;
  }

  /** Somebody was faster: another browser of this account, or the other side with its own handshake. */
  async #reload(): Promise<Outcome | { readonly wait: number }> {
    try {
      await this.#conversation.services.prekeys.load();
      await this.#conversation.reload();
      return 'again';
    } catch (error) {
      if (error instanceof Unreachable) return 'later';
      if (error instanceof RequestRefused) return refusedOutcome(error);
      throw error;
    }
  }

  async #transmit(unsent: Unsent): Promise<void> {
    const model = this.#conversation;
    await model.catchUp();
    if (model.file.state.kept.some(({ id }) => toHex(id) === unsent.id)) return this.#finished(unsent, null);
    if (model.services.contacts.find(model.peer)?.state !== 'accepted') await model.setContact('accepted');
    const sent = await this.#seal(contentOfUnsent(unsent), fromHex(unsent.id));
    const archived = archiveStep(sent.state);
    const saving = await model.file.saving(archived.state, archived.segments);
    const appends = sent.appends.map(({ kind, body, expected }) => ({ chain: model.thread, kind, body, expected }));
    const result = await model.services.transactor.transact({ appends, puts: saving.puts });
    if (result.repeat) {
      await model.reload();
      return this.#finished(unsent, placeOf(result));
    }
    await saving.committed();
    await this.#finished(unsent, placeOf(result));
  }

  async #seal(content: Content, id: Uint8Array): Promise<Sent> {
    const { services, file, peer } = this.#conversation;
    const renew = this.#renewFrom !== null && this.#renewFrom === toHex(file.state.current);
    const context: SendContext = {
      own: await services.identity(),
      bundle: renew || needsBundle(file.state) ? await services.people.bundle(peer) : null,
      renew,
      id,
      sessionVersion: file.version + 1,
      checkpoint: services.server.checkpoint,
      now: services.now(),
      random: systemRandom,
    };
    return send(file.state, content, context);
  }

  async #finished(unsent: Unsent, place: PlacedEntry | null): Promise<void> {
    const { timeline, services } = this.#conversation;
    const header = place === null ? null : readHeader(place.header);
    const { key, text, resent } = contentOf(contentOfUnsent(unsent), fromHex(unsent.id));
    const known = timeline.get(key);
    if (known === null || known.sequence === 0) {
      const sequence = header?.sequence ?? 0;
      timeline.show({ key, id: unsent.id, sequence, mine: true, text, time: unsent.written, resent, turn: null, count: null });
    }
    this.#conversation.lastTime = Math.max(this.#conversation.lastTime ?? 0, header?.time ?? unsent.written);
    await services.outbox.remove(unsent.id);
    services.changed();
  }

  /** Asks the other side for a new session and for a message that could not be read. */
  async askAgain(ids: readonly Uint8Array[]): Promise<void> {
    const model = this.#conversation;
    await model.lane.run(async () => {
      await model.catchUp();
      const { state } = model.file;
      const append = await askReset(state, await model.services.identity(), state.current, ids, model.services.now());
      const { kind, body, expected } = append;
      await model.services.transactor.transact({ appends: [{ chain: model.thread, kind, body, expected }], puts: [] });
    });
  }

  /** The other side could not read these: they go out again, in a new session, under their old ids. */
  async resendAsked(): Promise<void> {
    const model = this.#conversation;
    for (let asked = model.resend.shift(); asked !== undefined; asked = model.resend.shift()) {
      if (model.services.contacts.find(model.peer)?.state !== 'accepted') continue;
      this.#renewFrom = toHex(asked.session);
      for (const id of asked.ids) {
        const shown = model.timeline.get(toHex(id));
        if (shown === null || !shown.mine) continue;
        const again = { id: toHex(systemRandom(16)), thread: model.hex, text: shown.text, written: shown.time, failure: null, resends: shown.key };
        await model.services.outbox.put(again);
      }
      await this.run();
    }
  }
}

function contentOfUnsent(unsent: Unsent): Content {
  if (unsent.resends === undefined) return { kind: 'text', text: unsent.text };
  return { kind: 'resent', id: fromHex(unsent.resends), text: unsent.text };
}

/** The message's own place: the last entry of its transaction. */
function placeOf(result: TransactResult): PlacedEntry | null {
  return result.entries.at(-1) ?? null;
}

function refusedOutcome(error: RequestRefused): Outcome | { readonly wait: number } {
  if (error.kind === 'slow-down' || error.kind === 'busy') return { wait: (error.retryAfter ?? 1) * 1000 };
  if (error.kind === 'read-only') return { failed: 'read-only' };
  if (error.kind === 'too-large') return { failed: 'too-long' };
  if (error.kind === 'not-signed-in') return 'later';
  return { failed: 'unexpected' };
}
