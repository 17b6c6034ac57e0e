/**
 * Records on an account's chain, and the bundle that is served of them (docs/spec/e2ee.md section 1).
 * The payloads of signed statements are records too; their signatures are the codec's statements.
 */

import { type Infer, bytes, choice, fixed, many, maybe, nested, record, text, uint } from './schema.ts';

export const SUITE = 'SM1';

export const KIND_ACCOUNT = 'account';
export const KIND_KEYS = 'keys';
export const KIND_PREKEY = 'prekey';
export const KIND_PREKEY_BATCH = 'prekey-batch';
export const KIND_PREKEY_HANDED = 'prekey-handed';
export const KIND_CREDENTIAL = 'credential';

export const TYPE_ACCOUNT = 'securemsg/account/1';
export const TYPE_KEYS = 'securemsg/keys/1';
export const TYPE_POSSESSION = 'securemsg/possession/1';
export const TYPE_PREKEY = 'securemsg/prekey/1';
export const TYPE_PREKEY_BATCH = 'securemsg/prekey-batch/1';

export const ID_SIZE = 32;
export const SIGNING_PUBLIC_SIZE = 1984;
export const AGREEMENT_PUBLIC_SIZE = 1600;
export const SIGNATURE_SIZE = 3373;
export const MAX_STATEMENT = 8192;
export const MAX_BATCH = 32;
export const MAX_BATCH_PATH = 5;

/** Sequence 0: who this is, on which server, under which root. */
export const AccountStatement = record('AccountStatement', {
  server: fixed(ID_SIZE),
  account: fixed(ID_SIZE),
  name: text(128, 1),
  root: fixed(SIGNING_PUBLIC_SIZE),
  created: uint(),
});
export type AccountStatement = Infer<typeof AccountStatement>;

/** One generation of working keys, signed by the root. */
export const KeysStatement = record('KeysStatement', {
  account: fixed(ID_SIZE),
  generation: uint(),
  signing: fixed(SIGNING_PUBLIC_SIZE),
  agreement: fixed(AGREEMENT_PUBLIC_SIZE),
  suites: many(text(8, 1), 8, 1),
  created: uint(),
});
export type KeysStatement = Infer<typeof KeysStatement>;

/** Body of a `keys` entry; `possession` is the working key's own signature over the payload. */
export const KeysEntry = record('KeysEntry', {
  statement: bytes(MAX_STATEMENT),
  possession: fixed(SIGNATURE_SIZE),
});
export type KeysEntry = Infer<typeof KeysEntry>;

/** A signed prekey: the last resort when no one-time prekey is left. */
export const PrekeyStatement = record('PrekeyStatement', {
  account: fixed(ID_SIZE),
  id: uint(),
  agreement: fixed(AGREEMENT_PUBLIC_SIZE),
  created: uint(),
});
export type PrekeyStatement = Infer<typeof PrekeyStatement>;

/** A batch of one-time prekeys by the Merkle root over its BatchLeaf encodings. */
export const BatchStatement = record('BatchStatement', {
  account: fixed(ID_SIZE),
  batch: uint(),
  count: uint(MAX_BATCH),
  root: fixed(32),
  created: uint(),
});
export type BatchStatement = Infer<typeof BatchStatement>;

/** Body of a `prekey-batch` entry. */
export const BatchEntry = record('BatchEntry', {
  statement: bytes(MAX_STATEMENT),
  keys: many(fixed(AGREEMENT_PUBLIC_SIZE), MAX_BATCH, 1),
});
export type BatchEntry = Infer<typeof BatchEntry>;

/** What is hashed as one leaf of a batch's tree; `index` counts from 0. */
export const BatchLeaf = record('BatchLeaf', {
  batch: uint(),
  index: uint(MAX_BATCH - 1),
  key: fixed(AGREEMENT_PUBLIC_SIZE),
});
export type BatchLeaf = Infer<typeof BatchLeaf>;

/** Server event: this one-time prekey was given to somebody. */
export const PrekeyHanded = record('PrekeyHanded', { batch: uint(), index: uint(MAX_BATCH - 1) });
export type PrekeyHanded = Infer<typeof PrekeyHanded>;

/** Server event: the log-in credential came to be or was replaced. */
export const CredentialEvent = record('CredentialEvent', { reason: choice('created', 'changed', 'recovered') });
export type CredentialEvent = Infer<typeof CredentialEvent>;

/** A one-time prekey with its inclusion path in the signed batch. */
export const OneTime = record('OneTime', {
  batch: bytes(MAX_STATEMENT),
  index: uint(MAX_BATCH - 1),
  key: fixed(AGREEMENT_PUBLIC_SIZE),
  path: many(fixed(32), MAX_BATCH_PATH),
});
export type OneTime = Infer<typeof OneTime>;

/** All that is needed to begin a session with an account; each part is a signed statement. */
export const Bundle = record('Bundle', {
  account: bytes(MAX_STATEMENT),
  keys: bytes(MAX_STATEMENT + SIGNATURE_SIZE + 16),
  prekey: bytes(MAX_STATEMENT),
  oneTime: maybe(nested(OneTime)),
});
export type Bundle = Infer<typeof Bundle>;
