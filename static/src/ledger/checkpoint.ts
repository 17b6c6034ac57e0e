/**
 * Signed tree heads: C2SP tlog-checkpoint in a signed note with an Ed25519 and an ML-DSA-65 line.
 * Sizes and key ids: docs/spec/ledger.md, "Checkpoint".
 */

import { concat, equalBytes, fromUtf8, utf8 } from '../crypto/bytes.ts';
import { InvalidParameter } from '../crypto/errors.ts';
import { sha256 } from '../crypto/hash.ts';
import { ED25519, ML_DSA_65, type SigningKey } from '../crypto/signature.ts';
import { BadCheckpoint } from './errors.ts';

export const MAX_CHECKPOINT = 65_536;
const MAX_LINES = 16;
const CONTEXT = utf8('securemsg/checkpoint/1');
const ED_TYPE = Uint8Array.of(0x01);
const ML_TYPE = concat(Uint8Array.of(0xff), utf8('securemsg-mldsa65'));
const ED_PUBLIC = 32;
const KEY_ID = 4;
const ORIGIN = /^[!-*,-~]{1,255}$/;
const SIZE = /^(?:0|[1-9][0-9]{0,15})$/;
const ROOT = /^[A-Za-z0-9+/]{43}=$/;
const LINE = /^— ([!-*,-~]{1,255}) ([A-Za-z0-9+/]+={0,2})$/;

/** A log of `origin` has `size` leaves and this RFC 6962 root. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

/** A parsed note, not yet verified; `text` is what its lines sign. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly text: Uint8Array;
  readonly signatures: readonly NoteSignature[];
}

export function ed25519KeyId(name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(utf8(`${name}\n`), ED_TYPE, publicKey).slice(0, KEY_ID);
}

export function mlDsa65KeyId(name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(utf8(`${name}\n`), ML_TYPE, publicKey).slice(0, KEY_ID);
}

/** The signed note with both lines. */
export async function signCheckpoint(
  checkpoint: Checkpoint,
  keys: { readonly ed25519: SigningKey; readonly mlDsa65: SigningKey },
): Promise<Uint8Array> {
  const { origin, size, root } = checkpoint;
  if (!ORIGIN.test(origin)) throw new InvalidParameter("an origin is printable ASCII without '+'");
  const body = `${origin}\n${size}\n${toBase64(root)}\n`;
  const ed = await keys.ed25519.sign(utf8(body));
  const ml = await keys.mlDsa65.sign(utf8(body), CONTEXT);
  const line = (keyId: Uint8Array, signature: Uint8Array): string =>
    `— ${origin} ${toBase64(concat(keyId, signature))}\n`;
  const first = line(ed25519KeyId(origin, keys.ed25519.public), ed);
  return utf8(`${body}\n${first}${line(mlDsa65KeyId(origin, keys.mlDsa65.public), ml)}`);
}

/** Throws BadCheckpoint for what is not a canonical signed note of three lines. */
export function parseCheckpoint(data: Uint8Array): SignedCheckpoint {
  if (data.length > MAX_CHECKPOINT) throw new BadCheckpoint(`longer than ${MAX_CHECKPOINT} bytes`);
  const note = decodeText(data);
  const end = note.indexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw new BadCheckpoint('not a signed note');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MAX_LINES) throw new BadCheckpoint(`more than ${MAX_LINES} signature lines`);
  const text = note.slice(0, end + 1);
  return { checkpoint: parseText(text), text: utf8(text), signatures: lines.map(parseLine) };
}

/**
 * The checkpoint that `serverPublic` (Ed25519 32 ‖ ML-DSA-65 1952) signed with both halves.
 * Throws BadCheckpoint for form, origin or missing lines, InvalidSignature otherwise.
 */
export async function verifyCheckpoint(
  data: Uint8Array,
  origin: string,
  serverPublic: Uint8Array,
): Promise<Checkpoint> {
  const signed = parseCheckpoint(data);
  if (signed.checkpoint.origin !== origin) throw new BadCheckpoint('of another origin');
  const edPublic = serverPublic.slice(0, ED_PUBLIC);
  const mlPublic = serverPublic.slice(ED_PUBLIC);
  const edSignature = signatureOf(signed, origin, ed25519KeyId(origin, edPublic));
  const mlSignature = signatureOf(signed, origin, mlDsa65KeyId(origin, mlPublic));
  await ED25519.verify(edPublic, signed.text, edSignature);
  await ML_DSA_65.verify(mlPublic, signed.text, mlSignature, CONTEXT);
  return signed.checkpoint;
}

/** The signature of the one line of this key. Throws BadCheckpoint. */
export function signatureOf(signed: SignedCheckpoint, name: string, keyId: Uint8Array): Uint8Array {
  const found = signed.signatures.filter((line) => line.name === name && equalBytes(line.keyId, keyId));
  if (found.length !== 1) throw new BadCheckpoint('an expected signature line is missing or doubled');
  return found[0]!.signature;
}

function parseText(text: string): Checkpoint {
  const [origin = '', size = '', root = '', rest, ...more] = text.split('\n');
  const wellFormed = ORIGIN.test(origin) && SIZE.test(size) && ROOT.test(root);
  if (!wellFormed || rest !== '' || more.length > 0) throw new BadCheckpoint('not the three lines of a checkpoint');
  if (Number(size) > Number.MAX_SAFE_INTEGER) throw new BadCheckpoint('size beyond 53 bits');
  return { origin, size: Number(size), root: fromBase64(root) };
}

function parseLine(line: string): NoteSignature {
  const found = LINE.exec(line);
  if (found === null) throw new BadCheckpoint('a malformed signature line');
  const signed = fromBase64(found[2]!);
  if (signed.length <= KEY_ID) throw new BadCheckpoint('a signature line without signature');
  return { name: found[1]!, keyId: signed.slice(0, KEY_ID), signature: signed.slice(KEY_ID) };
}

function decodeText(data: Uint8Array): string {
  try {
    return fromUtf8(data);
  } catch (error) {
    if (error instanceof InvalidParameter) throw new BadCheckpoint('not UTF-8');
    throw error;
  }
}

/** Standard base64 with padding, canonical (RFC 4648 sections 3.5 and 4). */
function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw new BadCheckpoint('not base64');
  const data = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (toBase64(data) !== text) throw new BadCheckpoint('not canonical base64');
  return data;
}

function toBase64(data: Uint8Array): string {
  return btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(''));
}
