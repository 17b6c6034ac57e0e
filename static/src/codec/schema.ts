/**
 * Records whose fields say how they are written (docs/spec/encoding.md).
 *
 *   export const Greeting = record('Greeting', { to: fixed(32), note: maybe(text(64)) });
 *   export type Greeting = Infer<typeof Greeting>;
 *   Greeting.encode(greeting); Greeting.decode(bytes, 4096);
 */

import { type Value, decode, encode } from './cbor.ts';
import { Unencodable, MalformedData, at } from './errors.ts';
import { type Field, type Json, isObject } from './fields.ts';

export { CodecError, MalformedData, Unencodable } from './errors.ts';
export { bool, bytes, choice, fixed, int, many, maybe, text, uint } from './fields.ts';
export type { Field, Json } from './fields.ts';

export const DEFAULT_LIMIT = 65_536;

type Shape = { readonly [name: string]: Field<any> };
type Values<S extends Shape> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never };

/** The object type of a record, as in `type Greeting = Infer<typeof Greeting>`. */
export type Infer<R> = R extends RecordType<infer T> ? T : R extends Field<infer T> ? T : never;

type Members = { readonly [tag: string]: RecordType<any> };
type OneOf<M extends Members> = {
  [K in keyof M & string]: { readonly kind: K } & Infer<M[K]>;
}[keyof M & string];

/** One record type: an array of exactly its fields in their order, an object with them in JSON. */
export class RecordType<T extends object> {
  readonly #fields: ReadonlyArray<readonly [name: string, jsonName: string, field: Field<unknown>]>;

  constructor(readonly name: string, shape: Shape) {
    this.#fields = Object.entries(shape).map(([key, field]) => [key, snakeCase(key), field]);
  }

  has(name: string): boolean {
    return this.#fields.some(([own]) => own === name);
  }

  /** The one encoding of a record. Throws Unencodable. */
  encode(object: T): Uint8Array {
    return encode(this.toValue(object));
  }

  /** The record whose one encoding is `data`. Throws MalformedData. */
  decode(data: Uint8Array, limit: number = DEFAULT_LIMIT): T {
    return this.fromValue(at(this.name, () => decode(data, limit)));
  }

  toValue(object: T): Value[] {
    return at(this.name, () => this.write(object));
  }

  fromValue(value: Value): T {
    return at(this.name, () => this.read(asArray(value)));
  }

  toJson(object: T): { [name: string]: Json } {
    return at(this.name, () => this.writeJson(object));
  }

  fromJson(value: unknown): T {
    return at(this.name, () => this.readJson(value, 0));
  }

  /** The fields' values in order. */
  write(object: T): Value[] {
    if (!isObject(object)) throw new Unencodable('not an object');
    return this.#fields.map(([name, , field]) => at(`.${name}`, () => field.toValue(object[name])));
  }

  read(values: readonly Value[]): T {
    if (values.length !== this.#fields.length) {
      throw new MalformedData(`not an array of ${this.#fields.length} fields`);
    }
    const entries = this.#fields.map(([name, , field], index) => [
      name,
      at(`.${name}`, () => field.fromValue(values[index]!)),
    ]);
    return Object.fromEntries(entries) as T;
  }

  writeJson(object: T): { [name: string]: Json } {
    if (!isObject(object)) throw new Unencodable('not an object');
    const entries = this.#fields.map(([name, jsonName, field]) => [
      jsonName,
      at(`.${name}`, () => field.toJson(object[name])),
    ]);
    return Object.fromEntries(entries) as { [name: string]: Json };
  }

  /** `extra`: how many keys of the object the caller has read itself. */
  readJson(value: unknown, extra: number): T {
    if (!isObject(value)) throw new MalformedData('not an object');
    const complete = this.#fields.every(([, jsonName]) => Object.hasOwn(value, jsonName));
    if (!complete || Object.keys(value).length !== this.#fields.length + extra) {
      throw new MalformedData('missing or unknown keys');
    }
    const entries = this.#fields.map(([name, jsonName, field]) => [
      name,
      at(`.${name}`, () => field.fromJson(value[jsonName])),
    ]);
    return Object.fromEntries(entries) as T;
  }
}

export function record<S extends Shape>(name: string, shape: S): RecordType<Values<S>> {
  return new RecordType<Values<S>>(name, shape);
}

/** Another record's array (in JSON, its object). */
export function nested<T extends object>(inner: RecordType<T>): Field<T> {
  return {
    toValue: (object) => inner.write(object),
    fromValue: (value) => inner.read(asArray(value)),
    toJson: (object) => inner.writeJson(object),
    fromJson: (value) => inner.readJson(value, 0),
  };
}

/** One of several records, by a text tag before the first field; the tag is the value's `kind`. */
export function union<M extends Members>(members: M): Field<OneOf<M>> {
  for (const member of Object.values(members)) {
    if (member.has('kind')) throw new TypeError(`${member.name} is in a union and has a field named kind`);
  }
  const member = (kind: unknown): RecordType<any> | undefined =>
    typeof kind === 'string' && Object.hasOwn(members, kind) ? members[kind] : undefined;
  const writable = (value: OneOf<M>): RecordType<any> => {
    const found = isObject(value) ? member(value.kind) : undefined;
    if (found === undefined) throw new Unencodable('not a member of the union');
    return found;
  };
  const readable = (kind: unknown): RecordType<any> => {
    const found = member(kind);
    if (found === undefined) throw new MalformedData('unknown kind');
    return found;
  };
  return {
    toValue: (value) => [value.kind, ...writable(value).write(value)],
    fromValue: (value) => {
      const [kind, ...rest] = asArray(value);
      return { kind, ...readable(kind).read(rest) } as OneOf<M>;
    },
    toJson: (value) => ({ kind: value.kind, ...writable(value).writeJson(value) }),
    fromJson: (value) => {
      if (!isObject(value)) throw new MalformedData('not an object');
      return { kind: value['kind'], ...readable(value['kind']).readJson(value, 1) } as OneOf<M>;
    },
  };
}

function asArray(value: Value): readonly Value[] {
  if (!Array.isArray(value)) throw new MalformedData('not an array');
  return value;
}

/** JSON names are those of the Python fields. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
