/** How a browser judges a log that it saw before (docs/spec/e2ee.md section 7), and what it lets through meanwhile. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { EMPTY, type Frontier, append, consistencyPath, leafHash, rootOf } from '../../../static/src/ledger/merkle.ts';
import type { RestoredStatement } from '../../../static/src/ledger/restored.ts';
import { type SeenLedger } from '../../../static/src/model/device.ts';
import { Restoring, WentBack } from '../../../static/src/model/restoring.ts';
import type { ReadNews, ServerView } from '../../../static/src/model/server.ts';
import { type Evidence, type SeenLog, judge } from '../../../static/src/model/standing.ts';

/** A log of words, each a leaf. */
class Log {
  readonly words: string[];

  constructor(...words: string[]) {
    this.words = words;
  }

  grown(...words: string[]): Log {
    return new Log(...this.words, ...words);
  }

  get head(): SeenLog {
    const frontier = this.words.reduce<Frontier>((before, word) => append(before, leafHash(utf8(word))), EMPTY);
    return { size: this.words.length, root: rootOf(frontier) };
  }

  from(size: number): Uint8Array[] {
    if (size === 0 || size > this.words.length) return [];
    return consistencyPath(size, this.words.length, (level, index) => new Log(...this.words.slice(index * 2 ** level, (index + 1) * 2 ** level)).head.root);
  }
}

const COPY = new Log('genesis', 'one', 'two');
const LOST = COPY.grown('three', 'four', 'five');

function restoration(size: number, mark: number, copied = 1_000 * size): RestoredStatement {
  return { server: new Uint8Array(32), id: new Uint8Array(16).fill(mark), time: copied + 500, size, root: new Uint8Array(32), copied };
}

function evidence(seen: Log, now: Log, more: Partial<Evidence> = {}): Evidence {
  return { seen: seen.head, known: new Set(), checkpoint: now.head, consistency: now.from(seen.words.length), restorations: [], older: false, ...more };
}

const ID_7 = toHex(new Uint8Array(16).fill(7));

test('a log that goes on is fine, whatever it says of restorations', () => {
  assert.equal(judge(evidence(COPY, COPY)).kind, 'fine');
  assert.equal(judge(evidence(COPY, LOST)).kind, 'fine');
  const restored = COPY.grown('restored', 'on');
  assert.equal(judge(evidence(COPY, restored, { restorations: [restoration(3, 7)] })).kind, 'fine');
  const nothing = { size: 0, root: new Uint8Array(32) };
  assert.equal(judge(evidence(COPY, LOST, { seen: nothing, consistency: [] })).kind, 'fine');
});

test('attack 18: a log that went back is refused, smaller, equal or grown past what was seen', () => {
  for (const more of [[], ['a'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd', 'e']]) {
    assert.equal(judge(evidence(LOST, COPY.grown(...more))).kind, 'rolled-back', String(more.length));
  }
  assert.equal(judge(evidence(LOST, LOST.grown('six'), { consistency: [] })).kind, 'rolled-back');
});

test('an announced restoration is for a person to decide', () => {
  const now = COPY.grown('restored');
  assert.deepEqual(judge(evidence(LOST, now, { restorations: [restoration(3, 7)] })), { kind: 'restored', copied: 3_000, at: 3_500 });
});

test('of several restorations the oldest copy tells what is lost', () => {
  const restorations = [restoration(2, 8), restoration(3, 7)];
  assert.deepEqual(judge(evidence(LOST, COPY.grown('restored'), { restorations })), { kind: 'restored', copied: 2_000, at: 2_500 });
});

test('attack 18: a restoration excuses one going back, and no later one', () => {
  const restorations = [restoration(3, 7)];
  const known = new Set([ID_7]);
  assert.equal(judge(evidence(LOST, COPY.grown('restored'), { restorations, known })).kind, 'rolled-back');
});

test('attack 18: a restoration to what was seen, or more, excuses nothing', () => {
  for (const size of [6, 7]) {
    const now = COPY.grown('x', 'y', 'z', 'restored', 'on');
    assert.equal(judge(evidence(LOST, now, { restorations: [restoration(size, 7)] })).kind, 'rolled-back');
  }
});

test('attack 11: an older private file under a log that goes on is refused, unless a restoration is new', () => {
  assert.equal(judge(evidence(COPY, LOST, { older: true })).kind, 'rolled-back');
  const restorations = [restoration(3, 7)];
  const now = COPY.grown('restored');
  assert.equal(judge(evidence(COPY, now, { older: true, restorations })).kind, 'restored');
  assert.equal(judge(evidence(COPY, now, { older: true, restorations, known: new Set([ID_7]) })).kind, 'rolled-back');
});

/** One browser's store and one server's log, both in memory. */
class World {
  log = COPY;
  restorations: RestoredStatement[] = [];
  kept: SeenLedger | null = null;
  versions = new Map<string, number>();
  asked = 0;
  told = 0;

  visit(): Restoring {
    let checkpoint: SeenLog = { size: 0, root: new Uint8Array(32) };
    const world = this;
    const server = {
      fingerprintHex: 'aa', frozen: true, onAdvance: () => undefined,
      get checkpoint() { return checkpoint; },
      remember(seen: SeenLog) { if (seen.size > checkpoint.size) { checkpoint = seen; this.onAdvance(); } },
      goBackTo(seen: SeenLog) { checkpoint = seen; },
      news: async (news: ReadNews) => news,
    };
    const http = { getRecord: async (path: string): Promise<ReadNews> => {
      world.asked += 1;
      const { log, restorations } = world;
      return { checkpoint: log.head, consistency: log.from(Number(path.split('=')[1])), restorations };
    } };
    const device = {
      ledger: async () => world.kept,
      saveLedger: async (_key: string, seen: SeenLedger) => { world.kept = seen; },
      seenVersion: async (path: string) => world.versions.get(path) ?? 0,
      noteVersion: async (path: string, version: number) => { world.versions.set(path, version); },
      forgetVersions: async () => world.versions.clear(),
    };
    return new Restoring(http as never, server as unknown as ServerView, device, () => { world.told += 1; });
  }

  async opened(): Promise<Restoring> {
    const restoring = this.visit();
    await restoring.load();
    await restoring.check();
    return restoring;
  }

  goBack(): void {
    this.log = COPY.grown('restored');
    this.restorations = [restoration(3, 7)];
  }
}

async function seenMore(): Promise<World> {
  const world = new World();
  world.log = LOST;
  const restoring = await world.opened();
  await restoring.confirm();
  await restoring.noteVersion('file', 9);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(world.kept?.size, LOST.head.size);
  return world;
}

test('what a browser saw outlives it; with consent it begins again, once', async () => {
  const world = await seenMore();
  world.goBack();
  const later = await world.opened();
  assert.equal(later.standing.kind, 'restored');
  await assert.rejects(later.allow(), WentBack);
  // Nothing is noted of older files, and none is refused: they are read.
  await later.noteVersion('file', 3);
  assert.equal(await later.seenVersion('file'), 0);
  assert.equal(world.versions.get('file'), 9);
  // Nor does a reload agree to anything.
  assert.equal((await world.opened()).standing.kind, 'restored');
  await later.accept();
  await later.allow();
  assert.ok(later.renewing && later.fine);
  assert.equal(world.versions.size, 0);
  const again = await world.opened();
  assert.ok(again.fine && again.renewing, 'sessions are still to be renewed');
  await again.renewed();
  assert.ok(!(await world.opened()).renewing);
  // The same statement does not excuse what is lost after it.
  world.log = world.log.grown('six', 'seven');
  await (await world.opened()).confirm();
  await new Promise((resolve) => setTimeout(resolve));
  world.log = COPY.grown('restored');
  assert.equal((await world.opened()).standing.kind, 'rolled-back');
});

test('attack 18: without an announcement there is nothing to agree to', async () => {
  const world = await seenMore();
  world.log = COPY.grown('other');
  const later = await world.opened();
  assert.equal(later.standing.kind, 'rolled-back');
  await assert.rejects(later.accept(), WentBack);
  await assert.rejects(later.allow(), WentBack);
  assert.equal(world.kept?.size, LOST.head.size);
});

test('after a lost connection nothing is written before the log was looked at', async () => {
  const world = await seenMore();
  const restoring = await world.opened();
  const asked = world.asked;
  await restoring.allow();
  assert.equal(world.asked, asked);
  restoring.doubt();
  await restoring.allow();
  assert.equal(world.asked, asked + 1);
  world.goBack();
  restoring.doubt();
  await assert.rejects(restoring.allow(), WentBack);
  assert.equal(world.told, 1);
});

test('a suspicion that comes while the log is being looked at is answered by another look', async () => {
  const world = await seenMore();
  const restoring = await world.opened();
  const first = restoring.check();
  const suspected = restoring.suspect(true);
  await assert.rejects(restoring.allow(), WentBack);
  await Promise.all([first, suspected]);
  assert.equal(restoring.standing.kind, 'rolled-back');
});

test('a server that is again what it was is fine again', async () => {
  const world = await seenMore();
  world.log = COPY.grown('other');
  const restoring = await world.opened();
  world.log = LOST.grown('six');
  await restoring.check();
  assert.ok(restoring.fine);
  await restoring.allow();
  assert.equal(world.told, 2);
});

test('whoever sees a server first knows the restorations in its log', async () => {
  const world = new World();
  world.goBack();
  const restoring = await world.opened();
  assert.ok(restoring.fine && !restoring.renewing);
  await restoring.confirm();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(world.kept?.known, [ID_7]);
});
