/**
 * From a password or a recovery code to keys (docs/spec/e2ee.md section 6). Argon2id itself runs in the
 * page's worker (crypto/password.ts); what comes before and after it is here.
 */

import { concat, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { hkdfBaseKey } from '../crypto/vaultkey.ts';
import { Misuse, ServerViolation } from './errors.ts';
import { derive } from './labels.ts';

const MIN_MEMORY_KIB = 65_536;
const MAX_MEMORY_KIB = 1_048_576;
const MIN_PASSES = 3;
const MAX_PASSES = 16;
export const MASTER_SIZE = 32;
const CODE_SIZE = 20;
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Argon2id parameters as the server states them. */
export interface KeyDerivation {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** ServerViolation for parameters that would make guessing cheap, or this device stand still. */
export function checkKeyDerivation({ memoryKib, passes, lanes }: KeyDerivation): void {
  const within = (value: number, low: number, high: number): boolean => Number.isInteger(value) && value >= low && value <= high;
  if (!within(memoryKib, MIN_MEMORY_KIB, MAX_MEMORY_KIB)) throw new ServerViolation('key derivation: 64 MiB to 1 GiB of memory');
  if (!within(passes, MIN_PASSES, MAX_PASSES)) throw new ServerViolation('key derivation: 3 to 16 passes');
  if (lanes !== 1) throw new ServerViolation('key derivation: one lane');
}

/** H(server id ‖ skeleton of the name ‖ stored random). */
export function unlockSalt(server: Uint8Array, skeleton: string, storedRandom: Uint8Array): Uint8Array {
  return sha256(server, utf8(skeleton), storedRandom);
}

/** What Argon2id gets: the same bytes for every way in which a keyboard composes the same characters. */
export function passwordBytes(password: string): Uint8Array {
  return utf8(password.normalize('NFKC'));
}

/** Mixes the second secret (16 bytes or more) into the master key. */
export function mixSecondSecret(master: Uint8Array, secret: Uint8Array, salt: Uint8Array): Uint8Array {
  return derive(concat(master, secret), salt, 'securemsg/second-secret/1', MASTER_SIZE);
}

export interface Unlocked {
  /** What the server is shown. */
  readonly loginKey: Uint8Array;
  /** The personal or recovery key: opens the vault, and is never shown. */
  readonly key: CryptoKey;
}

/** Login key and personal key of the Argon2id master (32 bytes, which the caller overwrites). */
export async function deriveFromMaster(master: Uint8Array, salt: Uint8Array): Promise<Unlocked> {
  if (master.length !== MASTER_SIZE) throw new Misuse(`a master key has ${MASTER_SIZE} bytes`);
  return unlocked(master, salt, 'securemsg/login/1', 'securemsg/personal/1');
}

/** Recovery login key and recovery key of a code (20 bytes). */
export async function deriveFromRecovery(code: Uint8Array, account: Uint8Array): Promise<Unlocked> {
  if (code.length !== CODE_SIZE) throw new Misuse(`a recovery code has ${CODE_SIZE} bytes`);
  return unlocked(code, account, 'securemsg/recovery-login/1', 'securemsg/recovery/1');
}

async function unlocked(ikm: Uint8Array, salt: Uint8Array, loginLabel: string, keyLabel: string): Promise<Unlocked> {
  const secret = derive(ikm, salt, keyLabel, 32);
  try {
    return { loginKey: derive(ikm, salt, loginLabel, 32), key: await hkdfBaseKey(secret) };
  } finally {
    secret.fill(0);
  }
}

/** A new recovery code. Randomness: 20. */
export function newRecoveryCode(random: RandomBytes): Uint8Array {
  return random(CODE_SIZE);
}

/** Eight groups of four characters of Crockford's base32. */
export function formatRecoveryCode(code: Uint8Array): string {
  if (code.length !== CODE_SIZE) throw new Misuse(`a recovery code has ${CODE_SIZE} bytes`);
  const bits = [...code].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const characters = (bits.match(/.{5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five, 2)]).join('');
  return (characters.match(/.{4}/g) ?? []).join('-');
}

/** What a person typed, or null if it is no code: case, spaces and hyphens do not matter, O is 0, I and L are 1. */
export function parseRecoveryCode(typed: string): Uint8Array | null {
  const folded = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  const values = [...folded].map((character) => ALPHABET.indexOf(character));
  if (values.length !== (CODE_SIZE * 8) / 5 || values.includes(-1)) return null;
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}
