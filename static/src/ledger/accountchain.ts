/**
 * An account's chain, entry by entry (docs/spec/e2ee.md section 1). `openAccount` takes entry 0,
 * `applyEntry` each later one; both refuse what the section refuses, and a view is a value.
 */

import {
  AccountStatement, BatchEntry, BatchLeaf, BatchStatement, CredentialEvent, KIND_ACCOUNT, KIND_CREDENTIAL, KIND_KEYS,
  KIND_PREKEY, KIND_PREKEY_BATCH, KIND_PREKEY_HANDED, KeysEntry, KeysStatement, MAX_BATCH, MAX_STATEMENT, PrekeyHanded,
  PrekeyStatement, SUITE, TYPE_ACCOUNT, TYPE_KEYS, TYPE_POSSESSION, TYPE_PREKEY, TYPE_PREKEY_BATCH,
} from '../codec/accounts.ts';
import { CodecError } from '../codec/errors.ts';
import type { RecordType } from '../codec/schema.ts';
import { openStatement, unverifiedPayload, verifyDetached } from '../codec/statement.ts';
import { splitPublic } from '../crypto/agreement.ts';
import { equalBytes, utf8 } from '../crypto/bytes.ts';
import { CryptoError } from '../crypto/errors.ts';
import { sha256 } from '../crypto/hash.ts';
import { checkMlkem1024Public } from '../crypto/kem.ts';
import { LedgerError } from './errors.ts';
import { EMPTY, append, leafHash, rootOf } from './merkle.ts';

const FINGERPRINT_LABEL = utf8('securemsg/fingerprint/1');

/** An entry that an account's chain may not have; `rule` says which rule it breaks. */
export class AccountViolation extends LedgerError {
  constructor(readonly rule: string) {
    super(rule);
  }

  override get name(): string {
    return 'AccountViolation';
  }
}

/** A generation of working keys; `statement` is the SHA-256 of its COSE bytes. */
export interface Keys {
  readonly generation: number;
  readonly statement: Uint8Array;
  readonly signing: Uint8Array;
  readonly agreement: Uint8Array;
  readonly suites: readonly string[];
  readonly created: number;
}

export interface Prekey {
  readonly id: number;
  readonly statement: Uint8Array;
  readonly agreement: Uint8Array;
  readonly created: number;
}

/** A batch of one-time prekeys; `root` commits to the `count` keys. */
export interface PrekeyBatch {
  readonly batch: number;
  readonly statement: Uint8Array;
  readonly count: number;
  readonly root: Uint8Array;
  readonly created: number;
}

/** What an account's verified entries say; each kind's items count up from 1. */
export interface AccountView {
  readonly server: Uint8Array;
  readonly account: Uint8Array;
  readonly name: string;
  readonly root: Uint8Array;
  readonly created: number;
  readonly keys: readonly Keys[];
  readonly prekeys: readonly Prekey[];
  /** Null: the batch's body was left out, so that only its place is known. */
  readonly batches: readonly (PrekeyBatch | null)[];
  readonly handed: readonly PrekeyHanded[];
}

/** What contacts pin: SHA-256 over the root public key with its label. */
export function fingerprintOf(root: Uint8Array): Uint8Array {
  return sha256(FINGERPRINT_LABEL, root);
}

/** The working keys of a generation, the newest if none is named. */
export function keysOf(view: AccountView, generation: number = view.keys.length): Keys | null {
  return view.keys[generation - 1] ?? null;
}

export function prekeyOf(view: AccountView, id: number): Prekey | null {
  return view.prekeys[id - 1] ?? null;
}

/** The leaf hash of one key of a batch. */
export function batchLeafHash(batch: number, index: number, key: Uint8Array): Uint8Array {
  return leafHash(BatchLeaf.encode({ batch, index, key }));
}

/** The RFC 6962 root that a batch statement signs. */
export function batchRoot(batch: number, keys: readonly Uint8Array[]): Uint8Array {
  return rootOf(keys.map((key, index) => batchLeafHash(batch, index, key)).reduce(append, EMPTY));
}

/**
 * The view after entry 0. Throws AccountViolation. The statement is signed by the root that it names:
 * whose root that is, a pin must say.
 */
export async function openAccount(body: Uint8Array, server: Uint8Array, account: Uint8Array): Promise<AccountView> {
  const statement = await checked('account statement', async () => {
    const claimed = AccountStatement.decode(unverifiedPayload(body, MAX_STATEMENT));
    return AccountStatement.decode(await openStatement(claimed.root, TYPE_ACCOUNT, body, MAX_STATEMENT));
  });
  demand(equalBytes(statement.server, server), 'the account is of another server');
  demand(equalBytes(statement.account, account), "the statement is another account's");
  const { name, root, created } = statement;
  return { server, account, name, root, created, keys: [], prekeys: [], batches: [], handed: [] };
}

/** The view after one more entry; a null body is a batch's that was left out. Throws AccountViolation. */
export async function applyEntry(view: AccountView, kind: string, body: Uint8Array | null): Promise<AccountView> {
  if (body === null) {
    demand(kind === KIND_PREKEY_BATCH, 'only the body of a prekey batch is left out');
    return { ...view, batches: [...view.batches, null] };
  }
  demand(kind !== KIND_ACCOUNT, 'an account statement stands at the beginning only');
  const step = STEPS.get(kind);
  if (step === undefined) throw new AccountViolation('a kind that account chains do not have');
  return step(view, body);
}

/** The generation in a keys entry of this account, root signature and possession verified. */
export async function openKeys(view: AccountView, body: Uint8Array): Promise<Keys> {
  const entry = await checked('keys entry', () => KeysEntry.decode(body));
  const signed = await openSigned(view, TYPE_KEYS, KeysStatement, entry.statement);
  demand(signed.generation >= 1, 'generations count from 1');
  demand(signed.suites.includes(SUITE), 'no common suite');
  await checked('agreement key', () => checkAgreement(signed.agreement));
  await checked('possession of the working key', () =>
    verifyDetached(signed.signing, TYPE_POSSESSION, KeysStatement.encode(signed), entry.possession));
  const { generation, signing, agreement, suites, created } = signed;
  return { generation, statement: sha256(entry.statement), signing, agreement, suites, created };
}

/** The signed prekey of this account's statement. */
export async function openPrekey(view: AccountView, statement: Uint8Array): Promise<Prekey> {
  const signed = await openSigned(view, TYPE_PREKEY, PrekeyStatement, statement);
  demand(signed.id >= 1, 'prekeys count from 1');
  await checked('prekey', () => checkAgreement(signed.agreement));
  return { id: signed.id, statement: sha256(statement), agreement: signed.agreement, created: signed.created };
}

/** The batch of this account's statement. */
export async function openBatch(view: AccountView, statement: Uint8Array): Promise<PrekeyBatch> {
  const signed = await openSigned(view, TYPE_PREKEY_BATCH, BatchStatement, statement);
  demand(signed.batch >= 1 && signed.count >= 1, 'batches and their keys count from 1');
  const { batch, count, root, created } = signed;
  return { batch, statement: sha256(statement), count, root, created };
}

/** Throws InvalidKey for an ML-KEM half that is not reduced. */
export function checkAgreement(publicKey: Uint8Array): void {
  checkMlkem1024Public(splitPublic(publicKey).kem);
}

async function applyKeys(view: AccountView, body: Uint8Array): Promise<AccountView> {
  const keys = await openKeys(view, body);
  demand(keys.generation === view.keys.length + 1, 'generations count up by one');
  return { ...view, keys: [...view.keys, keys] };
}

async function applyPrekey(view: AccountView, body: Uint8Array): Promise<AccountView> {
  const prekey = await openPrekey(view, body);
  demand(prekey.id === view.prekeys.length + 1, 'prekey ids count up by one');
  return { ...view, prekeys: [...view.prekeys, prekey] };
}

async function applyBatch(view: AccountView, body: Uint8Array): Promise<AccountView> {
  const entry = await checked('prekey batch', () => BatchEntry.decode(body));
  const batch = await openBatch(view, entry.statement);
  demand(batch.batch === view.batches.length + 1, 'batches count up by one');
  demand(batch.count === entry.keys.length, 'the batch has another number of keys');
  demand(equalBytes(batch.root, batchRoot(batch.batch, entry.keys)), 'the batch has another root');
  for (const key of entry.keys) await checked('one-time prekey', () => checkAgreement(key));
  return { ...view, batches: [...view.batches, batch] };
}

async function applyHanded(view: AccountView, body: Uint8Array): Promise<AccountView> {
  const event = await checked('prekey-handed', () => PrekeyHanded.decode(body));
  const batch = view.batches[event.batch - 1];
  demand(batch !== undefined && event.index < (batch?.count ?? MAX_BATCH), 'no such one-time prekey');
  const again = view.handed.some(({ batch: of, index }) => of === event.batch && index === event.index);
  demand(!again, 'a one-time prekey is handed out once');
  return { ...view, handed: [...view.handed, event] };
}

async function applyCredential(view: AccountView, body: Uint8Array): Promise<AccountView> {
  await checked('credential', () => CredentialEvent.decode(body));
  return view;
}

const STEPS: ReadonlyMap<string, (view: AccountView, body: Uint8Array) => Promise<AccountView>> = new Map([
  [KIND_KEYS, applyKeys],
  [KIND_PREKEY, applyPrekey],
  [KIND_PREKEY_BATCH, applyBatch],
  [KIND_PREKEY_HANDED, applyHanded],
  [KIND_CREDENTIAL, applyCredential],
]);

/** The payload of a statement under this account's root. */
async function openSigned<T extends { readonly account: Uint8Array }>(view: AccountView, typeName: string, type: RecordType<T>, statement: Uint8Array): Promise<T> {
  const signed = await checked(typeName, async () =>
    type.decode(await openStatement(view.root, typeName, statement, MAX_STATEMENT)));
  demand(equalBytes(signed.account, view.account), "the statement is another account's");
  return signed;
}

async function checked<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof CodecError || error instanceof CryptoError) throw new AccountViolation(`${what}: ${error.message}`);
    throw error;
  }
}

function demand(holds: boolean, rule: string): void {
  if (!holds) throw new AccountViolation(rule);
}
