/** A small world for tests: accounts, an in-memory server with compare-and-swap, and browsers that talk through it. */

import assert from 'node:assert/strict';
import { Bundle, BatchEntry, BatchStatement, type PrekeyHanded } from '../../../static/src/codec/accounts.ts';
import { KIND_HANDSHAKE, KIND_MESSAGE, KIND_OPENING, OpeningEntry, readEnvelope, readHandshake, sessionId } from '../../../static/src/codec/messages.ts';
import { unverifiedPayload } from '../../../static/src/codec/statement.ts';
import { concat, equalBytes, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { type RandomBytes, seededRandom } from '../../../static/src/crypto/random.ts';
import type { Content } from '../../../static/src/e2ee/envelope.ts';
import { NeedsAccount, RolledBack } from '../../../static/src/e2ee/errors.ts';
import type { ThreadEvent } from '../../../static/src/e2ee/events.ts';
import { type LocalIdentity, type NewIdentity, fingerprintOf, newIdentity, openBundle, viewOf } from '../../../static/src/e2ee/identity.ts';
import { type AccountEntry, Prekeys, oneTimeOf } from '../../../static/src/e2ee/prekeys.ts';
import { type Append, type SendContext, send } from '../../../static/src/e2ee/send.ts';
import { ThreadState, loadThread, newThread, type ArchiveSegment } from '../../../static/src/e2ee/state.ts';
import { type ServedEntry, receive } from '../../../static/src/e2ee/thread.ts';
import { ChainHeader } from '../../../static/src/ledger/chain.ts';

export const SERVER_ID = sha256(utf8('a server of tests'));
export const START = 1_700_000_000_000;

export function seeded(label: string): RandomBytes {
  return seededRandom(sha256(utf8(label)));
}

/** An entry of a chain as the server would make it. */
export function placeEntry(chain: Uint8Array, sequence: number, kind: string, body: Uint8Array, time: number, salt: Uint8Array): ServedEntry {
  const content = sha256(salt, body);
  return { header: ChainHeader.encode({ chain, sequence, kind, time, length: body.length, content }), salt, body };
}

export interface Put {
  readonly name: string;
  readonly expected: number;
  readonly data: Uint8Array;
}

export type Refusal = 'conflict' | 'stale-session';

export class Account {
  entries: AccountEntry[];
  identity: LocalIdentity;
  readonly handed: PrekeyHanded[] = [];

  constructor(readonly id: Uint8Array, readonly made: NewIdentity) {
    this.entries = [...made.entries];
    this.identity = made.identity;
  }

  get fingerprint(): Uint8Array {
    return fingerprintOf(this.made.root.public);
  }

  /** A bundle with the next one-time prekey that was not handed out; without, when all were. */
  bundle(withOneTime = true): Uint8Array {
    const last = (kind: string): Uint8Array => this.entries.findLast((entry) => entry.kind === kind)!.body;
    const batches = this.entries.filter(({ kind }) => kind === 'prekey-batch').map(({ body }) => BatchEntry.decode(body));
    const free = batches.flatMap((entry) => {
      const { batch } = BatchStatement.decode(unverifiedPayload(entry.statement));
      return entry.keys.map((_, index) => ({ entry, batch, index }));
    }).find(({ batch, index }) => !this.handed.some((one) => one.batch === batch && one.index === index));
    if (free !== undefined && withOneTime) this.handed.push({ batch: free.batch, index: free.index });
    return Bundle.encode({
      account: this.entries[0]!.body,
      keys: last('keys'),
      prekey: last('prekey'),
      oneTime: free === undefined || !withOneTime ? null : oneTimeOf(free.entry, free.batch, free.index),
    });
  }
}

export async function makeAccount(name: string, batch = 4): Promise<Account> {
  const id = sha256(utf8(`account ${name}`));
  return new Account(id, await newIdentity({ server: SERVER_ID, account: id, name, now: START, batch }, seeded(`identity ${name}`)));
}

/** One thread of two accounts, and both private folders. */
export class Server {
  readonly thread: Uint8Array;
  entries: ServedEntry[] = [];
  register: Uint8Array = new Uint8Array(0);
  readonly files = new Map<string, { version: number; data: Uint8Array }>();
  #random: RandomBytes;

  constructor(readonly a: Account, readonly b: Account, label = 'server') {
    this.thread = sha256(utf8('thread'), a.id, b.id);
    this.#random = seeded(`salts ${label}`);
  }

  peerOf(account: Account): Account {
    return account === this.a ? this.b : this.a;
  }

  file(name: string): { version: number; data: Uint8Array } | null {
    return this.files.get(name) ?? null;
  }

  /** All or nothing, as docs/spec/storage.md says. */
  transact(appends: readonly Append[], puts: readonly Put[], now: number): Refusal | 'ok' {
    if (puts.some(({ name, expected }) => (this.file(name)?.version ?? 0) !== expected)) return 'conflict';
    if (appends.some(({ expected }, index) => expected !== null && expected !== this.entries.length + index)) return 'conflict';
    const register = this.#registerAfter(appends);
    if (register === null) return 'stale-session';
    for (const { kind, body } of appends) this.append(kind, body, now);
    for (const { name, expected, data } of puts) this.files.set(name, { version: expected + 1, data });
    this.register = register;
    return 'ok';
  }

  append(kind: string, body: Uint8Array, now: number): void {
    this.entries.push(placeEntry(this.thread, this.entries.length, kind, body, now, this.#random(32)));
  }

  #registerAfter(appends: readonly Append[]): Uint8Array | null {
    let register = this.register;
    for (const { kind, body } of appends) {
      if (kind === KIND_HANDSHAKE) {
        if (!equalBytes(readHandshake(body).replaces, register)) return null;
        register = sessionId(body);
      }
      const session = kind === KIND_OPENING ? OpeningEntry.decode(body).session : kind === KIND_MESSAGE ? readEnvelope(body).session : null;
      if (session !== null && !equalBytes(session, register)) return null;
    }
    return register;
  }
}

/** One browser: it holds a copy of the account's files and works on that. */
export class Browser {
  state: ThreadState;
  version = 0;
  prekeys: Prekeys;
  prekeysVersion = 0;
  readonly events: ThreadEvent[] = [];
  readonly segments: ArchiveSegment[] = [];
  readonly random: RandomBytes;
  now = START + 1_000;
  aead: NonNullable<SendContext['aead']> = 'AES-256-GCM';
  readonly peer: Account;

  constructor(readonly server: Server, readonly account: Account, readonly label: string) {
    this.peer = server.peerOf(account);
    this.state = newThread(server.thread, this.peer.id);
    this.prekeys = account.made.prekeys;
    this.random = seeded(`browser ${label}`);
  }

  get texts(): string[] {
    return this.events.flatMap((event) => (event.kind === 'Received' ? [event.content.text] : []));
  }

  #name(what: string): string {
    return `${toHex(this.account.id)}/${what}`;
  }

  /** Takes the newest files; false if they are what is held. */
  load(): boolean {
    const [session, prekeys] = [this.server.file(this.#name('session')), this.server.file(this.#name('prekeys'))];
    if (prekeys !== null) [this.prekeys, this.prekeysVersion] = [Prekeys.decode(prekeys.data), prekeys.version];
    if (session === null || session.version === this.version) return false;
    [this.state, this.version] = [loadThread(session.data), session.version];
    return true;
  }

  /** What a closed and opened browser does: everything from bytes. */
  restart(): void {
    this.state = loadThread(ThreadState.encode(this.state));
    this.prekeys = Prekeys.decode(Prekeys.encode(this.prekeys));
  }

  /** Reads what is new and saves. */
  async sync(entries: readonly ServedEntry[] = this.server.entries): Promise<ThreadEvent[]> {
    for (;;) {
      try {
        return await this.#read(entries);
      } catch (error) {
        if (error === RETRY) continue;
        if (!(error instanceof RolledBack) || !this.load()) throw error;
      }
    }
  }

  async #read(entries: readonly ServedEntry[]): Promise<ThreadEvent[]> {
    const page = entries.slice(this.state.chain.size);
    if (page.length === 0) return [];
    const result = await receive(this.state, page, await this.context());
    const puts = [{ name: this.#name('session'), expected: this.version, data: ThreadState.encode(result.state) }];
    const spent = result.prekeys !== this.prekeys;
    if (spent) puts.push({ name: this.#name('prekeys'), expected: this.prekeysVersion, data: Prekeys.encode(result.prekeys) });
    if (this.server.transact([], puts, this.now) !== 'ok') {
      this.load();
      throw RETRY;
    }
    this.version += 1;
    if (spent) this.prekeysVersion += 1;
    [this.state, this.prekeys] = [result.state, result.prekeys];
    this.segments.push(...result.segments);
    this.events.push(...result.events);
    return [...result.events];
  }

  async context(): Promise<Parameters<typeof receive>[2]> {
    const peer = await viewOf(this.peer.entries, SERVER_ID, this.peer.id);
    return { own: this.account.identity, peer, prekeys: this.prekeys, now: this.now };
  }

  async sendContext(withOneTime = true): Promise<SendContext> {
    const bundle = await openBundle(this.peer.bundle(withOneTime), { server: SERVER_ID, account: this.peer.id, pinned: this.peer.fingerprint });
    return {
      own: this.account.identity, bundle, aead: this.aead, sessionVersion: this.version + 1,
      checkpoint: { size: 7, root: new Uint8Array(32).fill(7) }, now: this.now, random: this.random,
    };
  }

  /** One try: what is to be sent was encrypted in the state that is held, whether or not it is the newest. */
  async trySend(content: Content, change: Partial<SendContext> = {}): Promise<Refusal | 'ok'> {
    const context = { ...(await this.sendContext()), ...change };
    const sent = await send(this.state, content, context);
    const put = { name: this.#name('session'), expected: this.version, data: ThreadState.encode(sent.state) };
    const answer = this.server.transact(sent.appends, [put], this.now);
    if (answer === 'ok') {
      this.state = sent.state;
      this.version += 1;
    }
    return answer;
  }

  /** Sends, as often as it takes. */
  async say(text: string, change: Partial<SendContext> = {}): Promise<void> {
    for (let tries = 0; tries < 8; tries++) {
      if ((await this.trySend({ kind: 'text', text }, change)) === 'ok') return;
      this.load();
      await this.sync();
    }
    assert.fail('no send succeeded');
  }
}

const RETRY = new Error('the files moved on');

export async function twoPeople(label: string, batch = 4): Promise<{ server: Server; alice: Browser; bob: Browser }> {
  const [a, b] = [await makeAccount(`alice ${label}`.slice(0, 32), batch), await makeAccount(`bob ${label}`.slice(0, 32), batch)];
  const server = new Server(a, b, label);
  return { server, alice: new Browser(server, a, `alice ${label}`), bob: new Browser(server, b, `bob ${label}`) };
}

/** Flips one bit of a copy. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

export { NeedsAccount, concat };
