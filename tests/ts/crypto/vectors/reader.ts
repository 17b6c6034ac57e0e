/** Strict reading of vector files: an unknown or missing key, an empty list or a wrong type fails the run. */

import { equalBytes, fromHex } from '../../../../static/src/crypto/bytes.ts';
import { CryptoError } from '../../../../static/src/crypto/errors.ts';

export class VectorError extends Error {}

/** An object of a vector file whose keys are all known. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(value: unknown, required: readonly string[], optional: readonly string[] = []) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new VectorError('an object expected');
    this.#values = value as Record<string, unknown>;
    for (const key of required) if (!(key in value)) throw new VectorError(`key missing: ${key}`);
    const known = new Set([...required, ...optional]);
    for (const key of Object.keys(value)) if (!known.has(key)) throw new VectorError(`unknown key: ${key}`);
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null;
  }

  raw(key: string): unknown {
    return this.#values[key];
  }

  text(key: string): string {
    const value = this.#values[key];
    if (typeof value !== 'string') throw new VectorError(`text expected: ${key}`);
    return value;
  }

  number(key: string): number {
    const value = this.#values[key];
    if (typeof value !== 'number') throw new VectorError(`number expected: ${key}`);
    return value;
  }

  flag(key: string): boolean {
    const value = this.#values[key];
    if (typeof value !== 'boolean') throw new VectorError(`boolean expected: ${key}`);
    return value;
  }

  /** Hexadecimal of either case, as the sources write it. */
  hex(key: string): Uint8Array {
    return fromHex(this.text(key).toLowerCase());
  }

  /** As hex; empty where the case leaves the key out. */
  optionalHex(key: string): Uint8Array {
    return this.has(key) ? this.hex(key) : new Uint8Array(0);
  }

  list(key: string): readonly unknown[] {
    return nonEmptyList(this.#values[key], key);
  }
}

export function nonEmptyList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw new VectorError(`a list that is not empty expected: ${what}`);
  return value;
}

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new VectorError(what);
}

export function expectBytes(got: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  expect(got !== undefined && equalBytes(got, expected), `${what}: other bytes, or a refusal`);
}

/** The value of a step, or undefined where it was refused by a CryptoError; anything else is a crash and passes through. */
export async function outcome<T>(step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

export async function isRefused(step: () => unknown): Promise<boolean> {
  let refused = false;
  try {
    await step();
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    refused = true;
  }
  return refused;
}

/** 'passed' through the product's own functions; 'not offered' where the product has no such function. */
export type Verdict = 'passed' | 'not offered';

export interface Counts {
  readonly cases: number;
  readonly passed: number;
}

export type Suite = (data: unknown) => Promise<Counts>;

/** Counts verdicts and names the case that fails. */
export class Tally {
  #cases = 0;
  #passed = 0;

  async add(id: string | number, run: () => Promise<Verdict>): Promise<void> {
    this.#cases += 1;
    try {
      if ((await run()) === 'passed') this.#passed += 1;
    } catch (error) {
      throw new VectorError(`case ${id}: ${String(error)}`, { cause: error });
    }
  }

  counts(): Counts {
    return { cases: this.#cases, passed: this.#passed };
  }
}
