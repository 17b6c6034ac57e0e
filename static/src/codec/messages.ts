/** Records on a thread's chain that the server reads too (docs/spec/e2ee.md sections 2 to 5). */

import { sha256 } from '../crypto/hash.ts';
import { utf8 } from '../crypto/bytes.ts';
import { ID_SIZE, MAX_BATCH, SIGNATURE_SIZE } from './accounts.ts';
import { type Infer, MalformedData, bytes, choice, fixed, many, maybe, nested, record, uint, union } from './schema.ts';

export const KIND_OPENED = 'opened';
export const KIND_HANDSHAKE = 'handshake';
export const KIND_OPENING = 'opening';
export const KIND_MESSAGE = 'message';
export const KIND_SESSION_RESET = 'session-reset';

export const TYPE_OPENED = 'securemsg/opened/1';
export const TYPE_HANDSHAKE = 'securemsg/handshake/1';
export const TYPE_MESSAGE = 'securemsg/message/1';
export const TYPE_SESSION_RESET = 'securemsg/session-reset/1';

export const MESSAGE_ID_SIZE = 16;
export const KEM_CIPHERTEXT_SIZE = 1568;
export const SEALED_OPENING_SIZE = 3193;
export const SEALED_HEADER_SIZE = 80;
export const WRAP_SIZE = 48;
export const MAX_RESET_IDS = 16;

export const SIZE_CLASSES: readonly number[] = [3_840, 7_936, 16_128, 32_512, 65_024];
const TAG_SIZE = 16;
const MAX_OVERHEAD = 32;
const SESSION_LABEL = utf8('securemsg/session/1');

/** Payload of entry 0 of a direct thread: its two members, for good. */
export const Opened = record('Opened', {
  thread: fixed(ID_SIZE),
  opener: fixed(ID_SIZE),
  peer: fixed(ID_SIZE),
  generation: uint(),
  created: uint(),
});
export type Opened = Infer<typeof Opened>;

/** A one-time prekey by its place. */
export const OneTimeRef = record('OneTimeRef', { batch: uint(), index: uint(MAX_BATCH - 1) });
export type OneTimeRef = Infer<typeof OneTimeRef>;

const UNSIGNED_HANDSHAKE = {
  suite: choice('SM1'),
  thread: fixed(ID_SIZE),
  initiator: fixed(ID_SIZE),
  responder: fixed(ID_SIZE),
  initiatorKeys: uint(),
  responderKeys: uint(),
  prekey: uint(),
  oneTime: maybe(nested(OneTimeRef)),
  replaces: bytes(32),
  ephemeral: fixed(32),
  ctIdentity: fixed(KEM_CIPHERTEXT_SIZE),
  ctPrekey: fixed(KEM_CIPHERTEXT_SIZE),
  ctOneTime: maybe(fixed(KEM_CIPHERTEXT_SIZE)),
  created: uint(),
};

/** A handshake without its signature: what the transcript covers. */
export const UnsignedHandshake = record('UnsignedHandshake', UNSIGNED_HANDSHAKE);
export type UnsignedHandshake = Infer<typeof UnsignedHandshake>;

/** Body of a `handshake` entry. */
export const Handshake = record('Handshake', { ...UNSIGNED_HANDSHAKE, signature: fixed(SIGNATURE_SIZE) });
export type Handshake = Infer<typeof Handshake>;

/** Body of an `opening` entry: the large keys of one turn, sealed. */
export const OpeningEntry = record('OpeningEntry', {
  session: fixed(32),
  author: fixed(ID_SIZE),
  salt: fixed(32),
  sealed: fixed(SEALED_OPENING_SIZE),
});
export type OpeningEntry = Infer<typeof OpeningEntry>;

/** An author who signs inside the ciphertext. */
export const Member = record('Member', { account: fixed(ID_SIZE) });
export const Author = union({ member: Member });
export type Author = Infer<typeof Author>;

/** Body of a `message` entry. */
export const Envelope = record('Envelope', {
  suite: choice('SM1'),
  author: Author,
  session: fixed(32),
  id: fixed(MESSAGE_ID_SIZE),
  seen: uint(),
  salt: fixed(32),
  aead: choice('AES-256-GCM', 'ChaCha20-Poly1305', 'AES-XChaCha'),
  header: fixed(SEALED_HEADER_SIZE),
  wrap: fixed(WRAP_SIZE),
  commitment: fixed(32),
  body: bytes(SIZE_CLASSES.at(-1)! + MAX_OVERHEAD, SIZE_CLASSES[0]! + TAG_SIZE),
});
export type Envelope = Infer<typeof Envelope>;
export type AeadName = Envelope['aead'];

/** Payload of a `session-reset` statement: these messages could not be read in that session. */
export const SessionReset = record('SessionReset', {
  thread: fixed(ID_SIZE),
  author: fixed(ID_SIZE),
  session: fixed(32),
  generation: uint(),
  ids: many(fixed(MESSAGE_ID_SIZE), MAX_RESET_IDS),
  created: uint(),
});
export type SessionReset = Infer<typeof SessionReset>;

/** The handshake of an entry's body, with the rules between its fields. Throws MalformedData. */
export function readHandshake(body: Uint8Array): Handshake {
  const handshake = Handshake.decode(body);
  if (handshake.replaces.length !== 0 && handshake.replaces.length !== 32) {
    throw new MalformedData('Handshake.replaces: neither empty nor 32 bytes');
  }
  if ((handshake.oneTime === null) !== (handshake.ctOneTime === null)) {
    throw new MalformedData('Handshake.ctOneTime: present exactly when oneTime is');
  }
  return handshake;
}

/** The envelope of an entry's body; its ciphertext has one of the size classes. Throws MalformedData. */
export function readEnvelope(body: Uint8Array): Envelope {
  const envelope = Envelope.decode(body);
  const overhead = envelope.aead === 'AES-XChaCha' ? MAX_OVERHEAD : TAG_SIZE;
  if (!SIZE_CLASSES.includes(envelope.body.length - overhead)) {
    throw new MalformedData('Envelope.body: not one of the size classes');
  }
  return envelope;
}

/** The id of the session that this handshake body begins. */
export function sessionId(body: Uint8Array): Uint8Array {
  return sha256(SESSION_LABEL, body);
}

/** The id by which a message's header names its turn's opening. */
export function openingId(body: Uint8Array): Uint8Array {
  return sha256(body);
}
