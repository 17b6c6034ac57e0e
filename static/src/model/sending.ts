/**
 * Sends what waits in the outbox of one conversation, in order. A message keeps its id over every try, so
 * that one whose acknowledgement got lost is recognised and never stands twice.
 */

import { fromHex, toHex } from '../crypto/bytes.ts';
import { systemRandom } from '../crypto/random.ts';
import type { Content } from '../e2ee/envelope.ts';
import { Misuse, PeerViolation } from '../e2ee/errors.ts';
import { type SendContext, type Sent, askReset, needsBundle, send } from '../e2ee/send.ts';
import { archiveStep } from '../e2ee/state.ts';
import { type ChainHeader, readHeader } from '../ledger/chain.ts';
import { RequestRefused } from '../net/errors.ts';
import type { TransactResult } from '../net/records.ts';
import type { AppErrorKind, SendBlock } from './api.ts';
import { troubleOf } from './apperrors.ts';
import type { ConversationModel } from './conversation.ts';
import { isConflict } from './files.ts';
import type { Unsent } from './outbox.ts';
import { ServerMisbehaved } from './server.ts';
import { shownOf } from './timeline.ts';

const MOST_TRIES = 12;
const MOST_WAITS = 20;
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 30_000;
const RACE_PAUSE_MS = 50;

/** What one try came to. `again`: something moved; the same message is tried anew. `wait`: so many ms before that. */
type Outcome = 'sent' | 'again' | 'later' | { readonly failed: AppErrorKind } | { readonly wait: number };

export class Sender {
  readonly #conversation: ConversationModel;
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #pause = FIRST_PAUSE_MS;
  #stopped = false;

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

  /** Nothing is begun any more. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #drain(): Promise<void> {
    const { services, hex } = this.#conversation;
    const { outbox } = services;
    while (!this.#stopped) {
      const next = outbox.of(hex).find(({ failure }) => failure === null);
      if (next === undefined) return;
      const outcome = await this.#sendOne(next);
      if (outcome === 'later') return this.#tryLater();
      if (outcome === 'sent') this.#pause = FIRST_PAUSE_MS;
      else if ((await outbox.stored(next.id)) !== null) await outbox.put({ ...next, failure: outcome.failed });
      services.changed();
    }
  }

  /** Out of reach, or no answer: reconnecting tries at once, and this after a while in any case. */
  #tryLater(): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.run();
    }, this.#pause);
    this.#pause = Math.min(LAST_PAUSE_MS, 2 * this.#pause);
  }

  async #sendOne(unsent: Unsent): Promise<'sent' | 'later' | { readonly failed: AppErrorKind }> {
    let waits = 0;
    for (let tries = 1; tries <= MOST_TRIES; ) {
      const outcome = await this.#conversation.lane.run(() => this.#try(unsent));
      if (outcome === 'again') {
        tries += 1;
        await pause(RACE_PAUSE_MS * tries * Math.random());
      } else if (typeof outcome === 'object' && 'wait' in outcome) {
        waits += 1;
        if (waits > MOST_WAITS) return { failed: 'server-busy' };
        await pause(outcome.wait);
      } else return outcome;
      if (this.#stopped) return 'later';
    }
    return { failed: 'conflict' };
  }

  async #try(unsent: Unsent): Promise<Outcome> {
    const { services, block, peer } = this.#conversation;
    // Another tab of this browser may have sent it, or given it up, while this one waited for the lane.
    const stored = await services.outbox.stored(unsent.id);
    if (stored === null) return 'sent';
    if (stored.failure !== null) return { failed: stored.failure };
    if (!this.#conversation.usable) return block === null ? 'later' : { failed: failureOf(block) };
    if (services.contacts.find(peer)?.state === 'blocked') return { failed: 'not-found' };
    try {
      await this.#transmit(unsent);
      return 'sent';
    } catch (error) {
      return this.#judge(error);
    }
  }

  async #judge(error: unknown): Promise<Outcome> {
    if (isConflict(error)) return this.#reload();
    if (error instanceof RequestRefused) return refusedOutcome(error);
    if (troubleOf(error) === 'transient') return 'later';
    if (error instanceof PeerViolation) return { failed: 'peer-violation' };
    // So many own messages have no place yet that no more can be added.
    if (error instanceof Misuse) return { wait: 500 };
    this.#conversation.noteTrouble(error);
    const { block } = this.#conversation;
    return { failed: block === null ? 'unexpected' : failureOf(block) };
  }

  /** Somebody was faster: another browser of this account, or the other side with its own handshake. */
  async #reload(): Promise<Outcome> {
    try {
      await this.#conversation.reloadAll();
      return 'again';
    } catch (error) {
      return isConflict(error) ? 'again' : this.#judge(error);
    }
  }

  async #transmit(unsent: Unsent): Promise<void> {
    const model = this.#conversation;
    await model.catchUp();
    const kept = model.file.state.kept.find(({ id }) => toHex(id) === unsent.id);
    if (kept !== undefined) return this.#finished(unsent, kept.sequence);
    if (model.services.contacts.find(model.peer)?.state !== 'accepted') await model.setContact('accepted');
    const sent = await this.#seal(unsent);
    const archived = archiveStep(sent.state);
    const saving = await model.file.saving(archived.state, archived.segments);
    const appends = sent.appends.map(({ kind, body, expected }) => ({ chain: model.thread, kind, body, expected }));
    const result = await model.services.transactor.transact({ appends, puts: saving.puts });
    const place = placeOf(result);
    if (result.repeat) {
      // What the first try stored has the key with it: a repeat without one would be a message that is lost.
      await model.reload();
      if ((await model.file.keyOf(unsent.id, place?.sequence ?? 0)) === null) throw new ServerMisbehaved('a repeat of what was never stored');
    } else await saving.committed();
    await this.#finished(unsent, place?.sequence ?? 0, place?.time);
  }

  async #seal(unsent: Unsent): Promise<Sent> {
    const { services, file, peer } = this.#conversation;
    const renew = unsent.renews !== undefined && unsent.renews === toHex(file.state.current);
    const context: SendContext = {
      own: await services.identity(),
      bundle: renew || needsBundle(file.state) ? await services.people.bundle(peer) : null,
      renew,
      id: fromHex(unsent.id),
      sessionVersion: file.version + 1,
      checkpoint: services.server.checkpoint,
      now: services.now(),
      random: systemRandom,
    };
    return send(file.state, contentOfUnsent(unsent), context);
  }

  /** `sequence` 0: its place is not known yet. */
  async #finished(unsent: Unsent, sequence: number, stored: number = unsent.written): Promise<void> {
    const { timeline, services } = this.#conversation;
    const shown = shownOf({ ...unsent, sequence });
    const known = timeline.get(shown.key);
    if (known === null || known.sequence === 0) timeline.show(shown);
    this.#conversation.lastTime = Math.max(this.#conversation.lastTime ?? 0, stored);
    await services.outbox.noteSent(unsent, sequence);
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
}

function contentOfUnsent(unsent: Unsent): Content {
  if (unsent.resends === undefined) return { kind: 'text', text: unsent.text };
  return { kind: 'resent', id: fromHex(unsent.resends), text: unsent.text };
}

/** The message's own place: the last entry of its transaction. */
function placeOf(result: TransactResult): ChainHeader | null {
  const placed = result.entries.at(-1);
  return placed === undefined ? null : readHeader(placed.header);
}

/** Why a message failed in a conversation that cannot send. */
function failureOf(block: SendBlock): AppErrorKind {
  return block === 'folder-rolled-back' ? 'folder-rolled-back' : 'server-misbehaved';
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function refusedOutcome(error: RequestRefused): Outcome {
  if (error.kind === 'slow-down' || error.kind === 'busy') return { wait: (error.retryAfter ?? 1) * 1000 };
  if (error.kind === 'read-only' || error.kind === 'storage-full') return { failed: error.kind };
  if (error.kind === 'too-large') return { failed: 'too-long' };
  if (error.kind === 'not-signed-in') return 'later';
  return { failed: 'unexpected' };
}
