// Bundles the browser's script and worker into static/dist, or (--tests) the TypeScript tests into build/tests.
import { build } from 'esbuild';
import { existsSync, readdirSync, rmSync } from 'node:fs';

const tests = process.argv.includes('--tests');
const common = { bundle: true, format: 'esm', target: 'es2022', legalComments: 'none', logLevel: 'warning' };

if (tests) {
  rmSync('build/tests', { recursive: true, force: true });
  const entryPoints = readdirSync('tests/ts', { recursive: true })
    .filter((name) => name.endsWith('.test.ts') || name === 'interop/peer.ts')
    .map((name) => `tests/ts/${name}`);
  await build({ ...common, entryPoints, outbase: 'tests/ts', outdir: 'build/tests', platform: 'node', outExtension: { '.js': '.mjs' },
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" } });
} else {
  rmSync('static/dist', { recursive: true, force: true });
  const entryPoints = ['static/src/ui/main.ts', 'static/src/ui/worker.ts'].filter((name) => existsSync(name));
  await build({ ...common, entryPoints, outdir: 'static/dist', entryNames: '[name]', chunkNames: '[name]-[hash]',
    platform: 'browser', splitting: true, minify: true, sourcemap: 'linked' });
}
