/**
 * One message: content key, wrap, commitment, and the author's signature inside (docs/spec/e2ee.md
 * section 4). The ratchet gives the message key; what is here never touches its state.
 */

import { encode } from '../codec/cbor.ts';
import { type AeadName, Author, Envelope, MESSAGE_ID_SIZE, TYPE_MESSAGE } from '../codec/messages.ts';
import { type Infer, bytes, fixed, record, text, uint, union } from '../codec/schema.ts';
import { signDetached, verifyDetached } from '../codec/statement.ts';
import { AES_256_GCM, aeadByName } from '../crypto/aead.ts';
import { equal } from '../crypto/mac.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { SigningKey } from '../crypto/signature.ts';
import { AuthenticationFailed, fromPeer } from './errors.ts';
import { ZERO_NONCE, derive, labelledHash, split } from './labels.ts';
import { pad, unpad } from './padding.ts';
import { type Place, type SealedHeader, type SendStep, sealHeader } from './ratchet.ts';

export const MAX_TEXT = 32_768;
const MAX_SIGNED = 40_000;
const SALT_SIZE = 32;
const CONTENT_KEY_SIZE = 32;
const COMMITMENT_SIZE = 32;
const NO_AD = new Uint8Array(0);

export const TextContent = record('TextContent', { text: text(MAX_TEXT) });
export const ResentContent = record('ResentContent', { id: fixed(MESSAGE_ID_SIZE), text: text(MAX_TEXT) });
export const Content = union({ text: TextContent, resent: ResentContent });
export type Content = Infer<typeof Content>;

/** What the author says and signs: the content, and what it knew when it wrote. */
export const Signed = record('Signed', {
  generation: uint(),
  time: uint(),
  previousSequence: uint(),
  previous: fixed(32),
  sessionVersion: uint(),
  checkpointSize: uint(),
  checkpointRoot: fixed(32),
  content: Content,
});
export type Signed = Infer<typeof Signed>;

const Inner = record('Inner', { signed: bytes(MAX_SIGNED), signature: fixed(3373) });
const AuthorOnly = record('AuthorOnly', { author: Author });

/** The working public key (1984) of a generation of the author; throws if there is none. */
export type FindSigner = (generation: number) => Uint8Array;

export interface SealRequest {
  readonly place: Place;
  readonly confirm: Uint8Array;
  /** Size of the chain that the sender has seen. */
  readonly seen: number;
  readonly aead: AeadName;
  readonly signer: SigningKey;
  /** Null: a fresh one is drawn. */
  readonly id: Uint8Array | null;
  readonly signed: Signed;
}

export interface SealedMessage {
  readonly id: Uint8Array;
  readonly contentKey: Uint8Array;
  /** Body of the `message` entry. */
  readonly body: Uint8Array;
}

/** Seals under a step of the ratchet. Randomness: id 16 unless one is given, salt 32, content key 32. */
export async function sealEnvelope(request: SealRequest, step: SendStep, random: RandomBytes): Promise<SealedMessage> {
  const { place, confirm, seen, aead } = request;
  const id = request.id ?? random(MESSAGE_ID_SIZE);
  const [salt, contentKey] = [random(SALT_SIZE), random(CONTENT_KEY_SIZE)];
  const header = await sealHeader(step.header, step.headerKey, salt, headerAd(place, id));
  const author: Author = { kind: 'member', account: place.author };
  const open = { suite: 'SM1', author, session: place.session, id, seen, salt, aead, header } as const;
  const context = contextOf(place.thread, open);
  const wrap = await AES_256_GCM.seal(wrapKey(step.messageKey, confirm, open.salt, context), ZERO_NONCE, contentKey, NO_AD);
  const { key, commitment } = contentKeys(aead, contentKey, salt, context);
  const cipher = aeadByName(aead);
  const inner = await sealInner(request, context, commitment);
  const body = await cipher.seal(key, new Uint8Array(cipher.nonceSize), pad(inner), context);
  return { id, contentKey, body: Envelope.encode({ ...open, wrap, commitment, body }) };
}

async function sealInner({ signer, signed }: SealRequest, context: Uint8Array, commitment: Uint8Array): Promise<Uint8Array> {
  const encoded = Signed.encode(signed);
  const signature = await signDetached(signer, TYPE_MESSAGE, encode([context, commitment, encoded]));
  return Inner.encode({ signed: encoded, signature });
}

/** What the ratchet needs of an envelope to find its message key. */
export function sealedHeader(envelope: Envelope, thread: Uint8Array): SealedHeader {
  const place = { thread, session: envelope.session, author: envelope.author.account };
  return { header: envelope.header, salt: envelope.salt, ad: headerAd(place, envelope.id), place };
}

export interface OpenedMessage {
  readonly contentKey: Uint8Array;
  readonly signed: Signed;
}

/** Opens with the message key. Throws AuthenticationFailed, PeerViolation, or what `signer` throws. */
export async function openEnvelope(envelope: Envelope, thread: Uint8Array, confirm: Uint8Array, messageKey: Uint8Array, signer: FindSigner): Promise<OpenedMessage> {
  const context = contextOf(thread, envelope);
  const contentKey = await fromPeer('wrap', () =>
    AES_256_GCM.open(wrapKey(messageKey, confirm, envelope.salt, context), ZERO_NONCE, envelope.wrap, NO_AD));
  return { contentKey, signed: await openContent(envelope, context, contentKey, signer) };
}

/** Opens an entry of the history by its content key alone; errors as for openEnvelope. */
export function openArchived(envelope: Envelope, thread: Uint8Array, contentKey: Uint8Array, signer: FindSigner): Promise<Signed> {
  return openContent(envelope, contextOf(thread, envelope), contentKey, signer);
}

async function openContent(envelope: Envelope, context: Uint8Array, contentKey: Uint8Array, signer: FindSigner): Promise<Signed> {
  const { key, commitment } = contentKeys(envelope.aead, contentKey, envelope.salt, context);
  if (!equal(commitment, envelope.commitment)) throw new AuthenticationFailed('commitment: of another key');
  const cipher = aeadByName(envelope.aead);
  const padded = await fromPeer('body', () => cipher.open(key, new Uint8Array(cipher.nonceSize), envelope.body, context));
  const inner = await fromPeer('content', () => Inner.decode(unpad(padded)));
  const signed = await fromPeer('content', () => Signed.decode(inner.signed));
  const publicKey = signer(signed.generation);
  await fromPeer('signature', () =>
    verifyDetached(publicKey, TYPE_MESSAGE, encode([context, commitment, inner.signed]), inner.signature));
  return signed;
}

type OpenPart = Pick<Envelope, 'author' | 'session' | 'id' | 'seen' | 'salt' | 'aead' | 'header'>;

/** Everything around the ciphertext, in one hash. */
function contextOf(thread: Uint8Array, { author, session, id, seen, salt, aead, header }: OpenPart): Uint8Array {
  const [authorValue] = AuthorOnly.toValue({ author });
  return labelledHash('securemsg/context/1', encode([thread, authorValue!, session, id, seen, aead, salt, header]));
}

function headerAd({ thread, author, session }: Place, id: Uint8Array): Uint8Array {
  return encode([thread, author, session, id]);
}

function wrapKey(messageKey: Uint8Array, confirm: Uint8Array, salt: Uint8Array, context: Uint8Array): Uint8Array {
  return derive(messageKey, salt, 'securemsg/wrap/1', 32, context, confirm);
}

function contentKeys(aead: AeadName, contentKey: Uint8Array, salt: Uint8Array, context: Uint8Array): { key: Uint8Array; commitment: Uint8Array } {
  const { keySize } = aeadByName(aead);
  const [key, commitment] = split(derive(contentKey, salt, 'securemsg/content/1', keySize + COMMITMENT_SIZE, context), keySize, COMMITMENT_SIZE);
  return { key: key!, commitment: commitment! };
}
