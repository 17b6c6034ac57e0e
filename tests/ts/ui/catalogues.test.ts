import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CATALOGUES, type Key, isKey, pickLanguage, regionalTag, rich, setLanguage, t } from '../../../static/src/ui/i18n/language.ts';

const FOLDER = 'static/src/ui';
const sources = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !/i18n[/\\](?:en|es)\.ts$/.test(name))
  .map((name) => readFileSync(`${FOLDER}/${name}`, 'utf8'));
const keys = Object.keys(CATALOGUES.en) as Key[];
const areas = new Set(keys.map((key) => key.split('.')[0]));

/** Keys written out in the views, and the beginnings of those that are put together. */
function used(): { readonly written: ReadonlySet<string>; readonly begun: ReadonlySet<string> } {
  const written = new Set<string>();
  const begun = new Set<string>();
  for (const source of sources) {
    for (const [, key = ''] of source.matchAll(/'([a-zA-Z]+(?:\.[\w-]+)+)'/g)) if (areas.has(key.split('.')[0])) written.add(key);
    for (const [, beginning = ''] of source.matchAll(/`([a-zA-Z]+\.(?:[\w-]+\.)*)\$\{/g)) if (areas.has(beginning.split('.')[0])) begun.add(beginning);
  }
  return { written, begun };
}

function forms(entry: (typeof CATALOGUES)['en'][Key]): readonly string[] {
  return typeof entry === 'string' ? [entry] : [entry.one, entry.other];
}

function placeholders(text: string): readonly string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name).sort();
}

test('the views were read', () => {
  assert.ok(sources.length > 30);
  assert.ok(used().written.size > 150);
});

test('every catalogue has the same keys, none empty, with the same placeholders', () => {
  for (const [name, catalogue] of Object.entries(CATALOGUES)) {
    assert.deepEqual(Object.keys(catalogue), keys, name);
    for (const key of keys) {
      assert.equal(typeof catalogue[key], typeof CATALOGUES.en[key], `${name} ${key}`);
      for (const [at, form] of forms(catalogue[key]).entries()) {
        assert.ok(form.trim() !== '' && form === form.trim(), `${name} ${key}`);
        assert.deepEqual(placeholders(form), placeholders(forms(CATALOGUES.en[key])[at] ?? ''), `${name} ${key}`);
      }
    }
  }
});

test('every key that a view uses exists', () => {
  const missing = [...used().written].filter((key) => !isKey(key));
  assert.deepEqual(missing, []);
  for (const beginning of used().begun) assert.ok(keys.some((key) => key.startsWith(beginning)), beginning);
});

test('every key of the catalogue is used by a view', () => {
  const { written, begun } = used();
  const idle = keys.filter((key) => !written.has(key) && ![...begun].some((beginning) => key.startsWith(beginning)));
  assert.deepEqual(idle, []);
});

test('the two languages really differ', () => {
  const same = keys.filter((key) => forms(CATALOGUES.en[key]).join() === forms(CATALOGUES.es[key]).join());
  assert.ok(same.length < 15, same.join());
});

test('a language is picked by the wish, then by the browser, else English', () => {
  assert.equal(pickLanguage('es', ['en-GB']), 'es');
  assert.equal(pickLanguage('auto', ['de-DE', 'es-MX', 'en']), 'es');
  assert.equal(pickLanguage('auto', ['de']), 'en');
  assert.equal(pickLanguage('auto', []), 'en');
  assert.equal(regionalTag('es', ['en-GB', 'es-MX']), 'es-MX');
  assert.equal(regionalTag('en', ['de']), 'en');
});

test('values and plurals are filled in, in the language that is on', () => {
  setLanguage('en');
  assert.equal(t('app.unread', { n: 1 }), '1 unread message');
  assert.equal(t('app.unread', { n: 1200 }), '1,200 unread messages');
  assert.equal(t('block.title', { name: '{n}' }), 'Block {n}?');
  setLanguage('es');
  assert.equal(t('app.unread', { n: 2 }), '2 mensajes sin leer');
  const name = { template: true };
  assert.deepEqual(rich('request.title', { name }), ['', name, ' quiere escribirse contigo']);
  setLanguage('en');
});
