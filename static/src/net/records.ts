/** Records of the HTTP and realtime API (docs/spec/http.md). */

import { HeadProof, Receipt } from '../ledger/receipt.ts';
import { type Infer, bool, bytes, fixed, many, maybe, nested, record, text, uint } from '../codec/schema.ts';

const MAX_BLOB = 1_048_576;
const MAX_BODY = 65_535;

export const PutFile = record('PutFile', {
  path: fixed(32),
  expected: uint(),
  blob: bytes(MAX_BLOB),
  delete: bool(),
});
export type PutFile = Infer<typeof PutFile>;

export const WireAppend = record('WireAppend', {
  chain: fixed(32),
  kind: text(32),
  body: bytes(MAX_BODY),
  expected: maybe(uint()),
});
export type WireAppend = Infer<typeof WireAppend>;

export const TransactRequest = record('TransactRequest', {
  appends: many(nested(WireAppend), 8),
  puts: many(nested(PutFile), 16),
});
export type TransactRequest = Infer<typeof TransactRequest>;

export const PlacedEntry = record('PlacedEntry', { chain: fixed(32), header: bytes(256) });
export type PlacedEntry = Infer<typeof PlacedEntry>;

export const TransactResult = record('TransactResult', {
  entries: many(nested(PlacedEntry), 8),
  versions: many(uint(), 512),
  repeat: bool(),
  receipt: maybe(nested(Receipt)),
});
export type TransactResult = Infer<typeof TransactResult>;

export const Registration = record('Registration', {
  ticket: bytes(2048),
  accountStatement: bytes(8192),
  keysEntry: bytes(16_384),
  prekeyStatement: bytes(8192),
  batchEntry: bytes(MAX_BODY),
  loginKey: fixed(32),
  recoveryLoginKey: maybe(fixed(32)),
  puts: many(nested(PutFile), 16),
});
export type Registration = Infer<typeof Registration>;

export const RegistrationResult = record('RegistrationResult', {
  account: fixed(32),
  csrf: text(256),
  committed: nested(TransactResult),
});
export type RegistrationResult = Infer<typeof RegistrationResult>;

export const CredentialChange = record('CredentialChange', {
  proof: fixed(32),
  storedRandom: fixed(32),
  loginKey: fixed(32),
  recoveryLoginKey: maybe(fixed(32)),
  puts: many(nested(PutFile), 512),
});
export type CredentialChange = Infer<typeof CredentialChange>;

export const ThreadItem = record('ThreadItem', {
  thread: fixed(32),
  peer: fixed(32),
  peerName: text(128),
  size: uint(),
  lastTime: uint(),
});
export type ThreadItem = Infer<typeof ThreadItem>;

export const ThreadList = record('ThreadList', { threads: many(nested(ThreadItem), 100_000) });
export type ThreadList = Infer<typeof ThreadList>;

export const WireEntry = record('WireEntry', {
  header: bytes(256),
  salt: bytes(32),
  body: maybe(bytes(MAX_BODY)),
});
export type WireEntry = Infer<typeof WireEntry>;

export const EntriesPage = record('EntriesPage', {
  thread: fixed(32),
  start: uint(),
  frontier: many(fixed(32), 64),
  entries: many(nested(WireEntry), 100),
  head: nested(HeadProof),
});
export type EntriesPage = Infer<typeof EntriesPage>;

export const AccountChain = record('AccountChain', {
  account: fixed(32),
  entries: many(nested(WireEntry), 10_000),
  head: nested(HeadProof),
});
export type AccountChain = Infer<typeof AccountChain>;

export const Mark = record('Mark', { account: fixed(32), blob: bytes(4096) });
export type Mark = Infer<typeof Mark>;

export const Marks = record('Marks', { marks: many(nested(Mark), 64) });
export type Marks = Infer<typeof Marks>;

export const PrivateItem = record('PrivateItem', { path: fixed(32), version: uint(), size: uint() });
export type PrivateItem = Infer<typeof PrivateItem>;

export const PrivateList = record('PrivateList', { files: many(nested(PrivateItem), 100_000) });
export type PrivateList = Infer<typeof PrivateList>;

export const PrivateBlob = record('PrivateBlob', { path: fixed(32), version: uint(), blob: bytes(MAX_BLOB) });
export type PrivateBlob = Infer<typeof PrivateBlob>;

/** What a socket's acknowledgement says after its first byte 1. */
export const Refusal = record('Refusal', { status: uint(599), kind: text(64), detail: text(64), retryAfter: maybe(uint()) });
export type Refusal = Infer<typeof Refusal>;

export const MarkAnnounced = record('MarkAnnounced', { thread: fixed(32), account: fixed(32), blob: bytes(4096) });
export type MarkAnnounced = Infer<typeof MarkAnnounced>;

export const TypingAnnounced = record('TypingAnnounced', { thread: fixed(32), account: fixed(32) });
export type TypingAnnounced = Infer<typeof TypingAnnounced>;

export const TypingSent = record('TypingSent', { thread: fixed(32) });
export type TypingSent = Infer<typeof TypingSent>;
