/** The project's own vectors, which Python writes and both languages must reach. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { toHex } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { useProvider } from '../../../static/src/crypto/provider.ts';
import { seededRandom } from '../../../static/src/crypto/random.ts';
import { edgePointVerdicts } from './vectors/others.ts';
import { Fields } from './vectors/reader.ts';

before(() => useProvider('portable'));

function read(path: string): unknown {
  return JSON.parse(readFileSync(`tests/vectors/${path}`, 'utf8'));
}

test('the seeded stream is the same in both languages', () => {
  const file = new Fields(read('project/seeded_random.json'), ['seed', 'length', 'sha256']);
  const stream = seededRandom(file.hex('seed'))(file.number('length'));
  assert.equal(toHex(sha256(stream)), file.text('sha256'));
});

test('Ed25519 edge points have the same verdicts in both languages', async () => {
  const file = new Fields(read('project/ed25519_edge_points_verdicts.json'), ['source', 'rule', 'cases', 'accepted']);
  const verdicts = await edgePointVerdicts(read(file.text('source')));
  assert.equal(verdicts.size, file.number('cases'));
  const accepted = [...verdicts].filter(([, isAccepted]) => isAccepted).map(([number]) => number);
  assert.deepEqual(accepted.sort((a, b) => a - b), file.list('accepted'));
});
