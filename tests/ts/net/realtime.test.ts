/** The socket's client against a WebSocket in memory: answers by number, losses, silence, what breaks the rules. */

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { BadAnswer, RequestRefused, Unreachable } from '../../../static/src/net/errors.ts';
import { Asked, Told, following, pack, unpack } from '../../../static/src/net/frames.ts';
import { Realtime, type RealtimeEvents } from '../../../static/src/net/realtime.ts';
import { PrivateItem, Refusal, ThreadList, TransactRequest } from '../../../static/src/net/records.ts';

const NOTHING: TransactRequest = { appends: [], puts: [] };
const THREADS = ThreadList.encode({ threads: [] });
const EMPTY = new Uint8Array(0);

class Socket extends EventTarget {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  readonly sent: Uint8Array[] = [];
  readyState = 0;
  binaryType = '';

  constructor(readonly url: URL) {
    super();
    Socket.all.push(this);
  }

  static get last(): Socket {
    return Socket.all.at(-1)!;
  }

  accept(): void {
    this.readyState = Socket.OPEN;
    this.dispatchEvent(new Event('open'));
  }

  say(data: unknown): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  tell(kind: number, payload: Uint8Array, request = 0): void {
    this.say(pack(kind, request, payload).buffer);
  }

  /** The number of the last request. */
  get asked(): number {
    return unpack(this.sent.at(-1)!.slice().buffer).request;
  }

  send(data: Uint8Array): void {
    this.sent.push(data);
  }

  lose(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
  }

  close(): void {
    this.readyState = 2;
  }
}

let heard: string[] = [];
const events: RealtimeEvents = {
  online: () => void heard.push('online'),
  lost: () => void heard.push('lost'),
  entries: () => void heard.push('entries'),
  privateChanged: (item) => void heard.push(`private ${item.version}`),
  marked: () => void heard.push('mark'),
  typing: () => void heard.push('typing'),
  signedOut: () => void heard.push('signed-out'),
  badFrame: (what) => void heard.push(`bad ${what}`),
};

beforeEach(() => {
  Object.assign(globalThis, { WebSocket: Socket, location: { href: 'https://chat.example/there?q#h' } });
  Socket.all = [];
  heard = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
});

function online(): Realtime {
  const realtime = new Realtime(events);
  realtime.open();
  Socket.last.accept();
  return realtime;
}

test('opens where the page came from', () => {
  online();
  assert.equal(Socket.last.url.href, 'wss://chat.example/socket');
  assert.deepEqual(heard, ['online']);
});

test('each answer goes to who asked, in whatever order', async () => {
  const realtime = online();
  const first = realtime.sync();
  const number = Socket.last.asked;
  const second = realtime.sync();
  Socket.last.tell(Told.refused, Refusal.encode({ status: 429, kind: 'slow-down', detail: '', retryAfter: 3 }), Socket.last.asked);
  Socket.last.tell(Told.done, THREADS, number);
  assert.deepEqual(await first, { threads: [] });
  await assert.rejects(second, (error) => error instanceof RequestRefused && error.kind === 'slow-down' && error.retryAfter === 3);
});

test('who waits when the socket goes does not know', async () => {
  const realtime = online();
  const waiting = [realtime.transact(NOTHING), realtime.sync()];
  Socket.last.lose();
  for (const one of waiting) await assert.rejects(one, Unreachable);
  assert.deepEqual(heard, ['online', 'lost']);
  await assert.rejects(realtime.sync(), Unreachable);
});

test('a socket that does not answer is replaced', async () => {
  const realtime = online();
  const asked = assert.rejects(realtime.transact(NOTHING), Unreachable);
  const before = Socket.last;
  mock.timers.tick(15_000);
  await asked;
  mock.timers.tick(500);
  assert.notEqual(Socket.last, before);
  before.tell(Told.signedOut, EMPTY);
  assert.deepEqual(heard, ['online', 'lost']);
});

test('pauses grow while nothing answers, and end with a good connection', () => {
  const realtime = online();
  const pauses: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    const before = Socket.all.length;
    Socket.last.lose();
    let waited = 0;
    while (Socket.all.length === before) {
      mock.timers.tick(50);
      waited += 50;
    }
    pauses.push(waited);
  }
  for (const [at, pause] of pauses.entries()) {
    const most = Math.min(15_000, 500 * 2 ** at);
    assert.ok(pause >= most / 2 && pause <= most + 50, `${pause} of ${most}`);
  }
  Socket.last.accept();
  mock.timers.tick(10_000);
  Socket.last.lose();
  mock.timers.tick(500);
  assert.equal(Socket.all.length, 9);
  realtime.close();
});

test('a connection on which nothing is heard for a minute is lost, one with pulses is not', () => {
  online();
  for (let at = 0; at < 8; at += 1) {
    mock.timers.tick(25_000);
    Socket.last.tell(Told.pulse, EMPTY);
  }
  assert.deepEqual(heard, ['online']);
  mock.timers.tick(60_000);
  assert.deepEqual(heard, ['online', 'lost']);
});

test('a connection that never opens is given up', () => {
  new Realtime(events).open();
  mock.timers.tick(10_000);
  assert.deepEqual(heard, ['lost']);
});

test('what is told is told once, and what nobody knows is left aside', () => {
  online();
  Socket.last.tell(Told.private, PrivateItem.encode({ path: new Uint8Array(32), version: 7, size: 1 }));
  Socket.last.tell(200, new Uint8Array(5));
  Socket.last.tell(Told.pulse, EMPTY);
  Socket.last.tell(Told.signedOut, EMPTY);
  assert.deepEqual(heard, ['online', 'private 7', 'signed-out']);
});

test('what breaks the rules is named, and the connection goes on', async () => {
  const realtime = online();
  for (const data of ['text', new ArrayBuffer(4), null]) Socket.last.say(data);
  Socket.last.tell(Told.private, new Uint8Array([0xff]));
  Socket.last.tell(Told.done, THREADS, 99);
  assert.equal(heard.filter((one) => one.startsWith('bad ')).length, 5);
  const odd = realtime.sync();
  Socket.last.tell(Told.entries, THREADS, Socket.last.asked);
  await assert.rejects(odd, BadAnswer);
  const refused = realtime.sync();
  Socket.last.tell(Told.refused, new Uint8Array([1]), Socket.last.asked);
  await assert.rejects(refused, BadAnswer);
  const whole = realtime.sync();
  Socket.last.tell(Told.done, THREADS, Socket.last.asked);
  assert.deepEqual(await whole, { threads: [] });
});

test('a socket that still answers survives the network, another is replaced at once', async () => {
  const realtime = online();
  const kept = realtime.revive();
  Socket.last.tell(Told.done, THREADS, Socket.last.asked);
  await kept;
  assert.equal(Socket.all.length, 1);
  assert.deepEqual(heard, ['online', 'online']);
  const replaced = realtime.revive();
  mock.timers.tick(3_000);
  await replaced;
  assert.equal(Socket.all.length, 2);
});

test('closed is closed', () => {
  const realtime = online();
  realtime.close();
  realtime.open();
  mock.timers.tick(100_000);
  assert.equal(Socket.all.length, 1);
  assert.deepEqual(heard, ['online']);
});

test('frames: as in the specification', () => {
  assert.deepEqual([...pack(Asked.typing, 0x01020304, new Uint8Array([9]))], [3, 1, 2, 3, 4, 9]);
  assert.deepEqual(unpack(new Uint8Array([129, 0, 0, 0, 5]).buffer), { kind: 129, request: 5, payload: EMPTY });
  assert.deepEqual([following(0), following(0xffff_ffff)], [1, 1]);
});
