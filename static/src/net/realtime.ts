/** The socket: transactions with an acknowledgement, and announcements of what others committed. */

import {
  EntriesPage,
  MarkAnnounced,
  PrivateItem,
  Refusal,
  ThreadList,
  TransactRequest,
  TransactResult,
  TypingAnnounced,
  TypingSent,
} from './records.ts';
import { CodecError, type RecordType } from '../codec/schema.ts';
import { BadAnswer, RequestRefused, Unreachable } from './errors.ts';
import { Asked, type Message, NOBODY_WAITS, Told, following, pack, unpack } from './frames.ts';
import { decodeFrame } from './http.ts';

const OPEN_TIMEOUT_MS = 10_000;
const ACK_TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** A connection that lasted so long was a good one: the next loss begins with a short pause again. */
const STEADY_MS = 10_000;
const PROBE_MS = 3_000;
/** The server says something at least every 25 seconds: a connection that is silent for so long is lost. */
const SILENCE_MS = 60_000;
const NOTHING = new Uint8Array(0);

export interface RealtimeEvents {
  online(): void;
  /** `retryAt` in ms since the epoch. */
  lost(retryAt: number): void;
  entries(page: EntriesPage): void;
  privateChanged(item: PrivateItem): void;
  marked(mark: MarkAnnounced): void;
  typing(typing: TypingAnnounced): void;
  signedOut(): void;
  /** A frame that breaks the API's rules; the connection goes on. */
  badFrame(what: string): void;
}

interface Waiting {
  readonly timer: ReturnType<typeof setTimeout>;
  granted(payload: Uint8Array): void;
  failed(error: Error): void;
}

/** Reconnects by itself, with growing pauses and jitter, until closed. */
export class Realtime {
  readonly #events: RealtimeEvents;
  readonly #waiting = new Map<number, Waiting>();
  #socket: WebSocket | null = null;
  #request = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #watch: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;
  #since = 0;
  #heard = 0;
  #closed = false;

  constructor(events: RealtimeEvents) {
    this.#events = events;
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open(): void {
    if (this.#socket !== null || this.#closed) return;
    const socket = new WebSocket(address());
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#watch = setTimeout(() => this.#lost(), OPEN_TIMEOUT_MS);
    this.#listen(socket);
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  /** Lets go of the socket; who waits for an answer does not know what became of the request. */
  #drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#timer = this.#watch = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const waiting of [...this.#waiting.values()]) waiting.failed(new Unreachable());
  }

  /** The network came back: a socket that still answers is kept, anything else is replaced at once. */
  async revive(): Promise<void> {
    if (this.connected) {
      try {
        await this.#ask(PROBE_MS, Asked.sync);
        return this.#events.online();
      } catch (error) {
        if (error instanceof RequestRefused) return this.#events.online();
        if (!(error instanceof Unreachable)) throw error;
      }
    }
    this.#drop();
    this.#failures = 0;
    this.open();
  }

  async transact(request: TransactRequest): Promise<TransactResult> {
    return decoded(TransactResult, await this.#ask(ACK_TIMEOUT_MS, Asked.transact, TransactRequest.encode(request)));
  }

  async sync(): Promise<ThreadList> {
    return decoded(ThreadList, await this.#ask(ACK_TIMEOUT_MS, Asked.sync));
  }

  typing(thread: Uint8Array): void {
    if (this.connected) this.#socket?.send(pack(Asked.typing, NOBODY_WAITS, TypingSent.encode({ thread })));
  }

  /** The answer's payload. Throws RequestRefused, Unreachable or BadAnswer. */
  async #ask(timeout: number, kind: Asked, payload: Uint8Array = NOTHING): Promise<Uint8Array> {
    const socket = this.#socket;
    if (socket === null || !this.connected) throw new Unreachable();
    const request = this.#request = following(this.#request);
    return await new Promise((resolve, reject) => {
      const settle = <T>(act: (value: T) => void) => (value: T): void => {
        clearTimeout(timer);
        this.#waiting.delete(request);
        act(value);
      };
      // A socket that is up and does not answer is as good as none; losing it fails all that wait.
      const timer = setTimeout(() => this.#lost(), timeout);
      this.#waiting.set(request, { timer, granted: settle(resolve), failed: settle(reject) });
      socket.send(pack(kind, request, payload));
    });
  }

  #listen(socket: WebSocket): void {
    const current = (act: (event: Event) => void) => (event: Event): void => {
      if (socket === this.#socket) act(event);
    };
    socket.addEventListener('open', current(() => this.#opened()));
    socket.addEventListener('close', current(() => this.#lost()));
    socket.addEventListener('message', current((event) => this.#received((event as MessageEvent<unknown>).data)));
  }

  #opened(): void {
    this.#since = this.#heard = Date.now();
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#listenOn(SILENCE_MS);
    this.#events.online();
  }

  /** Looks again when the silence could have lasted too long. */
  #listenOn(wait: number): void {
    this.#watch = setTimeout(() => {
      const left = this.#heard + SILENCE_MS - Date.now();
      if (left > 0) this.#listenOn(left);
      else this.#lost();
    }, wait);
  }

  #received(data: unknown): void {
    this.#heard = Date.now();
    try {
      const message = unpack(data);
      if (message.request === NOBODY_WAITS) this.#told(message);
      else this.#answered(message);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#events.badFrame(error.message);
    }
  }

  #answered({ kind, request, payload }: Message): void {
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) return this.#events.badFrame('an answer to what was not asked');
    if (kind === Told.done) return waiting.granted(payload);
    waiting.failed(kind === Told.refused ? refusal(payload) : new BadAnswer('an answer of no known kind'));
  }

  #told({ kind, payload }: Message): void {
    const events = this.#events;
    if (kind === Told.entries) events.entries(decodeFrame(EntriesPage, payload));
    else if (kind === Told.private) events.privateChanged(decodeFrame(PrivateItem, payload));
    else if (kind === Told.mark) events.marked(decodeFrame(MarkAnnounced, payload));
    else if (kind === Told.typing) events.typing(decodeFrame(TypingAnnounced, payload));
    else if (kind === Told.signedOut) events.signedOut();
  }

  #lost(): void {
    if (this.#since > 0 && Date.now() - this.#since >= STEADY_MS) this.#failures = 0;
    this.#since = 0;
    const pause = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#drop();
    const wait = pause * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.open();
    }, wait);
    this.#events.lost(Date.now() + wait);
  }
}

function address(): URL {
  const url = new URL('/socket', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

function refusal(payload: Uint8Array): Error {
  try {
    const { status, kind, detail, retryAfter } = decodeFrame(Refusal, payload);
    return new RequestRefused(status, kind, detail, retryAfter);
  } catch (error) {
    if (error instanceof CodecError) return new BadAnswer(error.message);
    throw error;
  }
}

function decoded<T extends object>(type: RecordType<T>, data: unknown): T {
  try {
    return decodeFrame(type, data);
  } catch (error) {
    if (error instanceof CodecError) throw new BadAnswer(error.message);
    throw error;
  }
}
