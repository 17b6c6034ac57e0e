/** The vectors that Python and TypeScript share (tests/vectors/project/codec.json). */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Value, decode, encode } from '../../../static/src/codec/cbor.ts';
import { CodecError, MalformedData } from '../../../static/src/codec/errors.ts';
import { openStatement, statementKeyId, verifyDetached } from '../../../static/src/codec/statement.ts';
import { concat, fromHex, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { InvalidSignature } from '../../../static/src/crypto/errors.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { type RandomBytes, seededRandom } from '../../../static/src/crypto/random.ts';
import { Sample } from './samples.ts';

const read = (name: string): any => JSON.parse(readFileSync(`tests/vectors/project/${name}`, 'utf8'));
const vectors = read('codec.json');
const typescript = read('typescript.json');

function each(cases: any[], check: (one: any) => void): void {
  assert.ok(cases.length > 0);
  for (const one of cases) {
    try {
      check(one);
    } catch (error) {
      throw new Error(one.id ?? one.data, { cause: error });
    }
  }
}

function value(plain: any): Value {
  if (Array.isArray(plain)) return plain.map(value);
  return typeof plain === 'object' && plain !== null ? fromHex(plain.hex) : plain;
}

function accepts(step: () => unknown): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (error instanceof MalformedData) return false;
    throw error;
  }
}

test('the file has no part that is not read here', () => {
  assert.deepEqual(Object.keys(vectors).sort(), [
    'accumulated', 'json_refusals', 'mutants', 'note', 'record_refusals', 'records', 'refusals',
    'statement_refusals', 'statements', 'values',
  ]);
});

test('values', () => each(vectors.values, (one) => {
  const data = fromHex(one.cbor);
  assert.equal(toHex(encode(value(one.value))), one.cbor);
  assert.deepEqual(decode(data, data.length), value(one.value));
  assert.throws(() => decode(data, data.length - 1), MalformedData);
}));

test('refusals', () => each(vectors.refusals, (one) => {
  assert.throws(() => decode(fromHex(one.data), 65_536), MalformedData);
}));

test('both languages accept the same of what was damaged', () => {
  assert.ok(vectors.mutants.some((one: any) => one.cbor && !one.record));
  each(vectors.mutants, (one) => {
    assert.equal(accepts(() => decode(fromHex(one.data), 1000)), one.cbor);
    assert.equal(accepts(() => Sample.decode(fromHex(one.data))), one.record);
  });
});

function randomValue(draw: RandomBytes, depth: number): Value {
  const [kind, size] = draw(2) as unknown as [number, number];
  const number = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  switch (kind % (depth > 0 ? 7 : 6)) {
    case 0: return number(draw(size % 7));
    case 1: return -1 - number(draw(size % 7));
    case 2: return draw(size);
    case 3:
      return Array.from({ length: size % 30 }, () => String.fromCodePoint(0x20 + (number(draw(2)) % 0x5000))).join('');
    case 4: return size % 2 === 1;
    case 5: return null;
    default: return Array.from({ length: size % 6 }, () => randomValue(draw, depth - 1));
  }
}

test('accumulated', () => {
  const draw = seededRandom(utf8(vectors.accumulated.seed));
  const parts: Uint8Array[] = [];
  for (let i = 0; i < vectors.accumulated.count; i++) {
    const drawn = randomValue(draw, 4);
    const data = encode(drawn);
    assert.deepEqual(decode(data, data.length), drawn);
    parts.push(data);
  }
  assert.equal(toHex(sha256(concat(...parts))), vectors.accumulated.sha256);
});

test('records and their JSON', () => each(vectors.records, (one) => {
  const sample = Sample.decode(fromHex(one.cbor));
  assert.equal(toHex(Sample.encode(sample)), one.cbor);
  assert.deepEqual(Sample.toJson(sample), one.json);
  assert.deepEqual(Sample.fromJson(one.json), sample);
}));

test('record refusals name the place', () => each(vectors.record_refusals, (one) => {
  const snake = (path: string): string => path.replace('chainId', 'chain_id');
  assert.throws(() => Sample.decode(fromHex(one.data)),
    (error) => error instanceof MalformedData && snake(error.path).startsWith(one.path));
}));

test('JSON refusals', () => each(vectors.json_refusals, (one) => {
  assert.throws(() => Sample.fromJson(one.json), MalformedData);
}));

test('what does not fit is refused before it is written', () => {
  const sample = Sample.decode(fromHex(vectors.records[0].cbor));
  for (const change of [
    { title: 'lone \ud800' }, { count: 2 ** 53 }, { count: -0 }, { count: 1.5 }, { wide: Number.NaN },
    { blob: new Uint8Array(0) }, { flag: undefined }, { parts: [new Uint8Array(3)] }, { inner: {} },
    { body: { kind: 'what' } }, { body: { kind: 'constructor' } }, { colour: 'green' }, { previous: undefined },
  ]) {
    assert.throws(() => Sample.encode({ ...sample, ...change } as Sample),
      (error) => error instanceof CodecError && !(error instanceof MalformedData));
  }
});

test('statements of both languages', async () => {
  const all = [...vectors.statements, ...typescript.statements];
  assert.ok(all.length >= 2);
  for (const one of all) {
    const [publicKey, payload] = [fromHex(one.public), fromHex(one.payload)];
    assert.equal(toHex(await openStatement(publicKey, one.type_name, fromHex(one.statement))), one.payload);
    assert.equal(toHex(statementKeyId(fromHex(one.statement))), one.key_id);
    const detached = fromHex(one.detached);
    await verifyDetached(publicKey, one.type_name, payload, detached);
    await assert.rejects(verifyDetached(publicKey, `${one.type_name}x`, payload, detached), InvalidSignature);
    await assert.rejects(verifyDetached(publicKey, one.type_name, publicKey, detached), InvalidSignature);
  }
});

test('statement refusals', async () => {
  assert.ok(vectors.statement_refusals.length > 0);
  for (const one of vectors.statement_refusals) {
    const opened = openStatement(fromHex(one.public), one.type_name, fromHex(one.statement));
    await assert.rejects(opened, (error: Error) => error.name === one.error, one.id);
  }
});
