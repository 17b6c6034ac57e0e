/** Argon2id (RFC 9106) by WebAssembly. Run it in a worker: it blocks, and only the worker's CSP allows WebAssembly. */

import { argon2id as wasmArgon2id } from 'hash-wasm';
import { InvalidParameter } from './errors.ts';

export interface Argon2idOptions {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
  /** Bytes of output. */
  readonly length: number;
}

/** The bounds of RFC 9106 section 3.1, capped to what a browser can hold; the library takes no empty password. */
function checkOptions(password: Uint8Array, salt: Uint8Array, { memoryKib, passes, lanes, length }: Argon2idOptions): void {
  checkWithin(password.length, 1, 2 ** 20, 'password size');
  checkWithin(salt.length, 8, 1024, 'salt size');
  checkWithin(lanes, 1, 255, 'lanes');
  checkWithin(memoryKib, 8 * lanes, 2 ** 21, 'memory in KiB');
  checkWithin(passes, 1, 2 ** 16, 'passes');
  checkWithin(length, 4, 1024, 'output length');
}

function checkWithin(value: number, low: number, high: number, what: string): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new InvalidParameter(`Argon2id ${what}: ${low} to ${high} expected`);
  }
}

/** `length` bytes; InvalidParameter outside the bounds, an empty password included. */
export async function argon2id(password: Uint8Array, salt: Uint8Array, options: Argon2idOptions): Promise<Uint8Array> {
  checkOptions(password, salt, options);
  return wasmArgon2id({
    password,
    salt,
    iterations: options.passes,
    parallelism: options.lanes,
    memorySize: options.memoryKib,
    hashLength: options.length,
    outputType: 'binary',
  });
}
