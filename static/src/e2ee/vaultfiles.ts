/** What the vault's files hold besides keys, prekeys and sessions, and the labels of all (docs/spec/e2ee.md section 6). */

import { type Infer, bool, choice, fixed, many, nested, record, text, uint } from '../codec/schema.ts';
import { toHex, utf8 } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

export const LABEL_KEYS = 'keys';
export const LABEL_PREKEYS = 'prekeys';
export const LABEL_CONTACTS = 'contacts';
export const LABEL_SETTINGS = 'settings';
/** Every epoch seals these anew. */
export const ACCOUNT_LABELS: readonly string[] = [LABEL_KEYS, LABEL_PREKEYS, LABEL_CONTACTS, LABEL_SETTINGS];
export const FILE_LIMIT = 1_048_576;
const MAX_CONTACTS = 5_000;

export function sessionLabel(thread: Uint8Array): string {
  return `session/${toHex(thread)}`;
}

export function archiveLabel(thread: Uint8Array, number: number): string {
  return `archive/${toHex(thread)}/${number}`;
}

/** The well-known path of an author's read mark, which the thread's members may read. */
export function markPath(thread: Uint8Array): Uint8Array {
  return sha256(utf8('securemsg/file/mark/1'), thread);
}

export const Contact = record('Contact', {
  account: fixed(32),
  name: text(128),
  fingerprint: fixed(32),
  state: choice('request', 'accepted', 'blocked', 'deleted'),
  verified: bool(),
  thread: fixed(32),
  added: uint(),
});
export type Contact = Infer<typeof Contact>;

export const Contacts = record('Contacts', { contacts: many(nested(Contact), MAX_CONTACTS) });
export type Contacts = Infer<typeof Contacts>;

/** Among the settings is what this account last saw of its server, so that a new browser notices a rollback. */
export const Settings = record('Settings', {
  serverFingerprint: fixed(32),
  checkpointSize: uint(),
  checkpointRoot: fixed(32),
  sendReadMarks: bool(),
  language: text(8),
  theme: text(8),
});
export type Settings = Infer<typeof Settings>;
