import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../../static/src/crypto/bytes.ts';
import {
  type Infer, MalformedData, Unencodable, bool, bytes, fixed, int, many, maybe, nested, record, text, union,
} from '../../../static/src/codec/schema.ts';

const Inner = record('Inner', { a: int(-5, 5) });
const Note = record('Note', { text: text(64) });
const Outer = record('Outer', {
  chainSize: fixed(4),
  parts: many(fixed(2), 64),
  previous: maybe(bytes(32)),
  inner: nested(Inner),
  body: union({ text: Note, in: Inner }),
  other: maybe(union({ text: Note, in: Inner })),
  flag: bool(),
});
type Outer = Infer<typeof Outer>;

const outer: Outer = {
  chainSize: fromHex('61626364'),
  parts: [fromHex('7878'), fromHex('7979')],
  previous: null,
  inner: { a: -3 },
  body: { kind: 'text', text: '\ufeffhé' },
  other: { kind: 'in', a: 2 },
  flag: true,
};
const encoded = '87446162636482427878427979f6812282647465787466efbbbf68c3a98262696e02f5';

test('a record is an array of its fields, a union has its tag first, a byte order mark stays', () => {
  assert.equal(toHex(Outer.encode(outer)), encoded);
  assert.deepEqual(Outer.decode(fromHex(encoded)), outer);
});

test('JSON has snake_case names, base64url and the kind', () => {
  const json = Outer.toJson(outer);
  assert.deepEqual(json, {
    chain_size: 'YWJjZA', parts: ['eHg', 'eXk'], previous: null, inner: { a: -3 },
    body: { kind: 'text', text: '\ufeffhé' }, other: { kind: 'in', a: 2 }, flag: true,
  });
  assert.deepEqual(Outer.fromJson(JSON.parse(JSON.stringify(json))), outer);
  for (const bad of [
    { ...json, more: 1 }, { ...json, chain_size: 'YWJjZB' }, { ...json, chain_size: 'YWJjZA==' },
    { ...json, flag: 1 }, { ...json, inner: { a: 1.5 } }, { ...json, body: { text: 'x' } },
    { ...json, body: { kind: 'toString', text: 'x' } }, [], null,
  ]) {
    assert.throws(() => Outer.fromJson(bad), MalformedData);
  }
});

test('an error names the place and the rule, never the content', () => {
  assert.throws(() => Outer.decode(fromHex(`${encoded.slice(0, -2)}01`)),
    (error: Error) => error instanceof MalformedData && error.message === 'Outer.flag: not true or false');
  assert.throws(() => Outer.encode({ ...outer, parts: [fromHex('7878'), fromHex('797979')] }),
    (error: Error) => error instanceof Unencodable && error.message === 'Outer.parts[1]: not 2 bytes');
});

test('a truncated or lengthened encoding is refused', () => {
  for (let size = 0; size < encoded.length; size += 2) {
    assert.throws(() => Outer.decode(fromHex(encoded.slice(0, size))), MalformedData);
  }
  assert.throws(() => Outer.decode(fromHex(`${encoded}00`)), MalformedData);
  assert.throws(() => Outer.decode(fromHex(encoded), 10), MalformedData);
});
