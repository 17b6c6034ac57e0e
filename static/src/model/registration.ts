/** All that a new account is, made before anything is sent: identity, vault, files, one request (docs/spec/e2ee.md sections 1 and 6). */

import { MAX_BATCH } from '../codec/accounts.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { AccountKeys, type OpenKeys, openAccountKeys, sealAccountKeys } from '../e2ee/accountkeys.ts';
import { type IdentitySecrets, newIdentity } from '../e2ee/identity.ts';
import { Prekeys } from '../e2ee/prekeys.ts';
import { type Unlocked, deriveFromRecovery, formatRecoveryCode, newRecoveryCode } from '../e2ee/unlock.ts';
import { type Vault, WRAPS_PATH, createVault, filePath, sealFile } from '../e2ee/vault.ts';
import { Contacts, LABEL_CONTACTS, LABEL_KEYS, LABEL_PREKEYS, LABEL_SETTINGS, Settings } from '../e2ee/vaultfiles.ts';
import type { PutFile, Registration } from '../net/records.ts';
import { checkOpens } from './epochs.ts';

/** Draws of randomness that newIdentity makes before those of its one-time prekeys. */
const FIRST_DRAWS = 4;

export interface RegistrationRequest {
  readonly server: Uint8Array;
  readonly serverFingerprint: Uint8Array;
  readonly account: Uint8Array;
  readonly name: string;
  readonly ticket: Uint8Array;
  readonly now: number;
  readonly password: Unlocked;
  readonly recovery: RecoveryKeys | null;
  readonly random: RandomBytes;
  readonly onFraction: (fraction: number) => void;
}

export interface NewAccount {
  readonly registration: Registration;
  readonly vault: Vault;
  readonly keys: OpenKeys;
}

/** A new recovery code in its two forms: what its owner writes down, and what it unlocks. */
export interface RecoveryKeys {
  readonly code: string;
  readonly unlocked: Unlocked;
}

export async function newRecovery(account: Uint8Array, random: RandomBytes): Promise<RecoveryKeys> {
  const code = newRecoveryCode(random);
  try {
    return { code: formatRecoveryCode(code), unlocked: await deriveFromRecovery(code, account) };
  } finally {
    code.fill(0);
  }
}

/** Makes and seals everything, and opens the result again: what does not open is never registered. */
export async function newAccount(request: RegistrationRequest): Promise<NewAccount> {
  const { server, account, name, now, password, recovery, random } = request;
  const made = await newIdentity({ server, account, name, now, batch: MAX_BATCH }, counted(random, request.onFraction));
  const owners = { password: password.key, recovery: recovery?.unlocked.key ?? null };
  const { vault, wraps } = await createVault(account, owners, random);
  const sealed = await sealAccountKeys(vault, made.secrets, random);
  wipeSecrets(made.secrets);
  const prekeys = Prekeys.encode(made.prekeys);
  wipePrekeys(made.prekeys);
  const puts = [
    firstVersion(WRAPS_PATH, wraps),
    await newFile(vault, LABEL_KEYS, AccountKeys.encode(sealed), random),
    await newFile(vault, LABEL_PREKEYS, prekeys, random),
    await newFile(vault, LABEL_CONTACTS, Contacts.encode({ contacts: [] }), random),
    await newFile(vault, LABEL_SETTINGS, Settings.encode(defaultSettings(request.serverFingerprint)), random),
  ];
  prekeys.fill(0);
  await checkOpens(wraps, account, owners);
  const keys = await openAccountKeys(vault, sealed);
  const [accountStatement, keysEntry, prekeyStatement, batchEntry] = made.entries.map(({ body }) => body);
  const registration = {
    ticket: request.ticket, accountStatement: accountStatement!, keysEntry: keysEntry!, prekeyStatement: prekeyStatement!,
    batchEntry: batchEntry!, loginKey: password.loginKey, recoveryLoginKey: recovery?.unlocked.loginKey ?? null, puts,
  };
  request.onFraction(1);
  return { registration, vault, keys };
}

/** The vault's first settings; the server's fingerprint in them is the pin. */
function defaultSettings(serverFingerprint: Uint8Array): Settings {
  return {
    serverFingerprint, checkpointSize: 0, checkpointRoot: new Uint8Array(32), sendReadMarks: true, language: 'auto', theme: 'auto',
  };
}

function firstVersion(path: Uint8Array, blob: Uint8Array): PutFile {
  return { path, expected: 0, blob, delete: false };
}

async function newFile(vault: Vault, label: string, plaintext: Uint8Array, random: RandomBytes): Promise<PutFile> {
  const path = await filePath(vault, label);
  return firstVersion(path, await sealFile(vault, path, 1, plaintext, random));
}

/** Tells how far the making of keys is by what it draws: the long-term keys first, then the batch. */
function counted(random: RandomBytes, onFraction: (fraction: number) => void): RandomBytes {
  let draws = 0;
  return (size) => {
    if (draws <= FIRST_DRAWS) onFraction(draws / (FIRST_DRAWS + 2));
    draws += 1;
    return random(size);
  };
}

function wipeSecrets({ root, generations }: IdentitySecrets): void {
  for (const secret of [root, ...generations.flatMap(({ signing, agreement }) => [signing, agreement])]) secret.fill(0);
}

function wipePrekeys({ signed, batches }: Prekeys): void {
  for (const one of signed) one.private.fill(0);
  for (const { keys } of batches) for (const key of keys) key?.fill(0);
}
