/** The vectors that Python and TypeScript share (tests/vectors/project/ledger.json). */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import {
  type ChainState, checkContent, headOf, nextState, readHeader, startChain, verifyPage,
} from '../../../static/src/ledger/chain.ts';
import { verifyCheckpoint } from '../../../static/src/ledger/checkpoint.ts';
import { readGenesisLeaf, readLogLeaf, serverIdentity, writeLogLeaf } from '../../../static/src/ledger/log.ts';
import {
  MapProof, chainLabel, headValue, nameLabel, nameValue, verifyAbsent, verifyIncluded,
} from '../../../static/src/ledger/map.ts';
import { HeadProof, Receipt, verifyHead, verifyReceipt } from '../../../static/src/ledger/receipt.ts';
import { Restoration, RestoredStatement, verifyRestoration } from '../../../static/src/ledger/restored.ts';

const vectors: any = JSON.parse(readFileSync('tests/vectors/project/ledger.json', 'utf8'));
const typescript: any = JSON.parse(readFileSync('tests/vectors/project/typescript.json', 'utf8'));
const server = fromHex(vectors.server);

function each(cases: any[], check: (one: any) => void): void {
  assert.ok(cases.length > 0);
  for (const one of cases) {
    try {
      check(one);
    } catch (error) {
      throw new Error(one.id, { cause: error });
    }
  }
}

async function eachRefused(cases: any[], check: (one: any) => Promise<unknown>): Promise<void> {
  assert.ok(cases.length > 0);
  for (const one of cases) {
    await assert.rejects(check(one), (error: Error) => error.name === one.error, `${one.id}: ${one.error}`);
  }
}

test('the file has no part that is not read here', () => {
  assert.deepEqual(Object.keys(vectors).sort(), [
    'chain_refusals', 'chains', 'checkpoint_refusals', 'checkpoints', 'contents', 'genesis', 'head_refusals',
    'heads', 'labels', 'leaf', 'map_proofs', 'map_refusals', 'note', 'origin', 'pages', 'receipt_refusals',
    'receipts', 'restoration_refusals', 'restorations', 'restored_head', 'server',
  ]);
});

test('labels and values', () => {
  const { labels } = vectors;
  assert.equal(toHex(chainLabel(fromHex(labels.chain))), labels.chain_label);
  assert.equal(toHex(headValue(labels.size, fromHex(labels.root))), labels.head_value);
  assert.equal(toHex(nameLabel(fromHex(labels.salt), labels.skeleton)), labels.name_label);
  assert.equal(toHex(nameValue(fromHex(labels.chain))), labels.name_value);
});

test('log leaves', () => {
  const genesis = readGenesisLeaf(fromHex(vectors.genesis));
  assert.equal(toHex(genesis.server), toHex(serverIdentity(server)));
  assert.equal(toHex(writeLogLeaf(readLogLeaf(fromHex(vectors.leaf)))), vectors.leaf);
  assert.throws(() => readLogLeaf(fromHex(vectors.genesis)), { name: 'MalformedData' });
  assert.throws(() => readLogLeaf(fromHex(`${vectors.leaf}00`)), { name: 'MalformedData' });
});

test('chains', () => each(vectors.chains, (one) => {
  let state = startChain(fromHex(one.chain));
  const roots = [toHex(headOf(state).root)];
  for (const header of one.headers) {
    state = nextState(state, readHeader(fromHex(header)));
    roots.push(toHex(headOf(state).root));
  }
  assert.deepEqual(roots, one.roots);
}));

function follow(one: any): ChainState {
  const headers = one.headers.map((header: string) => readHeader(fromHex(header)));
  const head = { size: one.size, root: fromHex(one.root) };
  return verifyPage(startChain(fromHex(one.chain)), headers, head, one.consistency.map(fromHex));
}

test('pages', () => each(vectors.pages, (one) => {
  assert.equal(follow(one).frontier.size, one.headers.length);
}));

test('chain refusals', () => eachRefused(vectors.chain_refusals, async (one) => follow(one)));

test('contents', () => each(vectors.contents, (one) => {
  const check = (): void => checkContent(readHeader(fromHex(one.header)), fromHex(one.salt), fromHex(one.body));
  if (one.error === null) check();
  else assert.throws(check, { name: one.error });
}));

function verifyMap(one: any): void {
  const proof = MapProof.decode(fromHex(one.proof));
  if (one.value === null) verifyAbsent(fromHex(one.root), fromHex(one.label), proof);
  else verifyIncluded(fromHex(one.root), fromHex(one.label), fromHex(one.value), proof);
}

test('map proofs', () => each(vectors.map_proofs, verifyMap));

test('map refusals', () => eachRefused(vectors.map_refusals, async (one) => verifyMap(one)));

test('checkpoints', async () => {
  for (const one of [...vectors.checkpoints, ...typescript.checkpoints]) {
    const publicKey = one.public === undefined ? server : fromHex(one.public);
    const checkpoint = await verifyCheckpoint(utf8(one.note), one.origin ?? vectors.origin, publicKey);
    assert.equal(checkpoint.size, one.size);
    assert.equal(toHex(checkpoint.root), one.root);
  }
});

test('checkpoint refusals', () => eachRefused(vectors.checkpoint_refusals, (one) =>
  verifyCheckpoint(utf8(one.note), vectors.origin, server)));

test('receipts', async () => {
  assert.ok(vectors.receipts.length > 0);
  for (const one of vectors.receipts) {
    const shown = await verifyReceipt(Receipt.decode(fromHex(one.receipt)), server, vectors.origin);
    assert.equal(toHex(shown.header.chain), one.chain);
    assert.equal(shown.header.sequence, one.sequence);
    assert.equal(shown.head.size, one.chain_size);
    assert.equal(shown.time, one.time);
    assert.equal(shown.checkpoint.size, one.log_size);
  }
});

test('receipt refusals', () => eachRefused(vectors.receipt_refusals, (one) =>
  verifyReceipt(Receipt.decode(fromHex(one.receipt)), server, vectors.origin)));

test('head proofs', async () => {
  assert.ok(vectors.heads.length > 0);
  for (const one of vectors.heads) {
    const proof = HeadProof.decode(fromHex(one.proof));
    const shown = await verifyHead(proof, server, vectors.origin);
    assert.deepEqual(shown.head, { size: proof.size, root: proof.root });
    assert.equal(shown.checkpoint.size, one.log_size);
  }
});

test('head refusals', () => eachRefused(vectors.head_refusals, (one) =>
  verifyHead(HeadProof.decode(fromHex(one.proof)), server, vectors.origin)));

async function readRestoration(one: any): Promise<RestoredStatement> {
  const checkpoint = await verifyCheckpoint(utf8(one.checkpoint), vectors.origin, server);
  const id = sha256(utf8('securemsg/server-id/1'), server);
  return verifyRestoration(Restoration.decode(fromHex(one.restoration)), checkpoint, server, id);
}

test('restorations', async () => {
  assert.ok(vectors.restorations.length > 0);
  for (const one of vectors.restorations) {
    assert.equal(toHex(RestoredStatement.encode(await readRestoration(one))), one.said);
  }
});

test('restoration refusals', () => eachRefused(vectors.restoration_refusals, readRestoration));

test('a head may stand under a restored leaf', async () => {
  const { proof, time } = vectors.restored_head;
  const shown = await verifyHead(HeadProof.decode(fromHex(proof)), server, vectors.origin);
  assert.equal(shown.time, time);
});
