/** Long-term private keys in the vault: each a blob of its own, unwrapped into a key that only the browser holds (docs/spec/e2ee.md section 6). */

import { encode } from '../codec/cbor.ts';
import { type Infer, bytes, fixed, many, nested, record, uint } from '../codec/schema.ts';
import { utf8 } from '../crypto/bytes.ts';
import { encodeAgreement, encodeSigning, sealKeyBlob, unwrapAgreement, unwrapSigning } from '../crypto/keyblob.ts';
import { DecryptionFailed } from '../crypto/errors.ts';
import { subtle } from '../crypto/provider.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { SigningKey } from '../crypto/signature.ts';
import { type AesKeyUsage, deriveAesKey } from '../crypto/vaultkey.ts';
import { fromPeer } from './errors.ts';
import type { GenerationSecrets, IdentitySecrets, WorkingKeys } from './identity.ts';
import { NO_SALT } from './labels.ts';
import { type Vault, vaultKeyOf } from './vault.ts';

const NONCE_SIZE = 12;
const MAX_BLOB = 128;
export const MAX_GENERATIONS = 16;

export const KeyBlobs2 = record('KeyBlobs2', { ed: bytes(MAX_BLOB), mldsa: bytes(MAX_BLOB) });
export type KeyBlobs2 = Infer<typeof KeyBlobs2>;

export const Generation = record('Generation', {
  generation: uint(),
  signing: nested(KeyBlobs2),
  signingPublic: fixed(1984),
  x: bytes(MAX_BLOB),
  kem: bytes(MAX_BLOB),
  agreementPublic: fixed(1600),
  created: uint(),
});
export type Generation = Infer<typeof Generation>;

/** The plaintext of the vault's file "keys". */
export const AccountKeys = record('AccountKeys', {
  root: nested(KeyBlobs2),
  rootPublic: fixed(1984),
  generations: many(nested(Generation), MAX_GENERATIONS),
});
export type AccountKeys = Infer<typeof AccountKeys>;

/** Seals all keys. Randomness: a nonce of 12 for each blob, root first, then each generation's ed, mldsa, x, kem. */
export async function sealAccountKeys(vault: Vault, secrets: IdentitySecrets, random: RandomBytes): Promise<AccountKeys> {
  const sealer = await sealerOf(vault, random);
  const root = await sealSigning(sealer, 'root', secrets.root);
  const generations: Generation[] = [];
  for (const one of secrets.generations) generations.push(await sealGeneration(sealer, one));
  return { root, rootPublic: secrets.rootPublic, generations };
}

/** With one more generation; beyond sixteen the oldest goes. Randomness: four nonces. */
export async function addGeneration(vault: Vault, keys: AccountKeys, secrets: GenerationSecrets, random: RandomBytes): Promise<AccountKeys> {
  const added = await sealGeneration(await sealerOf(vault, random), secrets);
  return { ...keys, generations: [...keys.generations, added].slice(-MAX_GENERATIONS) };
}

export interface OpenKeys {
  readonly root: SigningKey;
  readonly keys: readonly WorkingKeys[];
}

/** The keys, ready to be used and, where the browser has the algorithm, not to be read. Throws AuthenticationFailed or PeerViolation. */
export async function openAccountKeys(vault: Vault, sealed: AccountKeys): Promise<OpenKeys> {
  const wrapping = await wrappingKey(vault, ['unwrapKey', 'decrypt']);
  const ad = (name: string): Uint8Array => blobAd(vault.account, name);
  return fromPeer('account keys', async () => {
    const signing = (name: string, blobs: KeyBlobs2, publicKey: Uint8Array): Promise<SigningKey> =>
      unwrapSigning(wrapping, blobs, publicKey, { ed: ad(`${name}/ed`), mldsa: ad(`${name}/mldsa`) });
    const root = await signing('root', sealed.root, sealed.rootPublic);
    const keys: WorkingKeys[] = [];
    for (const { generation, ...one } of sealed.generations) {
      keys.push({
        generation,
        signing: await signing(String(generation), one.signing, one.signingPublic),
        agreement: await unwrapAgreement(wrapping, one, one.agreementPublic, { x: ad(`${generation}/x`), kem: ad(`${generation}/kem`) }),
      });
    }
    return { root, keys };
  });
}

/** The same keys under the vault's newest epoch. Randomness as for sealAccountKeys. Throws AuthenticationFailed. */
export async function rewrapAccountKeys(vault: Vault, epoch: number, sealed: AccountKeys, random: RandomBytes): Promise<AccountKeys> {
  const old = await wrappingKey(vault, ['decrypt'], epoch);
  const sealer = await sealerOf(vault, random);
  const again = async (name: string, blob: Uint8Array): Promise<Uint8Array> => {
    const secret = await openBlob(old, blob, blobAd(vault.account, name));
    const resealed = await sealer(name, secret);
    secret.fill(0);
    return resealed;
  };
  const pair = async (name: string, { ed, mldsa }: KeyBlobs2): Promise<KeyBlobs2> =>
    ({ ed: await again(`${name}/ed`, ed), mldsa: await again(`${name}/mldsa`, mldsa) });
  const root = await pair('root', sealed.root);
  const generations: Generation[] = [];
  for (const one of sealed.generations) {
    const name = String(one.generation);
    const signing = await pair(name, one.signing);
    generations.push({ ...one, signing, x: await again(`${name}/x`, one.x), kem: await again(`${name}/kem`, one.kem) });
  }
  return { ...sealed, root, generations };
}

async function openBlob(key: CryptoKey, blob: Uint8Array, ad: Uint8Array): Promise<Uint8Array> {
  return fromPeer('account keys', async () => {
    const algorithm = { name: 'AES-GCM', iv: blob.slice(0, NONCE_SIZE), additionalData: ad };
    try {
      return new Uint8Array(await subtle().decrypt(algorithm, key, blob.slice(NONCE_SIZE)));
    } catch (error) {
      if (error instanceof DOMException) throw new DecryptionFailed('key blob: not authentic');
      throw error;
    }
  });
}

type Sealer = (name: string, privateEncoding: Uint8Array) => Promise<Uint8Array>;

async function sealerOf(vault: Vault, random: RandomBytes): Promise<Sealer> {
  const key = await wrappingKey(vault, ['encrypt']);
  return (name, privateEncoding) => sealKeyBlob(key, privateEncoding, random(NONCE_SIZE), blobAd(vault.account, name));
}

async function sealSigning(sealer: Sealer, name: string, seed: Uint8Array): Promise<KeyBlobs2> {
  const { ed, mldsa } = encodeSigning(seed);
  return { ed: await sealer(`${name}/ed`, ed), mldsa: await sealer(`${name}/mldsa`, mldsa) };
}

async function sealGeneration(sealer: Sealer, secrets: GenerationSecrets): Promise<Generation> {
  const { generation, signingPublic, agreementPublic, created } = secrets;
  const signing = await sealSigning(sealer, String(generation), secrets.signing);
  const { x, kem } = encodeAgreement(secrets.agreement);
  return {
    generation, signing, signingPublic, agreementPublic, created,
    x: await sealer(`${generation}/x`, x), kem: await sealer(`${generation}/kem`, kem),
  };
}

function wrappingKey(vault: Vault, usages: readonly AesKeyUsage[], epoch: number = vault.epoch): Promise<CryptoKey> {
  return deriveAesKey(vaultKeyOf(vault, epoch), NO_SALT, utf8('securemsg/key-blobs/1'), usages);
}

function blobAd(account: Uint8Array, name: string): Uint8Array {
  return encode([account, name]);
}
