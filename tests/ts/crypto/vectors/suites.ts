/** Every vector file of these algorithms, by its path below tests/vectors/. */

import { ACVP } from './acvp.ts';
import { OTHERS } from './others.ts';
import { PROJECT } from './project.ts';
import type { Suite } from './reader.ts';
import { WYCHEPROOF } from './wycheproof.ts';

export const SUITES: Readonly<Record<string, Suite>> = { ...WYCHEPROOF, ...ACVP, ...OTHERS, ...PROJECT };
