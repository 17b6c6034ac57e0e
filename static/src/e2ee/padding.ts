/** Padding to size classes, so that a ciphertext's length tells little (docs/spec/e2ee.md section 4). */

import { SIZE_CLASSES } from '../codec/messages.ts';
import { Misuse, PeerViolation } from './errors.ts';

const MARK = 0x80;

/** Appends 0x80 and zeros up to `size` bytes (ISO/IEC 7816-4). */
export function padTo(data: Uint8Array, size: number): Uint8Array {
  if (data.length >= size) throw new Misuse(`at most ${size - 1} bytes fit`);
  const padded = new Uint8Array(size);
  padded.set(data);
  padded[data.length] = MARK;
  return padded;
}

/** Takes off what padTo put on; PeerViolation when there is no mark before the zeros. */
export function unpadFrom(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end > 0 && padded[end] === 0) end--;
  if (padded[end] !== MARK) throw new PeerViolation('padding: no mark before the zeros');
  return padded.slice(0, end);
}

/** Pads to the smallest class; Misuse for what fits none. */
export function pad(data: Uint8Array): Uint8Array {
  return padTo(data, classFor(data.length));
}

/** PeerViolation unless the padding is the one that `pad` makes. */
export function unpad(padded: Uint8Array): Uint8Array {
  const data = unpadFrom(padded);
  if (classFor(data.length) !== padded.length) throw new PeerViolation('padding: not the smallest size class');
  return data;
}

function classFor(length: number): number {
  const size = SIZE_CLASSES.find((candidate) => candidate > length);
  if (size === undefined) throw new Misuse(`at most ${SIZE_CLASSES.at(-1)! - 1} bytes fit`);
  return size;
}
