/**
 * Own signed prekeys and batches of one-time prekeys: making, using up, replenishing
 * (docs/spec/e2ee.md sections 1 and 6). `Prekeys` is the plaintext of the vault's file "prekeys".
 */

import {
  BatchEntry, BatchStatement, KIND_PREKEY, KIND_PREKEY_BATCH, MAX_BATCH, type OneTime, PrekeyStatement,
  TYPE_PREKEY, TYPE_PREKEY_BATCH,
} from '../codec/accounts.ts';
import type { OneTimeRef } from '../codec/messages.ts';
import { type Infer, fixed, many, maybe, nested, record, uint } from '../codec/schema.ts';
import { signStatement } from '../codec/statement.ts';
import { AGREEMENT_PRIVATE_SIZE, importAgreementKey } from '../crypto/agreement.ts';
import { sha256 } from '../crypto/hash.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { SigningKey } from '../crypto/signature.ts';
import { type AccountView, batchLeafHash, batchRoot } from '../ledger/accountchain.ts';
import { inclusionPath, nodeHash } from '../ledger/merkle.ts';
import { Misuse } from './errors.ts';

export const PREKEY_LIFETIME = 7 * 24 * 3_600_000;
export const PREKEY_KEPT = 30 * 24 * 3_600_000;
export const MIN_UNUSED = 8;
const MAX_SIGNED = 4;
const MAX_BATCHES = 8;

export const SignedPrekey = record('SignedPrekey', { id: uint(), private: fixed(AGREEMENT_PRIVATE_SIZE), created: uint() });
export type SignedPrekey = Infer<typeof SignedPrekey>;

/** `statement` is the SHA-256 of the batch statement; a key that was used up is null. */
export const Batch = record('Batch', {
  batch: uint(),
  statement: fixed(32),
  keys: many(maybe(fixed(AGREEMENT_PRIVATE_SIZE)), MAX_BATCH),
});
export type Batch = Infer<typeof Batch>;

export const Prekeys = record('Prekeys', {
  signed: many(nested(SignedPrekey), MAX_SIGNED),
  batches: many(nested(Batch), MAX_BATCHES),
  nextPrekey: uint(),
  nextBatch: uint(),
});
export type Prekeys = Infer<typeof Prekeys>;

export const NO_PREKEYS: Prekeys = { signed: [], batches: [], nextPrekey: 1, nextBatch: 1 };

/** An entry that the account's own chain is to have. */
export interface AccountEntry {
  readonly kind: string;
  readonly body: Uint8Array;
}

export interface PrekeysAnd {
  readonly prekeys: Prekeys;
  readonly entry: AccountEntry;
}

/** One more signed prekey. Randomness: 96. */
export async function addSignedPrekey(prekeys: Prekeys, root: SigningKey, account: Uint8Array, now: number, random: RandomBytes): Promise<PrekeysAnd> {
  const privateKey = random(AGREEMENT_PRIVATE_SIZE);
  const { public: agreement } = await importAgreementKey(privateKey);
  const id = prekeys.nextPrekey;
  const body = await signStatement(root, TYPE_PREKEY, PrekeyStatement.encode({ account, id, agreement, created: now }));
  const signed = [...prekeys.signed, { id, private: privateKey, created: now }].slice(-MAX_SIGNED);
  return { prekeys: { ...prekeys, signed, nextPrekey: id + 1 }, entry: { kind: KIND_PREKEY, body } };
}

/** One more batch of `count` one-time prekeys. Randomness: 96 for each in order. */
export async function addBatch(prekeys: Prekeys, root: SigningKey, account: Uint8Array, count: number, now: number, random: RandomBytes): Promise<PrekeysAnd> {
  if (!Number.isInteger(count) || count < 1 || count > MAX_BATCH) throw new Misuse(`a batch has 1 to ${MAX_BATCH} keys`);
  const privates = Array.from({ length: count }, () => random(AGREEMENT_PRIVATE_SIZE));
  const keys = await publicsOf(privates);
  const batch = prekeys.nextBatch;
  const payload = BatchStatement.encode({ account, batch, count, root: batchRoot(batch, keys), created: now });
  const statement = await signStatement(root, TYPE_PREKEY_BATCH, payload);
  const batches = [...prekeys.batches, { batch, statement: sha256(statement), keys: privates }].slice(-MAX_BATCHES);
  const entry = { kind: KIND_PREKEY_BATCH, body: BatchEntry.encode({ statement, keys }) };
  return { prekeys: { ...prekeys, batches, nextBatch: batch + 1 }, entry };
}

async function publicsOf(privates: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const publics: Uint8Array[] = [];
  for (const one of privates) publics.push((await importAgreementKey(one)).public);
  return publics;
}

/** The private half of a one-time prekey and its batch's statement hash; null when unknown or used up. */
export function findOneTime(prekeys: Prekeys, { batch, index }: OneTimeRef): { private: Uint8Array; statement: Uint8Array } | null {
  const found = prekeys.batches.find((one) => one.batch === batch);
  const privateKey = found?.keys[index];
  return found === undefined || privateKey === undefined || privateKey === null ? null : { private: privateKey, statement: found.statement };
}

/** Without the private half of that one-time prekey. */
export function useUp(prekeys: Prekeys, { batch, index }: OneTimeRef): Prekeys {
  const without = (keys: Batch['keys']): Batch['keys'] => keys.map((key, at) => (at === index ? null : key));
  return { ...prekeys, batches: prekeys.batches.map((one) => (one.batch === batch ? { ...one, keys: without(one.keys) } : one)) };
}

/** How many one-time prekeys are neither handed out nor used up. */
export function unusedOneTime(prekeys: Prekeys, { handed }: AccountView): number {
  const isHanded = (batch: number, index: number): boolean => handed.some((one) => one.batch === batch && one.index === index);
  const unused = ({ batch, keys }: Batch): number => keys.filter((key, index) => key !== null && !isHanded(batch, index)).length;
  return prekeys.batches.reduce((sum, batch) => sum + unused(batch), 0);
}

/** Drops the private part of signed prekeys over 30 days old; the newest two always stay. */
export function dropOldPrekeys(prekeys: Prekeys, now: number): Prekeys {
  const { signed } = prekeys;
  const kept = signed.filter(({ created }, index) => index >= signed.length - 2 || now - created < PREKEY_KEPT);
  return kept.length === signed.length ? prekeys : { ...prekeys, signed: kept };
}

/**
 * What an account's chain needs now: a signed prekey if the newest is a week old, a batch if fewer than
 * eight one-time prekeys are left. The entries and the new file belong into one transaction.
 */
export async function replenish(
  prekeys: Prekeys, root: SigningKey, view: AccountView, now: number, random: RandomBytes,
): Promise<{ readonly prekeys: Prekeys; readonly entries: readonly AccountEntry[] }> {
  let next = dropOldPrekeys(prekeys, now);
  const entries: AccountEntry[] = [];
  const newest = next.signed.at(-1);
  if (newest === undefined || now - newest.created >= PREKEY_LIFETIME) {
    const added = await addSignedPrekey(next, root, view.account, now, random);
    next = added.prekeys;
    entries.push(added.entry);
  }
  if (unusedOneTime(next, view) < MIN_UNUSED) {
    const added = await addBatch(next, root, view.account, MAX_BATCH, now, random);
    next = added.prekeys;
    entries.push(added.entry);
  }
  return { prekeys: next, entries };
}

/** One key of a batch entry with its path, as it is served in a bundle. */
export function oneTimeOf(entry: BatchEntry, batch: number, index: number): OneTime {
  const key = entry.keys[index];
  if (key === undefined) throw new Misuse('no such one-time prekey');
  const leaves = entry.keys.map((one, at) => batchLeafHash(batch, at, one));
  const node = (level: number, at: number): Uint8Array =>
    level === 0 ? leaves[at]! : nodeHash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1));
  return { batch: entry.statement, index, key, path: inclusionPath(index, entry.keys.length, node) };
}

