/** What a page must load to use cryptography: the large and rare parts stay in chunks of their own. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const FOLDER = 'static/src/crypto';
const LAZY = ['falcon.ts', 'slhdsa.ts', 'password.ts'];

interface Metafile {
  readonly outputs: Readonly<Record<string, { readonly inputs: object; readonly imports: readonly { path: string; kind: string }[]; readonly entryPoint?: string }>>;
}

/** The modules that come with `entries` by static import. */
function staticInputs(entries: readonly string[]): string[] {
  const script = `import { build } from 'esbuild';
    const { metafile } = await build({ entryPoints: ${JSON.stringify(entries)}, bundle: true, splitting: true, format: 'esm',
      write: false, metafile: true, outdir: 'unused', logLevel: 'silent' });
    process.stdout.write(JSON.stringify(metafile));`;
  const { outputs } = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })) as Metafile;
  const inputs = new Set<string>();
  const waiting = Object.keys(outputs).filter((name) => entries.includes(outputs[name]!.entryPoint ?? ''));
  for (const name of waiting) {
    for (const input of Object.keys(outputs[name]!.inputs)) inputs.add(input);
    for (const { path, kind } of outputs[name]!.imports) if (kind === 'import-statement' && !waiting.includes(path)) waiting.push(path);
  }
  return [...inputs];
}

test('Falcon, SLH-DSA and WebAssembly come only when asked for', () => {
  const entries = readdirSync(FOLDER).filter((name) => !LAZY.includes(name)).map((name) => `${FOLDER}/${name}`);
  const inputs = staticInputs(entries);
  assert.ok(inputs.includes(`${FOLDER}/signature.ts`));
  assert.deepEqual(inputs.filter((input) => /hash-wasm|slh-dsa|falcon|slhdsa|password/.test(input)), []);
  assert.ok(staticInputs([`${FOLDER}/password.ts`]).some((input) => input.includes('hash-wasm')));
});

test('only this folder imports cryptographic libraries', () => {
  const sources = readdirSync('static/src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('crypto/'));
  const importers = sources.filter((name) => /from '(?:@noble\/|hash-wasm)/.test(readFileSync(`static/src/${name}`, 'utf8')));
  assert.deepEqual(importers, []);
});
