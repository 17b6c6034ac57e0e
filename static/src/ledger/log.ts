/** The leaves of the public log (docs/spec/ledger.md, "Log"): 80 bytes that show no links. */

import { MalformedData } from '../codec/errors.ts';
import { concat, equalBytes, fromHex } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { u64be } from './map.ts';

export const LEAF_SIZE = 80;

const LEAF_MAGIC = fromHex('534d4c4541460001');
const GENESIS_MAGIC = fromHex('534d47454e530001');
const RESTORED_MAGIC = fromHex('534d524553540001');

/** One commit: time in ms since 1970 UTC, the map after it, the chains that it touched. */
export interface LogLeaf {
  readonly time: number;
  readonly mapRoot: Uint8Array;
  readonly touchedRoot: Uint8Array;
}

/** In a commit's place: the server went back to a copy, as a statement with this hash says. */
export interface RestoredLeaf {
  readonly time: number;
  readonly mapRoot: Uint8Array;
  readonly statement: Uint8Array;
}

/** Leaf 0: the salt under which names are mapped, and H(server public key). */
export interface GenesisLeaf {
  readonly time: number;
  readonly nameSalt: Uint8Array;
  readonly server: Uint8Array;
}

export function writeLogLeaf(leaf: LogLeaf): Uint8Array {
  return concat(LEAF_MAGIC, u64be(leaf.time), leaf.mapRoot, leaf.touchedRoot);
}

/** Throws MalformedData. */
export function readLogLeaf(data: Uint8Array): LogLeaf {
  const [time, mapRoot, touchedRoot] = read(LEAF_MAGIC, data, 'log leaf');
  return { time, mapRoot, touchedRoot };
}

/** Throws MalformedData. */
export function readRestoredLeaf(data: Uint8Array): RestoredLeaf {
  const [time, mapRoot, statement] = read(RESTORED_MAGIC, data, 'restored leaf');
  return { time, mapRoot, statement };
}

/** Of a leaf that holds a map root: every one but the genesis leaf. Throws MalformedData. */
export function readMapped(data: Uint8Array): Pick<LogLeaf, 'time' | 'mapRoot'> {
  return equalBytes(data.subarray(0, 8), RESTORED_MAGIC) ? readRestoredLeaf(data) : readLogLeaf(data);
}

/** Throws MalformedData. */
export function readGenesisLeaf(data: Uint8Array): GenesisLeaf {
  const [time, nameSalt, server] = read(GENESIS_MAGIC, data, 'genesis leaf');
  return { time, nameSalt, server };
}

/** What the genesis leaf says of the server's 1984-byte public key. */
export function serverIdentity(serverPublic: Uint8Array): Uint8Array {
  return sha256(serverPublic);
}

function read(magic: Uint8Array, data: Uint8Array, what: string): [number, Uint8Array, Uint8Array] {
  if (data.length !== LEAF_SIZE || !equalBytes(data.subarray(0, 8), magic)) {
    throw new MalformedData(`${what}: not 80 bytes of the expected form`);
  }
  const time = new DataView(data.buffer, data.byteOffset).getBigUint64(8);
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedData(`${what}: time beyond 53 bits`);
  return [Number(time), data.slice(16, 48), data.slice(48)];
}
