/** What waits to be sent, in several tabs of one browser: over one store, telling each other over real channels. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fromHex } from '../../../static/src/crypto/bytes.ts';
import { ChainHeader } from '../../../static/src/ledger/chain.ts';
import type { ConversationModel } from '../../../static/src/model/conversation.ts';
import { History } from '../../../static/src/model/history.ts';
import { Outbox, type Unsent } from '../../../static/src/model/outbox.ts';
import { OUTBOX_CHANNEL, type OutboxNews, readNews } from '../../../static/src/model/outboxnews.ts';
import { renewSessions } from '../../../static/src/model/renewing.ts';
import { Timeline, shownOf } from '../../../static/src/model/timeline.ts';

const THREAD = 'ab'.repeat(32);
const LIMIT = { timeout: 20_000 };

type Store = ConstructorParameters<typeof Outbox>[0];

class MemoryStore implements Store {
  readonly kept = new Map<string, string>();

  async text(_key: CryptoKey, name: string): Promise<string | null> {
    return this.kept.get(name) ?? null;
  }

  async texts(_key: CryptoKey, prefix: string): Promise<ReadonlyMap<string, string>> {
    return new Map([...this.kept].filter(([name]) => name.startsWith(prefix)).map(([name, text]) => [name.slice(prefix.length), text]));
  }

  async saveText(_key: CryptoKey, name: string, text: string): Promise<void> {
    this.kept.set(name, text);
  }

  async removeText(name: string): Promise<void> {
    this.kept.delete(name);
  }
}

/** One tab with one conversation, before its server has said anything. */
class Tab {
  readonly outbox: Outbox;
  readonly timeline = new Timeline();
  readonly history: History;
  #heard: (thread: string) => void = () => undefined;

  constructor(t: TestContext, store: MemoryStore) {
    this.outbox = new Outbox(store, {} as CryptoKey, (thread) => this.#heard(thread));
    this.history = new History({ outbox: this.outbox } as never, { thread: fromHex(THREAD) } as never, this.timeline);
    t.after(() => this.outbox.close());
  }

  /** Resolves with the thread of the next news that came from another tab. */
  heard(): Promise<string> {
    return new Promise((resolve) => {
      this.#heard = resolve;
    });
  }

  /** Texts with their status, as the conversation shows them. */
  get shows(): readonly (readonly [text: string, status: string])[] {
    const items = this.timeline.items(this.outbox.of(THREAD), 0, this.history.early);
    return items.flatMap((item) => (item.kind === 'message' ? [[item.text, item.status] as const] : []));
  }

  /** The server tells the entries up to `sequence`; what stands there is `message`, if it can be read. */
  async reach(sequence: number, message?: Unsent): Promise<void> {
    if (message !== undefined) this.timeline.show(shownOf({ ...message, sequence }));
    for (let at = 0; at <= sequence; at += 1) {
      const header = ChainHeader.encode({ chain: fromHex(THREAD), sequence: at, kind: 'message', time: at, length: 0, content: new Uint8Array(32) });
      this.history.noteEntry({ header, salt: new Uint8Array(32), body: null });
    }
    await this.history.settleSent();
  }
}

function unsent(number: number, more: Partial<Unsent> = {}): Unsent {
  return { id: number.toString(16).padStart(32, '0'), thread: THREAD, text: `text ${number}`, written: number, failure: null, ...more };
}

/** The tab that writes, the other one, which has heard of what was written, and what they share. */
async function twoTabs(t: TestContext, ...written: Unsent[]): Promise<{ writer: Tab; other: Tab; store: MemoryStore }> {
  const store = new MemoryStore();
  const [writer, other] = [new Tab(t, store), new Tab(t, store)];
  for (const message of written) {
    const heard = other.heard();
    await writer.outbox.put(message);
    assert.equal(await heard, THREAD);
  }
  return { writer, other, store };
}

test('what another tab sent stays shown until its entry is here, and stands there once', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other, store } = await twoTabs(t, message);
  assert.deepEqual(other.shows, [['text 1', 'sending']]);
  const heard = other.heard();
  await writer.outbox.noteSent(message, 6);
  await heard;
  // The server dies here: nothing but the other tab has said anything.
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
  assert.deepEqual(other.outbox.of(THREAD), [], 'it waits no more');
  await other.reach(6, message);
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
  assert.deepEqual(other.outbox.sent(THREAD), []);
  assert.equal(store.kept.size, 0);
});

test('what its author deleted in another tab goes at once', LIMIT, async (t) => {
  const message = unsent(1, { failure: 'server-busy' });
  const { writer, other, store } = await twoTabs(t, message);
  assert.deepEqual(other.shows, [['text 1', 'failed']]);
  const heard = other.heard();
  await writer.outbox.delete(message.id);
  await heard;
  assert.deepEqual(other.shows, []);
  assert.deepEqual(other.outbox.sent(THREAD), []);
  assert.equal(store.kept.size, 0);
});

test('what was sent goes when the entries have gone past it, readable or not, and not before', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other, store } = await twoTabs(t, message);
  const heard = other.heard();
  await writer.outbox.noteSent(message, 6);
  await heard;
  await other.reach(5);
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
  await other.reach(6);
  assert.deepEqual(other.shows, []);
  assert.deepEqual(other.outbox.sent(THREAD), []);
  assert.equal(store.kept.size, 0);
});

test('news that come after the entries bring nothing back', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other } = await twoTabs(t, message);
  await other.reach(6);
  const heard = other.heard();
  await writer.outbox.noteSent(message, 6);
  await heard;
  assert.deepEqual(other.shows, []);
});

test('one tab that has the entry takes nothing from another that has not', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other, store } = await twoTabs(t, message);
  const heard = other.heard();
  await writer.outbox.noteSent(message, 6);
  await writer.reach(6, message);
  assert.equal(store.kept.size, 0);
  await heard;
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
});

test('what was sent waits no more where there is no room to note it', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other, store } = await twoTabs(t, message);
  store.saveText = async () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const heard = other.heard();
  await writer.outbox.noteSent(message, 6);
  await heard;
  assert.equal(store.kept.size, 0);
  assert.deepEqual(writer.shows, [['text 1', 'stored']]);
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
});

test('a page that is loaded in between shows what was sent, and does not send it again', LIMIT, async (t) => {
  const [first, second] = [unsent(1), unsent(2)];
  const { writer, store } = await twoTabs(t, first, second);
  await writer.outbox.noteSent(first, 6);
  const loaded = new Tab(t, store);
  await loaded.outbox.load();
  assert.deepEqual(loaded.shows, [['text 1', 'stored'], ['text 2', 'sending']]);
  assert.deepEqual(loaded.outbox.of(THREAD).map(({ id }) => id), [second.id]);
  assert.equal(await loaded.outbox.stored(first.id), null);
});

test('a tab that reads the store before it hears the news goes on showing what was sent', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other } = await twoTabs(t, message);
  // A tab that is closing tells nothing more.
  await writer.outbox.close();
  await writer.outbox.noteSent(message, 6);
  assert.deepEqual(other.shows, [['text 1', 'sending']]);
  assert.equal(await other.outbox.stored(message.id), null);
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
});

test('what is gone from the store waits for the news why, and is not sent again', LIMIT, async (t) => {
  const [sent, deleted] = [unsent(1), unsent(2)];
  const { other, store } = await twoTabs(t, sent, deleted);
  store.kept.clear();
  for (const { id } of [sent, deleted]) assert.equal(await other.outbox.stored(id), null);
  assert.deepEqual(other.outbox.of(THREAD), []);
  assert.deepEqual(other.shows, [['text 1', 'sending'], ['text 2', 'sending']]);
  const channel = new BroadcastChannel(OUTBOX_CHANNEL);
  t.after(() => channel.close());
  const news: readonly OutboxNews[] = [{ kind: 'deleted', id: deleted.id }, { kind: 'sent', id: sent.id, sequence: 6 }];
  for (const one of news) {
    const heard = other.heard();
    channel.postMessage(one);
    await heard;
  }
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
});

test('what was sent to a place that nobody knows goes with its entry', LIMIT, async (t) => {
  const message = unsent(1);
  const { writer, other } = await twoTabs(t, message);
  const heard = other.heard();
  await writer.outbox.noteSent(message, 0);
  await heard;
  await other.reach(5);
  assert.deepEqual(other.shows, [['text 1', 'sending']]);
  await other.reach(6, message);
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
  assert.deepEqual(other.outbox.sent(THREAD), []);
});

test('what was sent stands in its place, before what waits', LIMIT, async (t) => {
  const [sent, waiting] = [unsent(3), unsent(1)];
  const { writer, other } = await twoTabs(t, sent, waiting);
  other.timeline.show(shownOf({ ...unsent(4), sequence: 4 }));
  other.timeline.show(shownOf({ ...unsent(8), sequence: 8 }));
  const heard = other.heard();
  await writer.outbox.noteSent(sent, 6);
  await heard;
  assert.deepEqual(other.shows.map(([text]) => text), ['text 4', 'text 3', 'text 8', 'text 1']);
});

test('a repeat of what is shown does not stand beside it once it was sent', LIMIT, async (t) => {
  const first = unsent(1);
  const repeat = unsent(2, { text: first.text, resends: first.id });
  const { writer, other } = await twoTabs(t, repeat);
  other.timeline.show(shownOf({ ...first, sequence: 3 }));
  const heard = other.heard();
  await writer.outbox.noteSent(repeat, 6);
  await heard;
  assert.deepEqual(other.shows, [['text 1', 'stored']]);
});

test('attack 11: what was sent and lost by a server that went back is offered to be sent again', LIMIT, async (t) => {
  const [lost, there] = [unsent(1), unsent(2)];
  const { writer, store } = await twoTabs(t, lost, there);
  await writer.outbox.noteSent(lost, 6);
  await writer.outbox.noteSent(there, 5);
  const after = new Tab(t, store);
  await after.outbox.load();
  const file = { abandon: () => false, keyOf: async (id: string) => (id === there.id ? {} : null) };
  const { outbox, timeline } = after;
  await renewSessions({ services: { outbox }, hex: THREAD, timeline, file } as unknown as ConversationModel);
  assert.deepEqual(after.outbox.of(THREAD).map(({ id, failure }) => [id, failure]), [[lost.id, 'server-lost']]);
  assert.deepEqual(after.outbox.sent(THREAD).map(({ id }) => id), [there.id]);
});

test('news of another form are none', () => {
  const { id } = unsent(1);
  assert.deepEqual(readNews({ kind: 'sent', id, sequence: 6, more: 'x' }), { kind: 'sent', id, sequence: 6 });
  assert.deepEqual(readNews({ kind: 'deleted', id }), { kind: 'deleted', id });
  const others = [id, null, undefined, 7, {}, { kind: 'sent', id }, { kind: 'sent', id, sequence: -1 }, { kind: 'sent', id, sequence: 0.5 },
    { kind: 'sent', id, sequence: '6' }, { kind: 'gone', id }, { kind: 'changed', id: 'x' }, { kind: 'changed', id: [id] }];
  for (const other of others) assert.equal(readNews(other), null);
});
