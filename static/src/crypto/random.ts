/** Sources of random bytes, passed to whoever needs them. */

import { concat } from './bytes.ts';
import { InvalidParameter } from './errors.ts';
import { hmacSha512 } from './mac.ts';

export type RandomBytes = (size: number) => Uint8Array;

/** The most that one call of getRandomValues gives. */
const SYSTEM_CHUNK = 65536;

function checkCount(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new InvalidParameter('random bytes: a count expected');
}

export const systemRandom: RandomBytes = (size) => {
  checkCount(size);
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += SYSTEM_CHUNK) crypto.getRandomValues(bytes.subarray(at, at + SYSTEM_CHUNK));
  return bytes;
};

/**
 * A reproducible stream for tests and simulations, never for secrets of a product: block i is
 * HMAC-SHA-512(seed, uint64_be(i)); calls take consecutive bytes of the stream.
 */
export function seededRandom(seed: Uint8Array): RandomBytes {
  const key = seed.slice();
  let counter = 0n;
  let rest: Uint8Array = new Uint8Array(0);
  return (size) => {
    checkCount(size);
    const parts = [rest];
    for (let have = rest.length; have < size; have += 64) {
      const block = new Uint8Array(8);
      new DataView(block.buffer).setBigUint64(0, counter);
      counter += 1n;
      parts.push(hmacSha512(key, block));
    }
    const stream = concat(...parts);
    rest = stream.slice(size);
    return stream.slice(0, size);
  };
}
