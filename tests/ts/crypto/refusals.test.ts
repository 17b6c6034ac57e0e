/** The refusals with the portable provider. */

import { before, test } from 'node:test';
import { useProvider } from '../../../static/src/crypto/provider.ts';
import { REFUSALS } from './refusals.ts';

before(() => useProvider('portable'));

for (const [name, check] of Object.entries(REFUSALS)) test(name, check);
