/** All vector files with the portable provider; tests/browser/test_crypto_native.py runs them with the browser's own. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { useProvider } from '../../../static/src/crypto/provider.ts';
import { VectorError } from './vectors/reader.ts';
import { SUITES } from './vectors/suites.ts';

const expected = JSON.parse(readFileSync('tests/ts/crypto/vectors/counts.json', 'utf8')) as Record<string, unknown>;

before(() => useProvider('portable'));

test('every suite has its expected counts', () => {
  assert.deepEqual(Object.keys(SUITES).sort(), Object.keys(expected).sort());
});

for (const [path, suite] of Object.entries(SUITES)) {
  test(path, async () => {
    const data: unknown = JSON.parse(readFileSync(`tests/vectors/${path}`, 'utf8'));
    assert.deepEqual(await suite(data), expected[path]);
  });
}

test('a file that is empty or has an unknown key fails', async () => {
  const path = 'wycheproof/x25519_test.json';
  const file = JSON.parse(readFileSync(`tests/vectors/${path}`, 'utf8')) as { testGroups: { tests: object[] }[] };
  const suite = SUITES[path]!;
  await assert.rejects(suite({ ...file, testGroups: [] }), VectorError);
  await assert.rejects(suite({ ...file, unknown: 1 }), VectorError);
  await assert.rejects(suite({ ...file, numberOfTests: 1 }), VectorError);
  const [group] = file.testGroups;
  await assert.rejects(suite({ ...file, testGroups: [{ ...group, tests: [] }] }), VectorError);
  await assert.rejects(suite({ ...file, testGroups: [{ ...group, tests: [{ ...group!.tests[0], unknown: 1 }] }] }), VectorError);
  await assert.rejects(suite({ ...file, testGroups: [{ ...group, tests: [{ ...group!.tests[0], shared: '00'.repeat(31) + '01' }] }] }), VectorError);
});
