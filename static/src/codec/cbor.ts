/** Deterministic CBOR (RFC 8949 section 4.2.1) in the subset of docs/spec/encoding.md. */

import { Tokenizer, Type, decode as cborgDecode, encode as cborgEncode } from 'cborg';
import type { DecodeOptions, DecodeTokenizer } from 'cborg/interface';
import { equalBytes } from '../crypto/bytes.ts';
import { CodecError, type Fault, MalformedData, Unencodable } from './errors.ts';

export const MAX_INT = Number.MAX_SAFE_INTEGER;
export const MAX_DEPTH = 16;

export type Value = number | Uint8Array | string | boolean | null | readonly Value[];

type Token = ReturnType<DecodeTokenizer['next']>;

const STRICT: DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  retainStringBytes: true,
};
const PERMITTED: readonly Type[] = [
  Type.uint, Type.negint, Type.bytes, Type.string, Type.array, Type.true, Type.false, Type.null,
];
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Refuses other types, deep nesting and bad UTF-8 token by token, before anything is built of them. */
class StrictTokenizer implements DecodeTokenizer {
  readonly #inner: Tokenizer;
  /** How many items each open array still lacks. */
  readonly #open: number[] = [];

  constructor(data: Uint8Array) {
    this.#inner = new Tokenizer(data, STRICT);
  }

  done(): boolean {
    return this.#inner.done();
  }

  pos(): number {
    return this.#inner.pos();
  }

  next(): Token {
    const token = this.#inner.next();
    if (!PERMITTED.includes(token.type)) throw new MalformedData('not one of the permitted types');
    // The library's decoder replaces bad UTF-8 and drops a byte order mark.
    if (token.type === Type.string && token.byteValue !== undefined) {
      token.value = textDecoder.decode(token.byteValue);
    }
    this.#count(token);
    return token;
  }

  #count(token: Token): void {
    const items = token.type === Type.array ? Number(token.value) : 0;
    if (token.type === Type.array && this.#open.length === MAX_DEPTH) {
      throw new MalformedData(`nested deeper than ${MAX_DEPTH}`);
    }
    if (this.#open.length > 0) this.#open[this.#open.length - 1]!--;
    if (token.type === Type.array) this.#open.push(items);
    while (this.#open.at(-1) === 0) this.#open.pop();
  }
}

/** The one encoding of `value`. Throws Unencodable. */
export function encode(value: Value): Uint8Array {
  check(value, Unencodable, MAX_DEPTH);
  return new Uint8Array(cborgEncode(value));
}

/** The value whose one encoding is `data`. Throws MalformedData. */
export function decode(data: Uint8Array, limit: number): Value {
  if (data.length > limit) throw new MalformedData(`longer than ${limit} bytes`);
  const value = parse(new Uint8Array(data.buffer, data.byteOffset, data.length));
  check(value, MalformedData, MAX_DEPTH);
  if (!equalBytes(cborgEncode(value), data)) throw new MalformedData('not the deterministic encoding');
  return value;
}

function parse(data: Uint8Array): Value {
  try {
    return cborgDecode(data, { ...STRICT, tokenizer: new StrictTokenizer(data) }) as Value;
  } catch (error) {
    if (error instanceof CodecError) throw error;
    // The library and the text decoder throw plain Errors, whose texts may hold content.
    throw new MalformedData('not well-formed CBOR of the permitted types');
  }
}

function check(value: unknown, fault: Fault, depth: number): void {
  if (Array.isArray(value)) {
    if (depth === 0) throw new fault(`nested deeper than ${MAX_DEPTH}`);
    for (const item of value) check(item, fault, depth - 1);
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new fault('not an integer of 53 bits');
  } else if (typeof value === 'string') {
    checkText(value, fault);
  } else if (!(value instanceof Uint8Array) && typeof value !== 'boolean' && value !== null) {
    throw new fault('not one of the permitted types');
  }
}

const textEncoder = new TextEncoder();

/** The length of `text` in UTF-8 bytes; a lone surrogate has none and is refused. */
export function checkText(text: string, fault: Fault): number {
  if (/\p{Surrogate}/u.test(text)) throw new fault('text with a lone surrogate');
  return textEncoder.encode(text).length;
}
