/**
 * Ed25519 (RFC 8032), strict and the same on every platform: A and R must be canonical and not of small
 * order, s < L, and the equation without cofactor must hold, which is the check that OpenSSL and the
 * browsers make. `context` must be empty: pure Ed25519 has none.
 */

import { ed25519 } from '@noble/curves/ed25519.js';
import { equalBytes, fromHex } from './bytes.ts';
import { checkKeySize, InvalidParameter, InvalidSignature } from './errors.ts';
import { sha512 } from './hash.ts';
import { toPkcs8 } from './pkcs8.ts';
import { nativePublic, servedNatively, subtle } from './provider.ts';
import { NO_CONTEXT, type SigningKey, type SignatureScheme } from './scheme.ts';

const NAME = 'Ed25519';
const KEY_SIZE = 32;
const SIGNATURE_SIZE = 64;
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const SIGN_BIT = 2n ** 255n;
/** The y coordinates of the eight points whose order divides 8: orders 1, 2, 4, 8 and 8, whatever the sign of x. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  1n,
  P - 1n,
  0n,
  littleEndian(fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')),
  littleEndian(fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')),
]);

const ALGORITHM = { name: NAME };
const USAGES = ['sign'];

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

/**
 * RFC 8032 section 5.1.3 asks for y < p; small order is refused besides, because such points verify for
 * several keys or messages. The two points with x = 0, for which a sign bit is not canonical, are of small order.
 */
function isStrictPoint(encoded: Uint8Array): boolean {
  const y = littleEndian(encoded) & (SIGN_BIT - 1n);
  return y < P && !SMALL_ORDER_Y.has(y);
}

function isStrictInput(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return isStrictPoint(publicKey)
    && isStrictPoint(signature.subarray(0, 32))
    && littleEndian(signature.subarray(32)) < L;
}

/** The library decides with the cofactor; encode([s]B - [k]A) = R is asked besides, as the platforms do. */
function portableVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!ed25519.verify(signature, message, publicKey, { zip215: false })) return false;
  const r = signature.subarray(0, 32);
  const k = littleEndian(sha512(r, publicKey, message)) % L;
  const a = ed25519.Point.fromBytes(publicKey);
  const expected = ed25519.Point.BASE.multiplyUnsafe(littleEndian(signature.subarray(32))).subtract(a.multiplyUnsafe(k));
  return equalBytes(expected.toBytes(), r);
}

async function nativeVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    const key = await subtle().importKey('raw', publicKey, ALGORITHM, false, ['verify']);
    return await subtle().verify(ALGORITHM, key, signature, message);
  } catch (error) {
    // Some browsers refuse bytes that are no point on import, others on verification.
    if (error instanceof DOMException) return false;
    throw error;
  }
}

function checkNoContext(context: Uint8Array): void {
  if (context.length !== 0) throw new InvalidParameter('Ed25519 takes no context');
}

class NativeEd25519 implements SigningKey {
  readonly public: Uint8Array;
  readonly #key: CryptoKey;

  constructor(key: CryptoKey, publicKey: Uint8Array) {
    this.#key = key;
    this.public = publicKey;
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkNoContext(context);
    return new Uint8Array(await subtle().sign(ALGORITHM, this.#key, message));
  }
}

class PortableEd25519 implements SigningKey {
  readonly public: Uint8Array;
  readonly #seed: Uint8Array;

  constructor(seed: Uint8Array) {
    this.#seed = seed.slice();
    this.public = ed25519.getPublicKey(this.#seed);
  }

  async sign(message: Uint8Array, context: Uint8Array = NO_CONTEXT): Promise<Uint8Array> {
    checkNoContext(context);
    return ed25519.sign(message, this.#seed);
  }
}

export const ED25519: SignatureScheme = {
  name: NAME,
  publicSize: KEY_SIZE,
  seedSize: KEY_SIZE,
  async generate(seed) {
    checkKeySize(seed, KEY_SIZE, 'Ed25519 seed');
    if (!(await servedNatively(NAME))) return new PortableEd25519(seed);
    return ed25519FromCryptoKey(await subtle().importKey('pkcs8', toPkcs8(NAME, seed), ALGORITHM, false, USAGES));
  },
  async verify(publicKey, message, signature, context = NO_CONTEXT) {
    checkNoContext(context);
    const valid = publicKey.length === KEY_SIZE
      && signature.length === SIGNATURE_SIZE
      && isStrictInput(publicKey, signature)
      && ((await servedNatively(NAME)) ? await nativeVerify(publicKey, message, signature) : portableVerify(publicKey, message, signature));
    if (!valid) throw new InvalidSignature('Ed25519: the signature does not verify');
  },
};

/** The key held by the browser as a private CryptoKey of Ed25519 with usage sign. */
export async function ed25519FromCryptoKey(key: CryptoKey): Promise<SigningKey> {
  return new NativeEd25519(key, await nativePublic(key, ['verify']));
}
