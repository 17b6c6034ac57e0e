/** Reading a thread's stored entries again: by the content keys of the vault, page by page. */

import { KIND_HANDSHAKE, KIND_MESSAGE, readEnvelope, readHandshake } from '../codec/messages.ts';
import { CodecError } from '../codec/errors.ts';
import { equalBytes, toHex } from '../crypto/bytes.ts';
import { NeedsAccount, ProtocolError } from '../e2ee/errors.ts';
import type { KeptKey } from '../e2ee/state.ts';
import { openHistory, verifiedOpener } from '../e2ee/thread.ts';
import { type ChainHeader, type Head, headerHash, readHeader } from '../ledger/chain.ts';
import type { AccountView } from '../ledger/accountchain.ts';
import type { Frontier } from '../ledger/merkle.ts';
import { EntriesPage, type WireEntry } from '../net/records.ts';
import type { MessageProtection } from './api.ts';
import type { Placed } from './outbox.ts';
import { ServerMisbehaved, checkedEntry } from './server.ts';
import type { Services } from './services.ts';
import type { ThreadFile } from './threadfile.ts';
import { type Shown, type Timeline, contentOf } from './timeline.ts';

const PAGE = 50;
/** A beginning that is shorter comes along with the page after it. */
const STUB = 10;

type ProvedPage = Omit<EntriesPage, 'head'> & { readonly head: Head };

export class History {
  readonly #services: Services;
  readonly #file: ThreadFile;
  readonly #timeline: Timeline;
  /** The chain up to where the loaded part begins; null while nothing is loaded. */
  #from: Frontier | null = null;
  /** Everything before this sequence, back to where it begins, was taken up. */
  #until = 0;
  #hasOlder = false;
  /** Who opened the thread, once its first entry was read. */
  opener: Uint8Array | null = null;

  constructor(services: Services, file: ThreadFile, timeline: Timeline) {
    this.#services = services;
    this.#file = file;
    this.#timeline = timeline;
  }

  get hasOlder(): boolean {
    return this.#hasOlder;
  }

  /** What a tab of this browser sent, and whose entries have not come here yet: it is shown until they have. */
  get early(): readonly Placed[] {
    return this.#sent.filter((sent) => this.#timeline.lacks(sent) && !this.#isPast(sent));
  }

  /** The outbox lets go of what the entries have reached. */
  async settleSent(): Promise<void> {
    for (const sent of this.#sent) if (this.#isPast(sent)) await this.#services.outbox.settle(sent);
  }

  get #sent(): readonly Placed[] {
    return this.#services.outbox.sent(toHex(this.#file.thread));
  }

  #isPast({ id, sequence }: Placed): boolean {
    return sequence === 0 ? this.#timeline.has(id) : sequence < this.#until;
  }

  timeOf(entry: WireEntry): number {
    return readHeader(entry.header).time;
  }

  /** The newest `count` entries that the state has passed; the size of the served chain. */
  async loadNewest(count: number): Promise<number> {
    const { size } = this.#file.state.chain;
    const served = size === 0 ? 0 : await this.#load(beginning(size - count), this.#here());
    this.#from ??= this.#here();
    return served;
  }

  async loadOlder(): Promise<void> {
    const until = this.#from ?? this.#here();
    if (until.size > 0) await this.#load(beginning(until.size - PAGE), until);
  }

  /** What another tab or browser of this account has followed already, and this one has not shown. */
  async loadThrough(): Promise<void> {
    const here = this.#here();
    if (this.#from !== null && this.#until < here.size) await this.#load(this.#until, here);
  }

  /** The keys are gone: what was loaded is shown no more, and nothing older can be. */
  async forgotten(): Promise<void> {
    const start = this.#from?.size ?? 0;
    this.#hasOlder = start > 0 && (await this.#file.hasKeysBefore(start));
  }

  /** Who opened the thread, as its first entry says. */
  async loadOpener(): Promise<void> {
    const page = await this.#fetch(0, 1);
    const body = page.entries[0]?.body ?? null;
    if (body === null || page.start !== 0) throw new ServerMisbehaved('a thread without its beginning');
    const { own, peer } = await this.#views();
    this.opener = await verifiedOpener(this.#file.thread, body, own, peer);
  }

  /** A message of a known id, wherever it stands; null when its key is gone. */
  async find(id: string): Promise<Shown | null> {
    const known = this.#timeline.get(id);
    if (known !== null) return known;
    const kept = await this.#file.keyOf(id, 0);
    if (kept === null || kept.sequence === 0) return null;
    const [entry] = (await this.#fetch(kept.sequence, 1)).entries;
    return entry?.body == null ? null : this.#open(entry.body, id, kept.sequence);
  }

  #here(): Frontier {
    const { size, frontier } = this.#file.state.chain;
    return { size, hashes: frontier };
  }

  async #load(start: number, until: Frontier): Promise<number> {
    const { entries, before, head } = await this.#span(start, until.size);
    const { server } = this.#services;
    server.span(this.#file.thread, before, entries, until);
    if (head.size === until.size) server.page(this.#file.thread, until, [], head);
    if (this.#from === null) this.#until = start;
    for (const entry of entries) await this.#take(entry);
    if (this.#from === null || start < this.#from.size) {
      this.#from = before;
      this.#hasOlder = start > 0 && (await this.#file.hasKeysBefore(start));
    }
    return head.size;
  }

  /** All entries from `start` to `end`, however many pages it takes. */
  async #span(start: number, end: number): Promise<{ entries: readonly WireEntry[]; before: Frontier; head: Head }> {
    const entries: WireEntry[] = [];
    let before: Frontier | null = null;
    for (;;) {
      const next = start + entries.length;
      const page = await this.#fetch(next, Math.min(100, end - next));
      if (page.start !== next || page.entries.length === 0 || page.head.size < end) {
        throw new ServerMisbehaved('entries that were there are gone');
      }
      before ??= { size: start, hashes: page.frontier };
      entries.push(...page.entries);
      if (start + entries.length >= end) return { entries, before, head: page.head };
    }
  }

  async #fetch(start: number, count: number): Promise<ProvedPage> {
    const thread = toHex(this.#file.thread);
    const page = await this.#services.http.getRecord(`/api/threads/${thread}/entries?start=${start}&count=${count}`, EntriesPage);
    const { head } = await this.#services.server.head(page.head, this.#file.thread);
    return { ...page, head };
  }

  async #take(entry: WireEntry): Promise<void> {
    const { header, body } = checkedEntry(entry);
    if (header.kind === KIND_MESSAGE && body !== null) await this.#takeMessage(header, body);
    // Last: an entry that could not be shown for want of the server is taken up again.
    this.noteEntry(entry);
  }

  /** What an entry says by standing there: a session began. */
  noteEntry(entry: WireEntry): void {
    const header = readHeader(entry.header);
    if (header.sequence === this.#until) this.#until += 1;
    if (entry.body === null) return;
    if (header.kind === KIND_HANDSHAKE) this.#takeHandshake(header, entry.body);
  }

  #takeHandshake({ sequence, time }: ChainHeader, body: Uint8Array): void {
    const handshake = orNull(() => readHandshake(body));
    if (handshake === null) return;
    const [renewed, lastResort] = [handshake.replaces.length > 0, handshake.oneTime === null];
    this.#timeline.notice({ kind: 'session', key: `session/${sequence}`, sequence, time, lastResort, renewed });
  }

  async #takeMessage({ sequence, time }: ChainHeader, body: Uint8Array): Promise<void> {
    const envelope = orNull(() => readEnvelope(body));
    if (envelope === null) return;
    const id = toHex(envelope.id);
    if (this.#timeline.has(id)) return;
    const shown = await this.#open(body, id, sequence);
    if (shown !== null) this.#timeline.show(shown);
    else if (await this.#file.hasKeysBefore(sequence)) {
      this.#timeline.notice({ kind: 'undecryptable', key: `undecryptable/${id}`, sequence, time, asked: false });
    }
  }

  async #open(body: Uint8Array, id: string, sequence: number): Promise<Shown | null> {
    const kept = await this.#file.keyOf(id, sequence);
    if (kept === null) return null;
    return this.#openBy(body, kept, sequence, false);
  }

  async #openBy(body: Uint8Array, kept: KeptKey, sequence: number, fresh: boolean): Promise<Shown | null> {
    const { own, peer } = await this.#views(fresh);
    try {
      const { author, signed } = await openHistory(body, this.#file.thread, kept.key, own, peer);
      const mine = equalBytes(author, this.#services.account);
      const { key, text, resent } = contentOf(signed.content, kept.id);
      return { key, id: toHex(kept.id), sequence, mine, text, time: signed.time, resent, turn: null, count: null };
    } catch (error) {
      if (error instanceof NeedsAccount && !fresh) return this.#openBy(body, kept, sequence, true);
      if (error instanceof ProtocolError) return null;
      throw error;
    }
  }

  async #views(fresh = false): Promise<{ own: AccountView; peer: AccountView }> {
    const { view } = await this.#services.identity(fresh);
    return { own: view, peer: await this.#services.people.view(this.#file.peer, fresh) };
  }

  /** What protected one message, read from its stored envelope. */
  async protection(key: string): Promise<MessageProtection | null> {
    const shown = this.#timeline.get(key);
    if (shown === null || shown.sequence === 0) return null;
    const [entry] = (await this.#fetch(shown.sequence, 1)).entries;
    if (entry === undefined) return null;
    const { header, body } = checkedEntry(entry);
    const envelope = body === null ? null : orNull(() => readEnvelope(body));
    return {
      suite: 'SM1',
      content: envelope?.aead ?? 'AES-256-GCM',
      signature: 'Ed25519 + ML-DSA-65',
      agreement: 'X25519 + ML-KEM-1024',
      turn: shown.turn,
      countInTurn: shown.count,
      sequence: shown.sequence,
      messageId: shown.id,
      entryHash: toHex(headerHash(header)),
      paddedSize: envelope?.body.length ?? null,
      storedAt: header.time,
    };
  }
}

function beginning(start: number): number {
  return start < STUB ? 0 : start;
}

function orNull<T>(step: () => T): T | null {
  try {
    return step();
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
