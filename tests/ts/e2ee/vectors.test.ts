/** The scenarios of both languages: every operation gives what the file says, refusals included. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { OPERATIONS, type Scenario, run } from './operations.ts';
import { generate } from './scenarios.ts';

const KEYS = ['name', 'operation', 'reason', 'inputs', 'expected'];

function scenarios(name: string): Scenario[] {
  const found = (JSON.parse(readFileSync(`tests/vectors/project/${name}`, 'utf8')) as { scenarios: Scenario[] }).scenarios;
  assert.ok(found.length > 0, `${name} is empty`);
  for (const scenario of found) assert.deepEqual(Object.keys(scenario).sort(), [...KEYS].sort(), `${name} has unknown keys`);
  return found;
}

for (const name of ['e2ee_python.json', 'e2ee_typescript.json']) {
  const found = scenarios(name);
  for (const scenario of found) {
    test(`${name}: ${scenario.name}`, async () => {
      assert.deepEqual(await run(scenario.operation, scenario.inputs), scenario.expected);
    });
  }
  test(`${name}: every operation has a scenario that succeeds`, () => {
    const done = new Set(found.filter(({ expected }) => !('error' in expected)).map(({ operation }) => operation));
    assert.deepEqual([...done].sort(), Object.keys(OPERATIONS).sort());
  });
}

test('e2ee_typescript.json is what the generator writes', async () => {
  assert.deepEqual(await generate(), scenarios('e2ee_typescript.json'));
});
