/** The page that tests/browser/test_crypto_native.py drives: its functions are called by name. */

import { argon2id as nobleArgon2id } from '@noble/hashes/argon2.js';
import { equalBytes, utf8 } from '../../../static/src/crypto/bytes.ts';
import { argon2id } from '../../../static/src/crypto/password.ts';
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

/** Whether WebAssembly runs under the page's policy and agrees with the second library. */
async function argon2idAgrees(): Promise<boolean> {
  const [password, salt] = [utf8('password'), utf8('a salt of 16 byt')];
  const made = await argon2id(password, salt, { memoryKib: 1024, passes: 3, lanes: 1, length: 32 });
  return equalBytes(made, nobleArgon2id(password, salt, { m: 1024, t: 3, p: 1, dkLen: 32 }));
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
  argon2idAgrees,
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
