/** The server as this browser knows it: its keys are pinned at first use, and every proof is checked by them. */

import { SUITE } from '../codec/accounts.ts';
import { equalBytes, fromBase64url, toHex, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { ChainHeader, type Head, checkContent, headOf, readHeader, startChain, verifyPage } from '../ledger/chain.ts';
import { verifyCheckpoint } from '../ledger/checkpoint.ts';
import { LedgerError } from '../ledger/errors.ts';
import { InvalidSignature } from '../crypto/errors.ts';
import { EMPTY, type Frontier, checkFrontier } from '../ledger/merkle.ts';
import { type HeadProof, type Receipt, type VerifiedHead, verifyHead, verifyReceipt } from '../ledger/receipt.ts';
import { type LogNews, type RestoredStatement, verifyRestoration } from '../ledger/restored.ts';
import { BadAnswer } from '../net/errors.ts';
import { type Http, type JsonObject, field } from '../net/http.ts';
import type { WireEntry } from '../net/records.ts';

const ID_LABEL = utf8('securemsg/server-id/1');
const FINGERPRINT_LABEL = utf8('securemsg/server-fingerprint/1');

/** The server contradicts itself, or what this browser saw of it before. */
export class ServerMisbehaved extends Error {
  constructor(readonly what: string) {
    super(what);
    this.name = 'ServerMisbehaved';
  }
}

export interface ServerInfo {
  readonly origin: string;
  readonly id: Uint8Array;
  readonly public: Uint8Array;
  readonly registration: 'open' | 'closed';
}

/** The newest checkpoint that was verified; a smaller one is never taken for news. */
export interface SeenCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
}

/** News of the log with every signature checked; the consistency proof is for the reader to hold against what it saw. */
export interface ReadNews {
  readonly checkpoint: SeenCheckpoint;
  readonly consistency: readonly Uint8Array[];
  readonly restorations: readonly RestoredStatement[];
}

export interface CheckedEntry {
  readonly header: ChainHeader;
  readonly encodedHeader: Uint8Array;
  readonly salt: Uint8Array;
  readonly body: Uint8Array | null;
}

export async function readServer(http: Http): Promise<ServerInfo> {
  const answer = await http.getJson('/api/server');
  const publicKey = fromBase64url(field(answer, 'public', 'string'));
  const id = fromBase64url(field(answer, 'id', 'string'));
  if (!equalBytes(id, sha256(ID_LABEL, publicKey))) throw new BadAnswer('the id is not that of the public key');
  const suites = (answer as JsonObject)['suites'];
  if (!Array.isArray(suites) || !suites.includes(SUITE)) throw new BadAnswer('no common suite');
  return {
    origin: field(answer, 'origin', 'string'),
    id,
    public: publicKey,
    registration: field(answer, 'registration', 'string') === 'open' ? 'open' : 'closed',
  };
}

/** Checks what the server proves, against the identity that was pinned. */
export class ServerView {
  #checkpoint: SeenCheckpoint = { size: 0, root: new Uint8Array(32) };
  /** While it is not known whether whoever answers shows the same log: nothing newer is taken up. */
  frozen = true;
  /** Told when a newer checkpoint was verified. */
  onAdvance: () => void = () => undefined;

  constructor(readonly info: ServerInfo) {}

  get fingerprint(): Uint8Array {
    return sha256(FINGERPRINT_LABEL, this.info.public);
  }

  get fingerprintHex(): string {
    return toHex(this.fingerprint);
  }

  get checkpoint(): SeenCheckpoint {
    return this.#checkpoint;
  }

  /** Takes up what the vault remembered; only ever forward. */
  remember({ size, root }: SeenCheckpoint): void {
    if (size <= this.#checkpoint.size) return;
    this.#checkpoint = { size, root };
    this.onAdvance();
  }

  /** With a person's consent alone: the log begins again where the server was set back to. */
  goBackTo(checkpoint: SeenCheckpoint): void {
    this.#checkpoint = checkpoint;
  }

  news({ checkpoint: note, consistency, restorations }: LogNews): Promise<ReadNews> {
    return guarded('news of the log', async () => {
      const { id, origin, public: key } = this.info;
      const checkpoint = await verifyCheckpoint(note, origin, key);
      const read = await Promise.all(restorations.map((one) => verifyRestoration(one, checkpoint, key, id)));
      return { checkpoint, consistency, restorations: read };
    });
  }

  async head(proof: HeadProof, chain: Uint8Array): Promise<VerifiedHead> {
    return guarded('head proof', async () => {
      const verified = await verifyHead(proof, this.info.public, this.info.origin);
      if (!equalBytes(verified.chain, chain)) throw new ServerMisbehaved('the head of another chain');
      this.#noteCheckpoint(verified.checkpoint);
      return verified;
    });
  }

  /** The receipt of an entry that this browser had appended: its header must be in it. */
  async receipt(receipt: Receipt, header: Uint8Array): Promise<void> {
    await guarded('receipt', async () => {
      if (!equalBytes(receipt.header, header)) throw new ServerMisbehaved('the receipt of another entry');
      const verified = await verifyReceipt(receipt, this.info.public, this.info.origin);
      this.#noteCheckpoint(verified.checkpoint);
    });
  }

  /** Headers, salts and bodies of a page, which leads from `frontier` to `head`. */
  page(chain: Uint8Array, frontier: Frontier, entries: readonly WireEntry[], head: Head): readonly CheckedEntry[] {
    return guardedNow('chain', () => {
      const checked = entries.map((entry) => checkedEntry(entry));
      const headers = checked.map(({ header }) => header);
      const reached = frontier.size + headers.length;
      if (reached >= head.size) verifyPage(startChain(chain, frontier), headers, head);
      return checked;
    });
  }

  /** Entries that lead from a served frontier to one that is known: with it the first is proved, too. */
  span(chain: Uint8Array, before: Frontier, entries: readonly WireEntry[], until: Frontier): void {
    guardedNow('chain', () => {
      checkFrontier(before);
      const headers = entries.map((entry) => checkedEntry(entry).header);
      verifyPage(startChain(chain, before), headers, headOf(startChain(chain, until)));
    });
  }

  /** A whole chain from its beginning. */
  wholeChain(chain: Uint8Array, entries: readonly WireEntry[], head: Head): readonly CheckedEntry[] {
    if (entries.length !== head.size) throw new ServerMisbehaved('the chain is not whole');
    return this.page(chain, EMPTY, entries, head);
  }

  #noteCheckpoint(checkpoint: { readonly size: number; readonly root: Uint8Array }): void {
    const seen = this.#checkpoint;
    if (checkpoint.size === seen.size && seen.size > 0 && !equalBytes(checkpoint.root, seen.root)) {
      throw new ServerMisbehaved('two logs of one size');
    }
    if (!this.frozen) this.remember(checkpoint);
  }
}

export function checkedEntry(entry: WireEntry): CheckedEntry {
  const header = readHeader(entry.header);
  if (entry.body !== null) checkContent(header, entry.salt, entry.body);
  return { header, encodedHeader: entry.header, salt: entry.salt, body: entry.body };
}

function misbehaviour(what: string, error: unknown): unknown {
  const broken = error instanceof LedgerError || error instanceof InvalidSignature;
  return broken ? new ServerMisbehaved(`${what}: ${error.message}`) : error;
}

async function guarded<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw misbehaviour(what, error);
  }
}

function guardedNow<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw misbehaviour(what, error);
  }
}
