/**
 * The types that a record's field can have; the table in docs/spec/encoding.md is their meaning.
 * Each checks on the way out (Unencodable) as on the way in (MalformedData).
 */

import { fromBase64url, toBase64url } from '../crypto/bytes.ts';
import { InvalidParameter } from '../crypto/errors.ts';
import { MAX_INT, type Value, checkText } from './cbor.ts';
import { type Fault, MalformedData, Unencodable, at } from './errors.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

export interface Field<T> {
  toValue(value: T): Value;
  fromValue(value: Value): T;
  toJson(value: T): Json;
  fromJson(value: unknown): T;
}

type Check<T> = (value: unknown, fault: Fault) => asserts value is T;

function scalar<T extends string | number | boolean>(check: Check<T>): Field<T> {
  const checked = (value: unknown, fault: Fault): T => {
    check(value, fault);
    return value;
  };
  return {
    toValue: (value) => checked(value, Unencodable),
    fromValue: (value) => checked(value, MalformedData),
    toJson: (value) => checked(value, Unencodable),
    fromJson: (value) => checked(value, MalformedData),
  };
}

function byteString(min: number, max: number, rule: string): Field<Uint8Array> {
  const checked = (value: unknown, fault: Fault): Uint8Array => {
    if (!(value instanceof Uint8Array)) throw new fault('not a byte string');
    if (value.length < min || value.length > max) throw new fault(rule);
    return value;
  };
  return {
    toValue: (value) => checked(value, Unencodable),
    fromValue: (value) => checked(value, MalformedData),
    toJson: (value) => toBase64url(checked(value, Unencodable)),
    fromJson: (value) => checked(readBase64url(value), MalformedData),
  };
}

function readBase64url(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw new MalformedData('not base64url');
  try {
    return fromBase64url(value);
  } catch (error) {
    if (error instanceof InvalidParameter) throw new MalformedData('not canonical base64url');
    throw error;
  }
}

/** A byte string of exactly `size` bytes. */
export function fixed(size: number): Field<Uint8Array> {
  return byteString(size, size, `not ${size} bytes`);
}

/** A byte string of `min` to `max` bytes. */
export function bytes(max: number, min = 0): Field<Uint8Array> {
  return byteString(min, max, `not ${min} to ${max} bytes`);
}

/** An integer in `min` to `max`, at most 53 bits. */
export function int(min = -MAX_INT, max = MAX_INT): Field<number> {
  return scalar<number>((value, fault) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new fault('not an integer');
    }
    if (value < min || value > max) throw new fault(`not in ${min} to ${max}`);
  });
}

/** An unsigned integer up to `max`. */
export function uint(max = MAX_INT): Field<number> {
  return int(0, max);
}

/** Text of `min` to `max` UTF-8 bytes. */
export function text(max: number, min = 0): Field<string> {
  return scalar<string>((value, fault) => {
    if (typeof value !== 'string') throw new fault('not text');
    const size = checkText(value, fault);
    if (size < min || size > max) throw new fault(`not ${min} to ${max} bytes of UTF-8`);
  });
}

export function bool(): Field<boolean> {
  return scalar<boolean>((value, fault) => {
    if (typeof value !== 'boolean') throw new fault('not true or false');
  });
}

/** One of the given texts. */
export function choice<const C extends readonly string[]>(...options: C): Field<C[number]> {
  return scalar<C[number]>((value, fault) => {
    if (typeof value !== 'string' || !options.includes(value)) throw new fault('not one of the choices');
  });
}

/** An array of `min` to `max` items. */
export function many<T>(item: Field<T>, max: number, min = 0): Field<readonly T[]> {
  const each = <A, B>(values: unknown, convert: (value: A) => B, fault: Fault): B[] => {
    if (!Array.isArray(values)) throw new fault('not an array');
    if (values.length < min || values.length > max) throw new fault(`not ${min} to ${max} items`);
    return values.map((value, index) => at(`[${index}]`, () => convert(value)));
  };
  return {
    toValue: (value) => each(value, item.toValue, Unencodable),
    fromValue: (value) => each(value, item.fromValue, MalformedData),
    toJson: (value) => each(value, item.toJson, Unencodable),
    fromJson: (value) => each(value, item.fromJson, MalformedData),
  };
}

/** Null, or the field. */
export function maybe<T>(item: Field<T>): Field<T | null> {
  return {
    toValue: (value) => (value === null ? null : item.toValue(value)),
    fromValue: (value) => (value === null ? null : item.fromValue(value)),
    toJson: (value) => (value === null ? null : item.toJson(value)),
    fromJson: (value) => (value === null ? null : item.fromJson(value)),
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
