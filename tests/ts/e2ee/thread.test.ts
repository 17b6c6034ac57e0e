/** Conversations as people have them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadState } from '../../../static/src/e2ee/state.ts';
import { twoPeople } from './world.ts';

test('two people talk, turn by turn', async () => {
  const { server, alice, bob } = await twoPeople('turns');
  await alice.say('hello');
  await alice.say('are you there?');
  assert.deepEqual(server.entries.length, 5);
  const events = await bob.sync();
  assert.deepEqual(events.map(({ kind }) => kind), ['ThreadOpened', 'SessionStarted', 'Received', 'Received']);
  await bob.say('yes');
  await alice.sync();
  await alice.say('good');
  await bob.sync();
  await alice.sync();
  assert.deepEqual(bob.texts, ['hello', 'are you there?', 'good']);
  assert.deepEqual(alice.texts, ['yes']);
  assert.deepEqual(alice.events.filter(({ kind }) => kind === 'OwnMessage').length, 3);
  assert.equal(ThreadState.encode(alice.state).length < 20_000, true);
});
