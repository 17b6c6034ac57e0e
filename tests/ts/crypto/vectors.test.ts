/** All vector files with the portable provider; tests/browser/test_crypto_native.py runs them with the browser's own. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { useProvider } from '../../../static/src/crypto/provider.ts';
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
