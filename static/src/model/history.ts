/** Reading a thread's stored entries again: by the content keys of the vault, page by page. */

import { KIND_HANDSHAKE, KIND_MESSAGE, KIND_OPENED, Opened, readEnvelope, readHandshake } from '../codec/messages.ts';
import { CodecError } from '../codec/errors.ts';
import { unverifiedPayload } from '../codec/statement.ts';
import { equalBytes, toHex } from '../crypto/bytes.ts';
import { ProtocolError } from '../e2ee/errors.ts';
import { openHistory } from '../e2ee/thread.ts';
import { type ChainHeader, headerHash, readHeader } from '../ledger/chain.ts';
import { EntriesPage, type WireEntry } from '../net/records.ts';
import type { MessageProtection } from './api.ts';
import { checkedEntry } from './server.ts';
import type { Services } from './services.ts';
import type { ThreadFile } from './threadfile.ts';
import { type Shown, type Timeline, contentOf } from './timeline.ts';

const PAGE = 50;

export class History {
  readonly #services: Services;
  readonly #file: ThreadFile;
  readonly #timeline: Timeline;
  #from: number | null = null;
  #until = 0;
  /** Who opened the thread, once its first entry was read. */
  opener: Uint8Array | null = null;

  constructor(services: Services, file: ThreadFile, timeline: Timeline) {
    this.#services = services;
    this.#file = file;
    this.#timeline = timeline;
  }

  get hasOlder(): boolean {
    return this.#from !== null && this.#from > 0;
  }

  timeOf(entry: WireEntry): number {
    return readHeader(entry.header).time;
  }

  /** The newest `count` entries before the head, as far as they are not shown yet. */
  async loadNewest(count: number): Promise<void> {
    const { size } = this.#file.state.chain;
    await this.#load(Math.max(0, size - count), size);
    if (size > 0 && this.opener === null) await this.#load(0, 1);
  }

  async loadOlder(): Promise<void> {
    const until = this.#from ?? this.#file.state.chain.size;
    if (until > 0) await this.#load(Math.max(0, until - PAGE), until);
  }

  /** What another browser of this account has followed already, and this one has not shown. */
  async loadThrough(size: number): Promise<void> {
    if (this.#from !== null && this.#until < size) await this.#load(this.#until, size);
  }

  async #load(from: number, until: number): Promise<void> {
    for (let start = from; start < until; start += 100) {
      for (const entry of await this.#fetch(start, Math.min(100, until - start))) await this.#take(entry);
    }
    if (this.#from === null || (from < this.#from && until >= this.#from)) this.#from = from;
  }

  async #fetch(start: number, count: number): Promise<readonly WireEntry[]> {
    const thread = toHex(this.#file.thread);
    const page = await this.#services.http.getRecord(`/api/threads/${thread}/entries?start=${start}&count=${count}`, EntriesPage);
    await this.#services.server.head(page.head, this.#file.thread);
    return page.entries;
  }

  async #take(entry: WireEntry): Promise<void> {
    const { header, body } = checkedEntry(entry);
    this.noteEntry(entry);
    if (header.kind === KIND_MESSAGE && body !== null) await this.#takeMessage(header, body);
  }

  /** What an entry says by standing there: a session began. */
  noteEntry(entry: WireEntry): void {
    const header = readHeader(entry.header);
    this.#until = Math.max(this.#until, header.sequence + 1);
    if (entry.body === null) return;
    if (header.kind === KIND_OPENED) this.opener = openerOf(entry.body);
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
    else if (sequence > (await this.#file.oldestKey())) {
      this.#timeline.notice({ kind: 'undecryptable', key: `undecryptable/${id}`, sequence, time, asked: false });
    }
  }

  async #open(body: Uint8Array, id: string, sequence: number): Promise<Shown | null> {
    const kept = await this.#file.keyOf(id, sequence);
    if (kept === null) return null;
    const own = (await this.#services.identity()).view;
    const peer = await this.#services.people.view(this.#file.peer);
    try {
      const { author, signed } = await openHistory(body, this.#file.thread, kept.key, own, peer);
      const mine = equalBytes(author, this.#services.account);
      const { key, text, resent } = contentOf(signed.content, kept.id);
      return { key, id, sequence, mine, text, time: signed.time, resent, turn: null, count: null };
    } catch (error) {
      if (error instanceof ProtocolError) return null;
      throw error;
    }
  }

  /** What protected one message, read from its stored envelope. */
  async protection(key: string): Promise<MessageProtection | null> {
    const shown = this.#timeline.get(key);
    if (shown === null || shown.sequence === 0) return null;
    const [entry] = await this.#fetch(shown.sequence, 1);
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

function openerOf(body: Uint8Array): Uint8Array | null {
  return orNull(() => Opened.decode(unverifiedPayload(body)).opener);
}

function orNull<T>(step: () => T): T | null {
  try {
    return step();
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
