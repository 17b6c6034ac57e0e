import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHORTEST } from '../../../static/src/model/password.ts';
import { plannedSteps } from '../../../static/src/ui/auth/work.ts';
import { SECTIONS, formatRoute, parseRoute } from '../../../static/src/ui/router.ts';
import { SHORTEST_PASSWORD, passwordStrength } from '../../../static/src/ui/text/strength.ts';
import { checkWorkerUrl } from '../../../static/src/ui/trusted.ts';

const THREAD = 'ab'.repeat(32);

test('addresses name a view and nothing but a thread id', () => {
  for (const route of [{ view: 'list' }, { view: 'conversation', thread: THREAD, details: false }, { view: 'conversation', thread: THREAD, details: true },
    { view: 'settings', section: null }, ...SECTIONS.map((section) => ({ view: 'settings', section }) as const)] as const) {
    assert.deepEqual(parseRoute(formatRoute(route)), route);
  }
});

test('any other address is the list', () => {
  for (const hash of ['', '#', '#/', '#/c', '#/c/', '#/c/xyz', `#/c/${THREAD}0`, `#/c/${THREAD.toUpperCase()}`, `#/c/${THREAD}/details/more`, '#/../c', '#javascript:alert(1)']) {
    assert.deepEqual(parseRoute(hash), { view: 'list' }, hash);
  }
  assert.deepEqual(parseRoute('#/settings/unknown'), { view: 'settings', section: null });
});

test('the hint on a password goes by its length', () => {
  assert.equal(passwordStrength(''), 'empty');
  assert.equal(passwordStrength('a1b2c3d'), 'short');
  assert.equal(passwordStrength('kq7wmzxp'), 'weak');
  assert.equal(passwordStrength('ferry-lamp-5'), 'fair');
  assert.equal(passwordStrength('ferry lamp boats'), 'good');
  assert.equal(passwordStrength('ferry lamp boats maps'), 'strong');
});

test('repetition, rows of letters and the name count for nothing', () => {
  assert.equal(passwordStrength('aaaaaaaaaaaaaaaaaaaaaaaa'), 'weak');
  assert.equal(passwordStrength('abcdefghijklmnopqrstuvwx'), 'weak');
  assert.equal(passwordStrength('abababababababababababab'), 'weak');
  assert.equal(passwordStrength('Marta.Vidal-harbour-9', 'marta.vidal'), 'weak');
});

test('the shortest password is the one that the application takes', () => assert.equal(SHORTEST_PASSWORD, SHORTEST));

test('steps of long work keep their plan and take in what is not planned', () => {
  assert.deepEqual(plannedSteps('sign-in', []), ['deriving', 'signing-in', 'opening-vault', 'loading']);
  assert.deepEqual(plannedSteps('sign-in', ['deriving', 'making-keys']), ['deriving', 'making-keys', 'signing-in', 'opening-vault', 'loading']);
  assert.deepEqual(plannedSteps('other', ['deriving', 're-encrypting']), ['deriving', 're-encrypting']);
});

test('attack_16: only the worker of this origin gets a script address', () => {
  const page = 'https://chat.example/#/c/1';
  assert.equal(checkWorkerUrl('/static/dist/worker.js', page), 'https://chat.example/static/dist/worker.js');
  assert.equal(checkWorkerUrl('https://chat.example/static/0f/dist/worker.js', page), 'https://chat.example/static/0f/dist/worker.js');
  for (const address of ['https://evil.example/static/dist/worker.js', '//evil.example/static/dist/worker.js', 'data:text/javascript,1', 'blob:https://chat.example/1',
    'javascript:1', '/static/dist/main.js', '/static/../upload/worker.js', '/api/worker.js', '/static/dist/worker.js/../../x.js']) {
    assert.throws(() => checkWorkerUrl(address, page), TypeError, address);
  }
});
