/** An account with its keys loaded, and how it is opened out of its vault: nothing is used before it was checked. */

import { equalBytes, toHex } from '../crypto/bytes.ts';
import type { SigningKey } from '../crypto/signature.ts';
import { AccountKeys, openAccountKeys } from '../e2ee/accountkeys.ts';
import { RolledBack } from '../e2ee/errors.ts';
import { type LocalIdentity, type WorkingKeys, fingerprintOf } from '../e2ee/identity.ts';
import { type Vault, filePath, openFile } from '../e2ee/vault.ts';
import { FILE_LIMIT, LABEL_KEYS, LABEL_SETTINGS, Settings } from '../e2ee/vaultfiles.ts';
import { type AccountView, keysOf } from '../ledger/accountchain.ts';
import type { Http } from '../net/http.ts';
import type { DeviceAccount } from './device.ts';
import { People } from './people.ts';
import type { RawFolder } from './rawfolder.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';

/** Argon2id parameters that the password of this account is stretched with. */
export interface Stretching {
  readonly memoryKib: number;
  readonly passes: number;
}

/** A signed-in account; its long-term keys cannot be read out where the browser has the algorithms. */
export interface OpenAccount {
  readonly account: Uint8Array;
  readonly name: string;
  readonly session: string;
  readonly vault: Vault;
  readonly root: SigningKey;
  readonly identity: LocalIdentity;
  /** For Device texts. */
  readonly localKey: CryptoKey;
  readonly hasRecovery: boolean;
  readonly epoch: number;
  readonly kdf: Stretching;
}

/** What this browser keeps of an account; one without vault keys has ended and keeps only what was not sent yet. */
export interface RememberedAccount extends DeviceAccount {
  readonly kdf: Stretching;
}

export interface OwnFiles {
  readonly root: SigningKey;
  readonly keys: readonly WorkingKeys[];
  readonly settings: Settings;
}

/** The keys and the settings. Throws AuthenticationFailed, PeerViolation, ServerMisbehaved. */
export async function openOwnFiles(folder: RawFolder, vault: Vault, server: ServerView): Promise<OwnFiles> {
  const settings = Settings.decode(await requiredFile(folder, vault, LABEL_SETTINGS), FILE_LIMIT);
  if (!equalBytes(settings.serverFingerprint, server.fingerprint)) {
    throw new ServerMisbehaved('another server than the one that this account was made on');
  }
  const sealed = AccountKeys.decode(await requiredFile(folder, vault, LABEL_KEYS), FILE_LIMIT);
  return { ...(await openAccountKeys(vault, sealed)), settings };
}

async function requiredFile(folder: RawFolder, vault: Vault, label: string): Promise<Uint8Array> {
  const path = await filePath(vault, label);
  const found = await folder.read(path);
  if (found === null) throw new ServerMisbehaved(`the account's ${label} are missing`);
  return openFile(vault, path, found.version, found.blob);
}

/**
 * The account as its chain has it, held to the root that the vault has and to the log that the vault saw.
 * Throws RootChanged, RolledBack, ServerMisbehaved.
 */
export async function openIdentity(http: Http, server: ServerView, account: Uint8Array, files: OwnFiles): Promise<LocalIdentity> {
  const { checkpointSize: size, checkpointRoot: root } = files.settings;
  server.remember({ size, root });
  const own = fingerprintOf(files.root.public);
  const people = new People(http, server, (asked) => (equalBytes(asked, account) ? own : null));
  const view = await people.view(account);
  checkGenerations(view, files.keys);
  return { view, keys: files.keys };
}

function checkGenerations(view: AccountView, held: readonly WorkingKeys[]): void {
  for (const { generation, signing, agreement } of held) {
    const said = keysOf(view, generation);
    const same = said !== null && equalBytes(said.signing, signing.public) && equalBytes(said.agreement, agreement.public);
    if (!same) throw new ServerMisbehaved("the account's chain has other working keys than the vault");
  }
  if (held.at(-1)?.generation !== view.keys.length) throw new RolledBack("the account's keys are older than its chain");
}

/** The vault of an account that this browser remembers, at the epoch that its wraps have. Throws RolledBack. */
export function keptVault(account: Uint8Array, kept: RememberedAccount, epoch: number, lenient: boolean): Vault {
  if (epoch < kept.epoch && !lenient) throw new RolledBack('the wraps are older than this browser has seen them');
  // Keys of epochs that are not there any more would stand in the way of those that take their numbers.
  const keys = new Map([...kept.vaultKeys].filter(([number]) => number <= epoch));
  return { account, epoch, keys, names: kept.nameKey };
}

/** What is remembered of an open account. */
export function remembered({ account, name, vault, localKey, epoch, kdf }: OpenAccount): RememberedAccount {
  return { account: toHex(account), name, epoch, vaultKeys: vault.keys, nameKey: vault.names, localKey, kdf };
}
