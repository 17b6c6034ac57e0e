/** The page that tests/browser/test_crypto_native.py drives: its functions are called by name. */

import { probe, useProvider } from '../../../static/src/crypto/provider.ts';
import { differingEdgePoints, INTEROP } from './interop.ts';
import { REFUSALS } from './refusals.ts';
import { storeKeys, useStoredKeys, watchMadeKeys } from './stored_keys.ts';
import type { Counts } from './vectors/reader.ts';
import { SUITES } from './vectors/suites.ts';

async function vectorFile(path: string): Promise<unknown> {
  const response = await fetch(`vectors/${path}`);
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return response.json();
}

async function runSuite(path: string): Promise<Counts> {
  const suite = SUITES[path];
  if (suite === undefined) throw new Error(`no suite for ${path}`);
  useProvider('native');
  return suite(await vectorFile(path));
}

async function runAll(checks: Readonly<Record<string, () => Promise<void>>>): Promise<string[]> {
  const passed: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (error) {
      throw new Error(`${name}: ${String(error)}`, { cause: error });
    }
    passed.push(name);
  }
  return passed;
}

Object.assign(globalThis, {
  probed: async () => [...(await probe())].sort(),
  suites: () => Object.keys(SUITES).sort(),
  runSuite,
  runInterop: () => runAll(INTEROP),
  runRefusals: () => {
    useProvider('native');
    return runAll(REFUSALS);
  },
  differingEdgePoints: async () => differingEdgePoints(await vectorFile('cctv/ed25519_edge_points.json')),
  storeKeys,
  useStoredKeys,
  watchMadeKeys,
});
