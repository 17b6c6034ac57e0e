/**
 * Prints tests/vectors/project/e2ee_typescript.json: scenarios of the end-to-end protocol, for both
 * languages to check. Bundle with esbuild and run from the repository's root, the output into that file.
 */

import { generate } from '../e2ee/scenarios.ts';

const file = { source: 'tests/ts/e2ee/scenarios.ts', operations: 'tests/ts/e2ee/operations.ts', scenarios: await generate() };
process.stdout.write(`${JSON.stringify(file, null, 1)}\n`);
