/**
 * The vault key, its wraps, and the files under it (docs/spec/e2ee.md section 6). The vault key and the
 * name key are non-extractable; their bytes exist only where they are made and where an epoch ends.
 */

import { encode } from '../codec/cbor.ts';
import { type Infer, bytes, fixed, many, maybe, nested, record, uint } from '../codec/schema.ts';
import { concat, equalBytes, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { type AesKeyUsage, deriveAesKey, hkdfBaseKey } from '../crypto/vaultkey.ts';
import { hmacBaseKey, hmacWith, openOnce, sealOnce, unwrapHkdfKey, unwrapHmacKey } from '../crypto/vaultwrap.ts';
import { AuthenticationFailed, Misuse, ServerViolation, UnknownEpoch, fromPeer } from './errors.ts';
import { ACCOUNT_LABELS } from './vaultfiles.ts';

const KEY_SIZE = 32;
const SALT_SIZE = 32;
const SEALED_KEY_SIZE = 48;
const MAX_PREVIOUS = 256;
const BLOB_VERSION = 1;
const BLOB_START = 1 + 4 + SALT_SIZE;
const BLOB_OVERHEAD = BLOB_START + 16;
const LENGTH_SIZE = 4;
export const MIN_BLOB = 1_024;
export const MAX_BLOB = 1_048_576;

export const Wrap = record('Wrap', { salt: fixed(SALT_SIZE), sealed: fixed(SEALED_KEY_SIZE) });
export type Wrap = Infer<typeof Wrap>;

export const PreviousKey = record('PreviousKey', { epoch: uint(2 ** 32 - 1), salt: fixed(SALT_SIZE), sealed: fixed(SEALED_KEY_SIZE) });
export type PreviousKey = Infer<typeof PreviousKey>;

/** The file from which the vault is opened; it stands at WRAPS_PATH. */
export const Wraps = record('Wraps', {
  account: fixed(32),
  epoch: uint(2 ** 32 - 1),
  password: nested(Wrap),
  recovery: maybe(nested(Wrap)),
  names: bytes(SALT_SIZE + SEALED_KEY_SIZE, SALT_SIZE + SEALED_KEY_SIZE),
  previous: many(nested(PreviousKey), MAX_PREVIOUS),
});
export type Wraps = Infer<typeof Wraps>;

export const WRAPS_PATH = sha256(utf8('securemsg/file/wraps/1'));

/** An open vault: HKDF keys by epoch, and the HMAC key of file names. */
export interface Vault {
  readonly account: Uint8Array;
  readonly epoch: number;
  readonly keys: ReadonlyMap<number, CryptoKey>;
  readonly names: CryptoKey;
}

/** What opens the vault: the personal key or the recovery key, as an HKDF key. */
export interface Unlocking {
  readonly by: 'password' | 'recovery';
  readonly key: CryptoKey;
}

/** What is to open the vault from now on. */
export interface Owners {
  readonly password: CryptoKey;
  /** Null: nobody holds a recovery code. */
  readonly recovery: CryptoKey | null;
}

export interface VaultAndWraps {
  readonly vault: Vault;
  /** The encoding of Wraps, ready to be put. */
  readonly wraps: Uint8Array;
}

/** The first epoch. Randomness: vault key, name key, password salt, (recovery salt), names salt: 32 each. */
export async function createVault(account: Uint8Array, owners: Owners, random: RandomBytes): Promise<VaultAndWraps> {
  const [vaultKey, nameKey] = [random(KEY_SIZE), random(KEY_SIZE)];
  return makeEpoch({ account, epoch: 1, vaultKey, nameKey, previous: [] }, owners, random);
}

/** Opens the vault. Throws ServerViolation for another account's wraps, AuthenticationFailed for a wrong key. */
export async function openVault(data: Uint8Array, account: Uint8Array, unlocking: Unlocking): Promise<Vault> {
  const wraps = await readWraps(data, account);
  const wrapping = await ownersKey(unlocking.key, wrapOf(wraps, unlocking).salt, ['unwrapKey']);
  return authenticated(async () => {
    const base = await unwrapHkdfKey(wrapping, wrapOf(wraps, unlocking).sealed, ownersAd(account, wraps.epoch, unlocking.by));
    const { salt, sealed } = namesOf(wraps);
    const names = await unwrapHmacKey(await innerKey(base, salt, ['unwrapKey']), sealed, innerAd(account, 0, 'names'));
    const keys = new Map([[wraps.epoch, base]]);
    for (const one of wraps.previous) {
      const inner = await innerKey(base, one.salt, ['unwrapKey']);
      keys.set(one.epoch, await unwrapHkdfKey(inner, one.sealed, innerAd(account, one.epoch, 'previous')));
    }
    return { account, epoch: wraps.epoch, keys, names };
  });
}

/**
 * The next epoch: a new vault key under new wraps, the old ones kept under it. Randomness: vault key,
 * password salt, (recovery salt), names salt, a salt for each previous key: 32 each. Errors as openVault.
 */
export async function rotateVault(data: Uint8Array, account: Uint8Array, unlocking: Unlocking, owners: Owners, random: RandomBytes): Promise<VaultAndWraps> {
  const old = await exposeKeys(await readWraps(data, account), unlocking);
  try {
    const previous = [...old.previous, { epoch: old.epoch, key: old.vaultKey }];
    if (previous.length > MAX_PREVIOUS) throw new Misuse('too many epochs');
    const next = { account, epoch: old.epoch + 1, vaultKey: random(KEY_SIZE), nameKey: old.nameKey, previous: previous.map((one) => ({ ...one })) };
    return await makeEpoch(next, owners, random);
  } finally {
    wipe(old);
  }
}

/** The same epoch with another recovery wrap (null takes it away). Randomness: salt 32. Errors as openVault. */
export async function replaceRecovery(data: Uint8Array, account: Uint8Array, unlocking: Unlocking, recovery: CryptoKey | null, random: RandomBytes): Promise<Uint8Array> {
  const wraps = await readWraps(data, account);
  const old = await exposeKeys(wraps, unlocking);
  try {
    const wrap = recovery === null ? null : await wrapFor(recovery, old, 'recovery', random);
    return Wraps.encode({ ...wraps, recovery: wrap });
  } finally {
    wipe(old);
  }
}

export async function readWraps(data: Uint8Array, account: Uint8Array): Promise<Wraps> {
  const wraps = await fromPeer('wraps', () => Wraps.decode(data));
  if (!equalBytes(wraps.account, account)) throw new ServerViolation("wraps: another account's");
  const ordered = [...wraps.previous.map(({ epoch }) => epoch), wraps.epoch];
  if (ordered.some((epoch, index) => epoch !== index + 1)) throw new ServerViolation('wraps: epochs do not count up by one');
  return wraps;
}

/** The bytes of an epoch's keys; they are overwritten as soon as the epoch is written. */
interface EpochKeys {
  readonly account: Uint8Array;
  readonly epoch: number;
  readonly vaultKey: Uint8Array;
  readonly nameKey: Uint8Array;
  readonly previous: readonly { readonly epoch: number; readonly key: Uint8Array }[];
}

function wipe({ vaultKey, nameKey, previous }: EpochKeys): void {
  for (const secret of [vaultKey, nameKey, ...previous.map(({ key }) => key)]) secret.fill(0);
}

async function exposeKeys(wraps: Wraps, unlocking: Unlocking): Promise<EpochKeys> {
  const { account, epoch } = wraps;
  const { salt, sealed } = wrapOf(wraps, unlocking);
  const names = namesOf(wraps);
  return authenticated(async () => {
    const vaultKey = await openOnce(await ownersKey(unlocking.key, salt, ['decrypt']), sealed, ownersAd(account, epoch, unlocking.by));
    const base = await hkdfBaseKey(vaultKey);
    const nameKey = await openOnce(await innerKey(base, names.salt, ['decrypt']), names.sealed, innerAd(account, 0, 'names'));
    const previous = [];
    for (const one of wraps.previous) {
      const key = await openOnce(await innerKey(base, one.salt, ['decrypt']), one.sealed, innerAd(account, one.epoch, 'previous'));
      previous.push({ epoch: one.epoch, key });
    }
    return { account, epoch, vaultKey, nameKey, previous };
  });
}

async function makeEpoch(epochKeys: EpochKeys, owners: Owners, random: RandomBytes): Promise<VaultAndWraps> {
  const { account, epoch, vaultKey, nameKey } = epochKeys;
  const base = await hkdfBaseKey(vaultKey);
  const password = await wrapFor(owners.password, epochKeys, 'password', random);
  const recovery = owners.recovery === null ? null : await wrapFor(owners.recovery, epochKeys, 'recovery', random);
  const names = await wrapInner(base, nameKey, innerAd(account, 0, 'names'), random);
  const keys = new Map([[epoch, base]]);
  const previous: PreviousKey[] = [];
  for (const one of epochKeys.previous) {
    previous.push({ epoch: one.epoch, ...(await wrapInner(base, one.key, innerAd(account, one.epoch, 'previous'), random)) });
    keys.set(one.epoch, await hkdfBaseKey(one.key));
  }
  const wraps = Wraps.encode({ account, epoch, password, recovery, names: concat(names.salt, names.sealed), previous });
  const vault = { account, epoch, keys, names: await hmacBaseKey(nameKey) };
  wipe(epochKeys);
  return { vault, wraps };
}

async function wrapFor(owner: CryptoKey, { account, epoch, vaultKey }: EpochKeys, by: Unlocking['by'], random: RandomBytes): Promise<Wrap> {
  const salt = random(SALT_SIZE);
  return { salt, sealed: await sealOnce(await ownersKey(owner, salt, ['encrypt']), vaultKey, ownersAd(account, epoch, by)) };
}

async function wrapInner(base: CryptoKey, key: Uint8Array, ad: Uint8Array, random: RandomBytes): Promise<Wrap> {
  const salt = random(SALT_SIZE);
  return { salt, sealed: await sealOnce(await innerKey(base, salt, ['encrypt']), key, ad) };
}

function ownersKey(owner: CryptoKey, salt: Uint8Array, usages: readonly AesKeyUsage[]): Promise<CryptoKey> {
  return deriveAesKey(owner, salt, utf8('securemsg/wrap-vault/1'), usages);
}

function innerKey(base: CryptoKey, salt: Uint8Array, usages: readonly AesKeyUsage[]): Promise<CryptoKey> {
  return deriveAesKey(base, salt, utf8('securemsg/wrap-previous/1'), usages);
}

function ownersAd(account: Uint8Array, epoch: number, by: Unlocking['by']): Uint8Array {
  return encode([account, epoch, by]);
}

function innerAd(account: Uint8Array, epoch: number, what: 'names' | 'previous'): Uint8Array {
  return encode([account, epoch, what]);
}

function wrapOf(wraps: Wraps, { by }: Unlocking): Wrap {
  const wrap = by === 'password' ? wraps.password : wraps.recovery;
  if (wrap === null) throw new Misuse('there is no recovery code');
  return wrap;
}

function namesOf({ names }: Wraps): Wrap {
  return { salt: names.slice(0, SALT_SIZE), sealed: names.slice(SALT_SIZE) };
}

/** Where the file of this label stands. */
export function filePath(vault: Vault, label: string): Promise<Uint8Array> {
  return hmacWith(vault.names, utf8(label));
}

/** The blob of a private file; `version` is the one that its put makes. Randomness: salt 32. */
export async function sealFile(vault: Vault, path: Uint8Array, version: number, plaintext: Uint8Array, random: RandomBytes): Promise<Uint8Array> {
  const salt = random(SALT_SIZE);
  const key = await fileKey(vaultKeyOf(vault, vault.epoch), salt, path, ['encrypt']);
  const sealed = await sealOnce(key, padFile(plaintext), encode([vault.account, path, version]));
  return concat(blobStart(vault.epoch), salt, sealed);
}

/**
 * The plaintext of a private file at the version at which it is served. Throws AuthenticationFailed;
 * ServerViolation for one of the account's files that an ended epoch sealed.
 */
export async function openFile(vault: Vault, path: Uint8Array, version: number, blob: Uint8Array): Promise<Uint8Array> {
  if (blob.length < MIN_BLOB || blob.length > MAX_BLOB || blob[0] !== BLOB_VERSION) throw new AuthenticationFailed('private file: not a blob');
  const epoch = new DataView(blob.buffer, blob.byteOffset).getUint32(1);
  const key = await fileKey(vaultKeyOf(vault, epoch), blob.slice(5, BLOB_START), path, ['decrypt']);
  const plaintext = await authenticated(async () =>
    unpadFile(await openOnce(key, blob.slice(BLOB_START), encode([vault.account, path, version]))));
  if (epoch !== vault.epoch && (await isAccountFile(vault, path))) {
    throw new ServerViolation('private file: of an epoch that ended');
  }
  return plaintext;
}

async function isAccountFile(vault: Vault, path: Uint8Array): Promise<boolean> {
  for (const label of ACCOUNT_LABELS) if (equalBytes(await filePath(vault, label), path)) return true;
  return false;
}

/** The HKDF key of an epoch. Throws UnknownEpoch for one that the vault does not have. */
export function vaultKeyOf(vault: Vault, epoch: number): CryptoKey {
  const key = vault.keys.get(epoch);
  if (key === undefined) throw new UnknownEpoch('private file: of an unknown epoch');
  return key;
}

function fileKey(base: CryptoKey, salt: Uint8Array, path: Uint8Array, usages: readonly AesKeyUsage[]): Promise<CryptoKey> {
  return deriveAesKey(base, salt, concat(utf8('securemsg/vault-file/1'), path), usages);
}

function blobStart(epoch: number): Uint8Array {
  const start = new Uint8Array(5);
  start[0] = BLOB_VERSION;
  new DataView(start.buffer).setUint32(1, epoch);
  return start;
}

function padFile(plaintext: Uint8Array): Uint8Array {
  const size = blobSize(plaintext.length);
  if (size > MAX_BLOB) throw new Misuse('a private file is at most 1 MiB');
  const padded = new Uint8Array(size - BLOB_OVERHEAD);
  new DataView(padded.buffer).setUint32(0, plaintext.length);
  padded.set(plaintext, LENGTH_SIZE);
  return padded;
}

function unpadFile(padded: Uint8Array): Uint8Array {
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  const end = LENGTH_SIZE + length;
  const canonical = end <= padded.length && blobSize(length) === padded.length + BLOB_OVERHEAD
    && padded.subarray(end).every((byte) => byte === 0);
  if (!canonical) throw new AuthenticationFailed('private file: padding');
  return padded.slice(LENGTH_SIZE, end);
}

/** The power of two, from 1,024 on, into which a blob of so much plaintext fits. */
function blobSize(length: number): number {
  let size = MIN_BLOB;
  while (size < length + LENGTH_SIZE + BLOB_OVERHEAD) size *= 2;
  return size;
}

/** A blob that does not open was not made by this vault: nothing else may follow from it. */
function authenticated<T>(step: () => Promise<T>): Promise<T> {
  return fromPeer('vault', step);
}
