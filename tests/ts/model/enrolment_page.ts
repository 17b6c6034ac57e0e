/** The account's life, driven by tests/browser/test_enrolment.py in a real browser against a real server. */

import { fromHex, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { systemRandom } from '../../../static/src/crypto/random.ts';
import { newThread, ThreadState } from '../../../static/src/e2ee/state.ts';
import { fingerprintOf } from '../../../static/src/ledger/accountchain.ts';
import { Contacts, LABEL_CONTACTS, LABEL_SETTINGS, Settings, archiveLabel, sessionLabel } from '../../../static/src/e2ee/vaultfiles.ts';
import { AppError, type Progress } from '../../../static/src/model/api.ts';
import { workerDerive } from '../../../static/src/model/derive.ts';
import { Device } from '../../../static/src/model/device.ts';
import { Enrolment, type OpenAccount, type Recovered } from '../../../static/src/model/enrol.ts';
import { PrivateFolder } from '../../../static/src/model/files.ts';
import { ServedFolder } from '../../../static/src/model/rawfolder.ts';
import { ServerView, readServer } from '../../../static/src/model/server.ts';
import { Http } from '../../../static/src/net/http.ts';
import { PrivateList, type PutFile, TransactRequest, TransactResult } from '../../../static/src/net/records.ts';
import { trustedWorkerUrl } from '../../../static/src/ui/trusted.ts';

/** What a test sees of an account, or the kind of the AppError. */
interface Facts {
  readonly account: string;
  readonly name: string;
  readonly session: string;
  readonly epoch: number;
  readonly hasRecovery: boolean;
  readonly fingerprint: string;
  readonly kdf: { readonly memoryKib: number; readonly passes: number };
  readonly recoveryCode?: string | null;
}
type Outcome = Facts | { readonly error: string; readonly detail: string; readonly cause: string } | null;

const http = new Http();
const worker = trustedWorkerUrl('/static/dist/worker.js');
let device: Device;
let enrolment: Enrolment;
let open: OpenAccount | null = null;
let recovered: Recovered | null = null;
let steps: string[] = [];

const onProgress = ({ step }: Progress): void => {
  if (steps.at(-1) !== step) steps.push(step);
};

async function outcome(step: () => Promise<OpenAccount | null>, more: () => object = () => ({})): Promise<Outcome> {
  steps = [];
  try {
    open = await step();
    return open === null ? null : { ...factsOf(open), ...more() };
  } catch (error) {
    if (error instanceof AppError) return { error: error.kind, detail: error.detail, cause: String(error.cause ?? '') };
    throw error;
  }
}

function factsOf({ account, name, session, epoch, hasRecovery, root, kdf }: OpenAccount): Facts {
  return { account: toHex(account), name, session, epoch, hasRecovery, fingerprint: toHex(fingerprintOf(root.public)), kdf };
}

function opened(): OpenAccount {
  if (open === null) throw new Error('nobody is signed in');
  return open;
}

function folder(): PrivateFolder {
  return new PrivateFolder(new ServedFolder(http, device), opened().vault);
}

async function commit(puts: readonly PutFile[]): Promise<void> {
  await http.postRecord('/api/transact', { appends: [], puts }, TransactRequest, TransactResult);
  await folder().noteCommitted(puts);
}

async function write(label: string, data: Uint8Array): Promise<void> {
  const { version } = await folder().read(label);
  await commit([await folder().put(label, data, version)]);
}

const page = {
  async start(): Promise<void> {
    device = await Device.open();
    const server = new ServerView(await readServer(http));
    enrolment = new Enrolment({ http, server, device, derive: workerDerive(worker), random: systemRandom, now: () => Date.now() });
  },

  register(name: string, password: string, withRecovery: boolean): Promise<Outcome> {
    let code: string | null = null;
    return outcome(async () => {
      const made = await enrolment.register(name, password, withRecovery, onProgress);
      code = made.recoveryCode;
      return made.account;
    }, () => ({ recoveryCode: code }));
  },

  signIn: (name: string, password: string): Promise<Outcome> => outcome(() => enrolment.signIn(name, password, onProgress)),
  resume: (): Promise<Outcome> => outcome(() => enrolment.resume()),

  /** null: the code was right. */
  recover: (name: string, code: string): Promise<Outcome> => outcome(async () => {
    recovered = await enrolment.recover(name, code, onProgress);
    return null;
  }),

  finishRecovery(password: string): Promise<Outcome> {
    let code = '';
    return outcome(async () => {
      const made = await enrolment.finishRecovery(recovered!, password, onProgress);
      code = made.recoveryCode;
      return made.account;
    }, () => ({ recoveryCode: code }));
  },

  changePassword(current: string, next: string): Promise<Outcome> {
    let code: string | null = null;
    return outcome(async () => {
      const made = await enrolment.changePassword(opened(), current, next, onProgress);
      code = made.recoveryCode;
      return made.account;
    }, () => (code === null ? {} : { recoveryCode: code }));
  },

  renewRecovery(password: string): Promise<Outcome> {
    let code = '';
    return outcome(async () => {
      const made = await enrolment.renewRecovery(opened(), password, onProgress);
      code = made.recoveryCode;
      return made.account;
    }, () => ({ recoveryCode: code }));
  },

  signOut: (): Promise<Outcome> => outcome(async () => {
    await enrolment.signOut();
    return null;
  }),

  endSession: (id: string): Promise<Outcome> => outcome(async () => {
    await enrolment.endSession(id);
    return open;
  }),

  sessions: () => enrolment.sessions(),
  steps: (): readonly string[] => steps,

  /** A signature by the root and one by the working key, made to see that the loaded keys work. */
  async signs(): Promise<number> {
    const { root, identity } = opened();
    return (await root.sign(utf8('x'))).length + (await identity.keys.at(-1)!.signing.sign(utf8('x'))).length;
  },

  /** A contact, its session file, two archive segments, and a session of nobody's contact. */
  async makeFiles(thread: string, other: string): Promise<void> {
    const [mine, another] = [fromHex(thread), fromHex(other)];
    const peer = new Uint8Array(32).fill(7);
    await write(LABEL_CONTACTS, Contacts.encode({ contacts: [{
      account: peer, name: 'somebody', fingerprint: peer, state: 'accepted', verified: false, thread: mine, added: 1,
    }] }));
    await write(sessionLabel(mine), ThreadState.encode({ ...newThread(mine, peer), segments: 2 }));
    await write(archiveLabel(mine, 0), utf8('older segment'));
    await write(archiveLabel(mine, 1), utf8('newest segment'));
    await write(sessionLabel(another), ThreadState.encode(newThread(another, peer)));
  },

  /** Epoch and plaintext (hex) of a file. */
  async file(label: string): Promise<{ epoch: number; version: number; plaintext: string }> {
    const private_ = folder();
    const { version, data } = await private_.read(label);
    const stored = await new ServedFolder(http, device).read(await private_.path(label));
    const { buffer, byteOffset } = stored!.blob;
    return { epoch: new DataView(buffer, byteOffset).getUint32(1), version, plaintext: toHex(data!) };
  },

  /** Puts a file again, as another browser would between two steps of this one. */
  async touch(label: string): Promise<void> {
    const { data } = await folder().read(label);
    await write(label, data!);
  },

  /** Makes the account one of another server, as the vault has it. */
  async pinAnotherServer(): Promise<void> {
    const { data } = await folder().read(LABEL_SETTINGS);
    const settings = Settings.decode(data!);
    await write(LABEL_SETTINGS, Settings.encode({ ...settings, serverFingerprint: new Uint8Array(32).fill(9) }));
  },

  async countFiles(): Promise<number> {
    return (await http.getRecord('/api/private', PrivateList)).files.length;
  },

  /** Whether any key that this browser keeps can be read out, and how many there are. */
  async keptKeys(): Promise<{ count: number; extractable: number } | null> {
    const kept = await device.account();
    if (kept === null) return null;
    const keys = [...kept.vaultKeys.values(), kept.nameKey, kept.localKey];
    return { count: kept.vaultKeys.size, extractable: keys.filter(({ extractable }) => extractable).length };
  },

  async saveText(name: string, text: string): Promise<void> {
    await device.saveText(opened().localKey, name, text);
  },

  async texts(prefix: string): Promise<readonly string[]> {
    return [...(await device.texts(opened().localKey, prefix)).values()];
  },
};

Object.assign(globalThis, { page });
