/**
 * Signed statements: COSE_Sign1 (RFC 9052 section 4.2) under Ed25519+ML-DSA-65.
 * The layout is fixed byte by byte in docs/spec/encoding.md, "Statements".
 */

import { concat, equalBytes, fromHex, utf8 } from '../crypto/bytes.ts';
import { HYBRID, type SigningKey, hybridKeyId } from '../crypto/signature.ts';
import { decode, encode } from './cbor.ts';
import { MalformedData, Unencodable } from './errors.ts';

export const ALGORITHM = -65537;
export const SIGNATURE_SIZE = 3373;
const CONTEXT = utf8('securemsg/statement/1');
const DEFAULT_LIMIT = 65_536;
const KEY_ID_SIZE = 32;
const TYPE_NAME = /^[!-~]{1,64}$/;

const START = fromHex('d284582b');
const PROTECTED = fromHex('a2013a00010000045820');
const UNPROTECTED = fromHex('a0');
const KEY_ID_AT = START.length + PROTECTED.length;
const PAYLOAD_AT = KEY_ID_AT + KEY_ID_SIZE + UNPROTECTED.length;

/** The tagged COSE_Sign1 of `payload` as a statement of `typeName`. */
export async function signStatement(key: SigningKey, typeName: string, payload: Uint8Array): Promise<Uint8Array> {
  const signature = await signDetached(key, typeName, payload);
  const rest = encode([payload, signature]).subarray(1);
  return concat(START, PROTECTED, hybridKeyId(key.public), UNPROTECTED, rest);
}

/**
 * The payload of a statement of `typeName` signed by `publicKey` (1984 bytes).
 * Throws MalformedData when the layout is not ours or names another key, InvalidSignature when
 * either signature does not verify.
 */
export async function openStatement(
  publicKey: Uint8Array,
  typeName: string,
  data: Uint8Array,
  limit: number = DEFAULT_LIMIT,
): Promise<Uint8Array> {
  const { keyId, payload, signature } = split(data, limit);
  if (!equalBytes(keyId, hybridKeyId(publicKey))) {
    throw new MalformedData('statement: signed under another key');
  }
  await verifyDetached(publicKey, typeName, payload, signature);
  return payload;
}

/** The key id that a statement names: a hint for the look-up, not yet verified. */
export function statementKeyId(data: Uint8Array, limit: number = DEFAULT_LIMIT): Uint8Array {
  return split(data, limit).keyId;
}

/** The payload, not yet verified: only to learn from it which key to verify with. */
export function unverifiedPayload(data: Uint8Array, limit: number = DEFAULT_LIMIT): Uint8Array {
  return split(data, limit).payload;
}

/** The 3373-byte signature alone. */
export function signDetached(key: SigningKey, typeName: string, payload: Uint8Array): Promise<Uint8Array> {
  return key.sign(toBeSigned(hybridKeyId(key.public), typeName, payload), CONTEXT);
}

/** Throws InvalidSignature unless `signature` is `publicKey`'s over `payload` as `typeName`. */
export async function verifyDetached(
  publicKey: Uint8Array,
  typeName: string,
  payload: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  await HYBRID.verify(publicKey, toBeSigned(hybridKeyId(publicKey), typeName, payload), signature, CONTEXT);
}

/** Sig_structure of RFC 9052 section 4.4; external_aad is the type name. */
function toBeSigned(keyId: Uint8Array, typeName: string, payload: Uint8Array): Uint8Array {
  if (!TYPE_NAME.test(typeName)) {
    throw new Unencodable('statement: type name is not 1 to 64 characters of ASCII');
  }
  return encode(['Signature1', concat(PROTECTED, keyId), utf8(typeName), payload]);
}

function split(
  data: Uint8Array,
  limit: number,
): { keyId: Uint8Array; payload: Uint8Array; signature: Uint8Array } {
  if (data.length > limit) throw new MalformedData(`statement: longer than ${limit} bytes`);
  const keyId = data.slice(KEY_ID_AT, KEY_ID_AT + KEY_ID_SIZE);
  if (!equalBytes(data.subarray(0, PAYLOAD_AT), concat(START, PROTECTED, keyId, UNPROTECTED))) {
    throw new MalformedData('statement: not a COSE_Sign1 with the expected headers');
  }
  // What follows the headers are the array's last two items: read as an array of two.
  const rest = decode(concat(Uint8Array.of(0x82), data.subarray(PAYLOAD_AT)), limit);
  const [payload, signature] = rest as readonly unknown[];
  if (!(payload instanceof Uint8Array && signature instanceof Uint8Array && signature.length === SIGNATURE_SIZE)) {
    throw new MalformedData('statement: payload or signature of the wrong form');
  }
  return { keyId, payload, signature };
}
