/** RFC 6962 trees against the public vectors and a naive implementation. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { equalBytes, fromHex, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { ED25519 } from '../../../static/src/crypto/signature.ts';
import { ed25519KeyId, parseCheckpoint, signatureOf } from '../../../static/src/ledger/checkpoint.ts';
import { ProofError } from '../../../static/src/ledger/errors.ts';
import {
  EMPTY, EMPTY_ROOT, type Frontier, append, consistencyPath, inclusionPath, leafHash, nodeHash, rootOf,
  verifyConsistency, verifyInclusion,
} from '../../../static/src/ledger/merkle.ts';

const read = (name: string): any => JSON.parse(readFileSync(`tests/vectors/merkle/${name}`, 'utf8'));
const base64 = (text: string | null): Uint8Array => Uint8Array.from(atob(text ?? ''), (c) => c.charCodeAt(0));

function verdict(one: any, check: () => void): void {
  if (one.wantErr) assert.throws(check, ProofError, one.id);
  else assert.doesNotThrow(check, one.id);
}

test('inclusion vectors', () => {
  const { cases } = read('inclusion_proofs.json');
  assert.ok(cases.length > 40);
  for (const one of cases) {
    verdict(one, () => verifyInclusion(
      base64(one.leafHash), one.leafIdx, one.treeSize, (one.proof ?? []).map(base64), base64(one.root)));
  }
});

test('consistency vectors', () => {
  const { cases } = read('consistency_proofs.json');
  assert.ok(cases.length > 40);
  for (const one of cases) {
    verdict(one, () => verifyConsistency(
      one.size1, one.size2, base64(one.root1), base64(one.root2), (one.proof ?? []).map(base64)));
  }
});

test('reference tree', () => {
  const tree = read('rfc6962_reference_tree.json');
  const leaves = tree.leafInputs.map(fromHex).map(leafHash);
  const frontiers = leaves.reduce((all: Frontier[], leaf: Uint8Array) => [...all, append(all.at(-1)!, leaf)], [EMPTY]);
  assert.deepEqual(frontiers.map((one: Frontier) => toHex(rootOf(one))), tree.rootsBySize);
});

function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

test('every path of small trees proves, and no other does', () => {
  const leaves = Array.from({ length: 21 }, (_, index) => leafHash(Uint8Array.of(index)));
  const node = (level: number, index: number): Uint8Array =>
    naiveRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
  for (let size = 1; size <= leaves.length; size++) {
    const root = naiveRoot(leaves.slice(0, size));
    for (let index = 0; index < size; index++) {
      const path = inclusionPath(index, size, node);
      verifyInclusion(leaves[index]!, index, size, path, root);
      assert.throws(() => verifyInclusion(leaves[index]!, index, size, [...path, root], root), ProofError);
      if (path.length === 0) continue;
      assert.throws(() => verifyInclusion(leaves[index]!, index, size, path.slice(1), root), ProofError);
      assert.throws(() => verifyInclusion(leaves[index]!, (index + 1) % size, size, path, root), ProofError);
    }
    for (let older = 1; older <= size; older++) {
      const before = naiveRoot(leaves.slice(0, older));
      const path = consistencyPath(older, size, node);
      verifyConsistency(older, size, before, root, path);
      assert.throws(() => verifyConsistency(older, size, before, root, [...path, root]), ProofError);
      assert.throws(() => verifyConsistency(older, size, EMPTY_ROOT, root, path), ProofError);
    }
  }
});

test('sizes beyond 32 bits', () => {
  const size = 2 ** 40 + 3;
  const node = (level: number, index: number): Uint8Array => leafHash(utf8(`${level} ${index}`));
  const path = inclusionPath(size - 1, size, node);
  const root = nodeHash(node(40, 0), nodeHash(node(1, 2 ** 39), node(0, size - 1)));
  verifyInclusion(node(0, size - 1), size - 1, size, path, root);
  assert.equal(path.length, 2);
});

test('a frontier that does not fit its size is refused', () => {
  for (const bad of [{ size: 1, hashes: [] }, { size: 2, hashes: [EMPTY_ROOT, EMPTY_ROOT] }, { size: 1, hashes: [new Uint8Array(3)] }]) {
    assert.throws(() => rootOf(bad), ProofError);
    assert.throws(() => append(bad, EMPTY_ROOT), ProofError);
  }
});

test('public checkpoints', async () => {
  const vectors = read('tlog_checkpoints.json');
  const [name, keyId, key] = [...vectors.vkey.split('+', 2), vectors.vkey.split('+').slice(2).join('+')];
  const publicKey = base64(key).slice(1);
  assert.equal(toHex(ed25519KeyId(name, publicKey)), keyId);
  const leaves = vectors.entries.map((entry: string) => leafHash(utf8(entry)));
  for (const one of vectors.checkpoints) {
    const signed = parseCheckpoint(utf8(one.note));
    assert.equal(signed.checkpoint.size, one.size);
    assert.ok(equalBytes(signed.checkpoint.root, naiveRoot(leaves.slice(0, one.size))));
    await ED25519.verify(publicKey, signed.text, signatureOf(signed, name, fromHex(keyId)));
  }
});
