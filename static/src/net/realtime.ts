/** The socket: transactions with an acknowledgement, and announcements of what others committed. */

import { type Socket, io } from 'socket.io-client';
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
import { decodeFrame } from './http.ts';

const ACK_TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** A connection that lasted so long was a good one: the next loss begins with a short pause again. */
const STEADY_MS = 10_000;
const PROBE_MS = 3_000;

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

/** Reconnects by itself, with growing pauses and jitter, until closed. */
export class Realtime {
  readonly #events: RealtimeEvents;
  #socket: Socket | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;
  #since = 0;
  #closed = false;

  constructor(events: RealtimeEvents) {
    this.#events = events;
  }

  get connected(): boolean {
    return this.#socket?.connected ?? false;
  }

  open(): void {
    if (this.#socket !== null || this.#closed) return;
    const socket = io({
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      timeout: 10_000,
    });
    this.#socket = socket;
    this.#listen(socket);
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.removeAllListeners();
    socket?.disconnect();
  }

  /** The network came back: a socket that still answers is kept, anything else is replaced at once. */
  async revive(): Promise<void> {
    if (this.connected) {
      try {
        await this.#ask(PROBE_MS, 'sync');
        return this.#events.online();
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
      }
    }
    this.#drop();
    this.#failures = 0;
    this.open();
  }

  async transact(request: TransactRequest): Promise<TransactResult> {
    const answer = await this.#ask(ACK_TIMEOUT_MS, 'transact', TransactRequest.encode(request));
    const bytes = answer instanceof ArrayBuffer ? new Uint8Array(answer) : answer;
    if (!(bytes instanceof Uint8Array) || bytes.length === 0) throw new BadAnswer('an empty acknowledgement');
    const rest = bytes.subarray(1);
    if (bytes[0] === 0) return decoded(TransactResult, rest);
    const refused = decoded(Refusal, rest);
    throw new RequestRefused(refused.status, refused.kind, refused.detail, refused.retryAfter);
  }

  async sync(): Promise<ThreadList> {
    return decoded(ThreadList, await this.#ask(ACK_TIMEOUT_MS, 'sync'));
  }

  typing(thread: Uint8Array): void {
    if (this.connected) this.#socket?.emit('typing', TypingSent.encode({ thread }));
  }

  async #ask(timeout: number, event: string, ...payload: Uint8Array[]): Promise<unknown> {
    const socket = this.#socket;
    if (socket === null || !socket.connected) throw new Unreachable();
    try {
      return (await socket.timeout(timeout).emitWithAck(event, ...payload)) as unknown;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // A socket that is up and does not answer is as good as none.
      if (socket === this.#socket && socket.connected) this.#lost();
      throw new Unreachable();
    }
  }

  #listen(socket: Socket): void {
    const events = this.#events;
    socket.on('connect', () => {
      this.#since = Date.now();
      events.online();
    });
    socket.on('disconnect', () => this.#lost());
    socket.on('connect_error', () => this.#lost());
    socket.on('signed-out', () => events.signedOut());
    this.#on(socket, 'entries', EntriesPage, (page) => events.entries(page));
    this.#on(socket, 'private', PrivateItem, (item) => events.privateChanged(item));
    this.#on(socket, 'mark', MarkAnnounced, (mark) => events.marked(mark));
    this.#on(socket, 'typing', TypingAnnounced, (typing) => events.typing(typing));
  }

  #on<T extends object>(socket: Socket, event: string, type: RecordType<T>, act: (record: T) => void): void {
    socket.on(event, (data: unknown) => {
      try {
        act(decodeFrame(type, data));
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
        this.#events.badFrame(`${event}: ${error.message}`);
      }
    });
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

function decoded<T extends object>(type: RecordType<T>, data: unknown): T {
  try {
    return decodeFrame(type, data);
  } catch (error) {
    if (error instanceof CodecError) throw new BadAnswer(error.message);
    throw error;
  }
}
