/** Who somebody is: root and working keys, the bundle that begins a session, fingerprints (docs/spec/e2ee.md section 1). */

import {
  AccountStatement, Bundle, KIND_ACCOUNT, KIND_KEYS, KeysEntry, KeysStatement, SUITE, TYPE_ACCOUNT, TYPE_KEYS, TYPE_POSSESSION,
} from '../codec/accounts.ts';
import { signDetached, signStatement } from '../codec/statement.ts';
import { AGREEMENT_PRIVATE_SIZE, type AgreementKey, importAgreementKey } from '../crypto/agreement.ts';
import { concat, equalBytes, utf8 } from '../crypto/bytes.ts';
import { sha512 } from '../crypto/hash.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { HYBRID_SEED_SIZE, type SigningKey, importSigningKey } from '../crypto/signature.ts';
import {
  type AccountView, type Keys, type Prekey, type PrekeyBatch, applyEntry, batchLeafHash, checkAgreement, fingerprintOf,
  keysOf, openAccount, openBatch, openKeys, openPrekey,
} from '../ledger/accountchain.ts';
import { verifyInclusion } from '../ledger/merkle.ts';
import { PeerViolation, ServerViolation, fromPeer } from './errors.ts';
import { type AccountEntry, NO_PREKEYS, type Prekeys, addBatch, addSignedPrekey } from './prekeys.ts';

export { fingerprintOf } from '../ledger/accountchain.ts';

/** The private working keys of one generation, ready to be used. */
export interface WorkingKeys {
  readonly generation: number;
  readonly signing: SigningKey;
  readonly agreement: AgreementKey;
}

/** This account as its own clients hold it: its chain's view, and its working keys, newest last. */
export interface LocalIdentity {
  readonly view: AccountView;
  readonly keys: readonly WorkingKeys[];
}

/** Private keys of one generation as bytes: signing 64, agreement 96. They live only until the vault seals them. */
export interface GenerationSecrets {
  readonly generation: number;
  readonly signing: Uint8Array;
  readonly signingPublic: Uint8Array;
  readonly agreement: Uint8Array;
  readonly agreementPublic: Uint8Array;
  readonly created: number;
}

/** All long-term private keys as bytes; `root` is the 64-byte seed. */
export interface IdentitySecrets {
  readonly root: Uint8Array;
  readonly rootPublic: Uint8Array;
  readonly generations: readonly GenerationSecrets[];
}

export interface NewIdentity {
  readonly identity: LocalIdentity;
  readonly root: SigningKey;
  readonly secrets: IdentitySecrets;
  readonly prekeys: Prekeys;
  /** The first entries of the account's chain: account, keys, prekey, prekey-batch. */
  readonly entries: readonly AccountEntry[];
}

export interface IdentityRequest {
  readonly server: Uint8Array;
  readonly account: Uint8Array;
  readonly name: string;
  readonly now: number;
  /** One-time prekeys in the first batch. */
  readonly batch: number;
}

/** How a seed becomes a signing key; vectors need one that signs deterministically. */
export type ImportKey = (seed: Uint8Array) => Promise<SigningKey>;

/** A new account. Randomness: root 64, signing 64, agreement 96, signed prekey 96, 96 for each one-time prekey. */
export async function newIdentity(request: IdentityRequest, random: RandomBytes, importKey: ImportKey = importSigningKey): Promise<NewIdentity> {
  const { server, account, name, now } = request;
  const rootSeed = random(HYBRID_SEED_SIZE);
  const root = await importKey(rootSeed);
  const statement = AccountStatement.encode({ server, account, name, root: root.public, created: now });
  const opened = { kind: KIND_ACCOUNT, body: await signStatement(root, TYPE_ACCOUNT, statement) };
  const first = await newGeneration(root, account, 1, now, random, importKey);
  const signed = await addSignedPrekey(NO_PREKEYS, root, account, now, random);
  const batch = await addBatch(signed.prekeys, root, account, request.batch, now, random);
  const entries = [opened, first.entry, signed.entry, batch.entry];
  const identity = { view: await viewOf(entries, server, account), keys: [first.keys] };
  const secrets = { root: rootSeed, rootPublic: root.public, generations: [first.secrets] };
  return { identity, root, secrets, prekeys: batch.prekeys, entries };
}

export interface NewGeneration {
  readonly keys: WorkingKeys;
  readonly secrets: GenerationSecrets;
  readonly entry: AccountEntry;
}

/** A generation of working keys with its root signature and proof of possession. Randomness: 64, 96. */
export async function newGeneration(root: SigningKey, account: Uint8Array, generation: number, now: number, random: RandomBytes, importKey: ImportKey = importSigningKey): Promise<NewGeneration> {
  const [signingSeed, agreementPrivate] = [random(HYBRID_SEED_SIZE), random(AGREEMENT_PRIVATE_SIZE)];
  const signing = await importKey(signingSeed);
  const agreement = await importAgreementKey(agreementPrivate);
  const payload = KeysStatement.encode({
    account, generation, signing: signing.public, agreement: agreement.public, suites: [SUITE], created: now,
  });
  const statement = await signStatement(root, TYPE_KEYS, payload);
  const possession = await signDetached(signing, TYPE_POSSESSION, payload);
  return {
    keys: { generation, signing, agreement },
    secrets: {
      generation, signing: signingSeed, signingPublic: signing.public,
      agreement: agreementPrivate, agreementPublic: agreement.public, created: now,
    },
    entry: { kind: KIND_KEYS, body: KeysEntry.encode({ statement, possession }) },
  };
}

/** The view of a whole account chain. Throws PeerViolation. */
export async function viewOf(entries: readonly { readonly kind: string; readonly body: Uint8Array | null }[], server: Uint8Array, account: Uint8Array): Promise<AccountView> {
  return fromPeer('account chain', async () => {
    const [first, ...rest] = entries;
    if (first === undefined || first.kind !== KIND_ACCOUNT || first.body === null) throw new PeerViolation('account chain: no account statement');
    let view = await openAccount(first.body, server, account);
    for (const { kind, body } of rest) view = await applyEntry(view, kind, body);
    return view;
  });
}

/** A verified bundle: whom a handshake is for, and with which of their keys. */
export interface PeerBundle {
  /** The account itself; its lists of keys are empty here. */
  readonly view: AccountView;
  readonly keys: Keys;
  readonly prekey: Prekey;
  readonly oneTime: { readonly batch: PrekeyBatch; readonly index: number; readonly key: Uint8Array } | null;
}

export interface ExpectedPeer {
  readonly server: Uint8Array;
  readonly account: Uint8Array;
  /** The fingerprint that was accepted before; null on first contact, when the caller pins the bundle's. */
  readonly pinned: Uint8Array | null;
}

/** Verifies every signature, account id, the possession and the path. Throws PeerViolation. */
export async function openBundle(data: Uint8Array, { server, account, pinned }: ExpectedPeer): Promise<PeerBundle> {
  return fromPeer('bundle', async () => {
    const bundle = Bundle.decode(data);
    const view = await openAccount(bundle.account, server, account);
    if (pinned !== null && !equalBytes(fingerprintOf(view.root), pinned)) throw new PeerViolation('bundle: another root than the pinned one');
    const keys = await openKeys(view, bundle.keys);
    const prekey = await openPrekey(view, bundle.prekey);
    return { view, keys, prekey, oneTime: bundle.oneTime === null ? null : await openOneTime(view, bundle.oneTime) };
  });
}

async function openOneTime(view: AccountView, { batch: statement, index, key, path }: NonNullable<Bundle['oneTime']>): Promise<PeerBundle['oneTime']> {
  const batch = await openBatch(view, statement);
  verifyInclusion(batchLeafHash(batch.batch, index, key), index, batch.count, path, batch.root);
  checkAgreement(key);
  return { batch, index, key };
}

/**
 * Refuses a bundle that is older than what the account's chain already showed: PeerViolation for another
 * root or other keys, ServerViolation for superseded ones.
 */
export function checkCurrent(bundle: PeerBundle, view: AccountView): void {
  if (!equalBytes(bundle.view.root, view.root)) throw new PeerViolation("bundle: another root than the account's");
  if (bundle.keys.generation < view.keys.length || bundle.prekey.id < view.prekeys.length) {
    throw new ServerViolation('bundle: keys that were superseded');
  }
  const known = keysOf(view, bundle.keys.generation);
  if (known !== null && !equalBytes(known.statement, bundle.keys.statement)) {
    throw new PeerViolation("bundle: other keys than the account's chain has");
  }
}

/** The safety number of two accounts by their fingerprints: 12 groups of five digits. */
export function safetyNumber(mine: Uint8Array, theirs: Uint8Array): string {
  const [lower, higher] = compare(mine, theirs) <= 0 ? [mine, theirs] : [theirs, mine];
  const digest = sha512(concat(utf8('securemsg/safety/1'), lower, higher));
  const group = (at: number): string => {
    const value = digest.subarray(at, at + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(value % 100_000).padStart(5, '0');
  };
  return Array.from({ length: 12 }, (_, index) => group(5 * index)).join(' ');
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
