/** The scenarios that TypeScript writes for both languages (tests/vectors/project/e2ee_typescript.json). */

import { BatchEntry, Bundle } from '../../../static/src/codec/accounts.ts';
import { Handshake, readHandshake } from '../../../static/src/codec/messages.ts';
import { fromHex, toHex, utf8 } from '../../../static/src/crypto/bytes.ts';
import { sha256 } from '../../../static/src/crypto/hash.ts';
import { seededRandom } from '../../../static/src/crypto/random.ts';
import { Session } from '../../../static/src/e2ee/handshake.ts';
import { type NewIdentity, fingerprintOf } from '../../../static/src/e2ee/identity.ts';
import { Prekeys, oneTimeOf } from '../../../static/src/e2ee/prekeys.ts';
import { RatchetState } from '../../../static/src/e2ee/ratchet.ts';
import { askReset } from '../../../static/src/e2ee/send.ts';
import { ThreadState, loadThread, newThread } from '../../../static/src/e2ee/state.ts';
import { type Inputs, type Outcome, type Scenario, person, run } from './operations.ts';
import { flipped, placeEntry } from './world.ts';

const NOW = 1_750_000_000_000;
const hash = (label: string): string => toHex(sha256(utf8(`typescript scenarios: ${label}`)));
const THREAD = hash('thread');
const BASE = { server: hash('server'), created: NOW };
const ANA = { seed: hash('ana'), account: hash('account ana'), name: 'ana', batch: 3 };
const BEN = { seed: hash('ben'), account: hash('account ben'), name: 'ben', batch: 2 };
type Who = typeof ANA;
const NOTHING_SEEN = { size: 0, root: '00'.repeat(32) };

class Writer {
  readonly scenarios: Scenario[] = [];

  async add(name: string, operation: string, reason: string, inputs: Inputs): Promise<Outcome & Inputs> {
    const expected = await run(operation, inputs);
    this.scenarios.push({ name, operation, reason, inputs, expected });
    return expected;
  }

  /** A scenario that must be refused; one that is not is a fault of the generator. */
  async refuse(name: string, operation: string, error: string, reason: string, inputs: Inputs): Promise<void> {
    const found = await this.add(name, operation, reason, inputs);
    if (found['error'] !== error) throw new Error(`${name}: ${String(found['error'])} instead of ${error}`);
  }
}

function flip(hex: string, bit: number): string {
  return toHex(flipped(fromHex(hex), bit));
}

async function made(who: Who): Promise<NewIdentity> {
  return person({ ...BASE, who }, 'who');
}

async function prekeysOf(who: Who): Promise<string> {
  return toHex(Prekeys.encode((await made(who)).prekeys));
}

async function bundleOf(who: Who, index: number | null): Promise<string> {
  const [account, keys, prekey, batch] = (await made(who)).entries.map(({ body }) => body);
  const oneTime = index === null ? null : oneTimeOf(BatchEntry.decode(batch!), 1, index);
  return toHex(Bundle.encode({ account: account!, keys: keys!, prekey: prekey!, oneTime }));
}

async function unlocking(out: Writer): Promise<void> {
  const base = { password: 'contraseña muy larga', server: hash('server'), skeleton: 'ana', stored_random: hash('stored'), memory_kib: 65_536, passes: 3, lanes: 1, second_secret: null };
  await out.add('unlock/accents', 'unlock', 'composed accents', base);
  await out.add('unlock/decomposed', 'unlock', 'the same password, decomposed', { ...base, password: 'contrasen\u0303a muy larga' });
  await out.add('unlock/second-secret', 'unlock', 'a second secret of 32 bytes', { ...base, second_secret: hash('second') });
  for (const [name, change] of [['memory', { memory_kib: 65_535 }], ['passes', { passes: 17 }]] as const) {
    await out.refuse(`unlock/${name}`, 'unlock', 'ServerViolation', 'outside the bounds', { ...base, ...change });
  }
  const code = hash('code').slice(0, 40);
  const { text } = await out.add('recovery/code', 'recovery_code', 'text and keys of a code', { code, account: ANA.account });
  await out.add('recovery/scribbled', 'read_recovery_code', 'lower case, no groups', { text: ` ${text.toLowerCase().replaceAll('-', ' ')} ` });
  await out.refuse('recovery/cut', 'read_recovery_code', 'Misuse', 'one character is missing', { text: text.slice(1) });
}

async function vaults(out: Writer): Promise<void> {
  const base = { seed: hash('vault'), account: ANA.account, personal_key: hash('personal'), recovery_key: hash('recovery'), epochs: 3 };
  const { wraps } = await out.add('vault/three-epochs', 'vault', 'randomness order over epochs', { ...base, labels: ['keys', 'settings', `session/${THREAD}`] });
  const open = { account: ANA.account, wraps: wraps[2], label: 'keys' };
  await out.add('vault/by-password', 'open_wraps', 'the personal key opens', { ...open, which: 'password', key: base.personal_key });
  await out.add('vault/by-recovery', 'open_wraps', 'the recovery key opens', { ...open, which: 'recovery', key: base.recovery_key });
  await out.refuse('vault/altered', 'open_wraps', 'AuthenticationFailed', 'a bit of the wrap', { ...open, wraps: flip(wraps[2], 8 * 80), which: 'password', key: base.personal_key });
  const file = { ...base, label: 'settings', version: 12, plaintext: hash('plaintext').repeat(30), salt: hash('salt') };
  const { blob } = await out.add('vault/file', 'seal_file', 'a blob of two KiB', file);
  const opened = { ...base, label: 'settings', version: 12, blob };
  await out.add('vault/file-open', 'open_file', 'the blob opens', opened);
  await out.refuse('vault/file-version', 'open_file', 'AuthenticationFailed', 'an older version', { ...opened, version: 11 });
  for (const byte of [0, 4, 5, 40, 700]) {
    await out.refuse(`vault/file-byte-${byte}`, 'open_file', 'AuthenticationFailed', 'an altered byte', { ...opened, blob: flip(blob, 8 * byte + 6) });
  }
  await out.refuse('vault/file-old-epoch', 'open_file', 'ServerViolation', 'an account file of an ended epoch', {
    ...opened, blob: (await run('seal_file', { ...file, epochs: 2 }))['blob'],
  });
  const keys = { ...BASE, ...base, person: ANA };
  const sealed = await out.add('vault/account-keys', 'seal_account_keys', 'blobs in their order', { ...keys, nonces: hash('nonces') });
  await out.add('vault/account-keys-open', 'open_account_keys', 'the blobs open', { ...keys, keys: sealed['keys'] });
  await out.refuse('vault/account-keys-altered', 'open_account_keys', 'AuthenticationFailed', 'a bit of the first blob', { ...keys, keys: flip(sealed['keys'] as string, 8 * 20) });
}

async function identities(out: Writer): Promise<void> {
  for (const who of [ANA, BEN]) await out.add(`identity/${who.name}`, 'identity', 'entries in their order', { ...BASE, person: who });
  const fingerprints = await Promise.all([ANA, BEN].map(async (who) => toHex(fingerprintOf((await made(who)).root.public))));
  await out.add('identity/safety-number', 'safety_number', 'the same both ways', { mine: fingerprints[1], theirs: fingerprints[0] });
  const bundle = await bundleOf(BEN, 1);
  const open = { server: BASE.server, account: BEN.account, pinned: fingerprints[1], bundle };
  await out.add('bundle/second-key', 'open_bundle', 'the last key of a batch', open);
  await out.add('bundle/first-contact', 'open_bundle', 'nothing pinned, no one-time key', { ...open, pinned: null, bundle: await bundleOf(BEN, null) });
  await out.refuse('bundle/pinned', 'open_bundle', 'PeerViolation', 'another root than the pinned one', { ...open, pinned: fingerprints[0] });
  for (const part of [1, 3, 5, 7]) {
    const bit = Math.floor((bundle.length / 2) * 8 * (part / 8));
    await out.refuse(`bundle/bit-${part}`, 'open_bundle', 'PeerViolation', 'an altered bit', { ...open, bundle: flip(bundle, bit) });
  }
}

async function handshakes(out: Writer): Promise<void> {
  const begin = { ...BASE, own: ANA, peer: BEN, thread: THREAD, replaces: '', now: NOW + 5, seed: hash('initiate') };
  const answer = { ...BASE, own: BEN, peer: ANA, thread: THREAD, prekeys: await prekeysOf(BEN) };
  const { body } = await out.add('handshake/initiate', 'initiate', 'with a one-time prekey', { ...begin, bundle: await bundleOf(BEN, 0) });
  await out.add('handshake/respond', 'respond', 'the responder agrees', { ...answer, body });
  const last = await out.add('handshake/last-resort', 'initiate', 'replaces a session, without one-time prekey', {
    ...begin, replaces: hash('session'), seed: hash('last resort'), bundle: await bundleOf(BEN, null),
  });
  await out.add('handshake/last-resort-respond', 'respond', 'the responder agrees', { ...answer, body: last['body'] });
  const { prekeys } = await out.add('handshake/spend', 'spend', 'the one-time key goes', { prekeys: answer.prekeys, batch: 1, index: 0 });
  await out.refuse('handshake/spent', 'respond', 'PeerViolation', 'a spent one-time key', { ...answer, body, prekeys });
  const whole = readHandshake(fromHex(body));
  const changed = (change: Partial<Handshake>): string => toHex(Handshake.encode({ ...whole, ...change }));
  await out.refuse('handshake/stripped', 'respond', 'AuthenticationFailed', 'attack 3: without its one-time half', { ...answer, body: changed({ oneTime: null, ctOneTime: null }) });
  await out.refuse('handshake/identity-ciphertext', 'respond', 'AuthenticationFailed', 'attack 5: another ciphertext', { ...answer, body: changed({ ctIdentity: flipped(whole.ctIdentity, 77) }) });
  await out.refuse('handshake/generation', 'respond', 'NeedsAccount', 'a generation that the view lacks', { ...answer, body: changed({ initiatorKeys: 2 }) });
  await out.refuse('handshake/own-prekey', 'respond', 'NeedsAccount', 'a prekey that only another browser knows', { ...answer, body: changed({ prekey: 2 }) });
  await out.refuse('handshake/responder', 'respond', 'PeerViolation', 'for another account', { ...answer, body: changed({ responder: fromHex(ANA.account) }) });
}

/** One session by itself: every cipher, gaps, a turn each way, a size class above the smallest. */
async function talk(out: Writer): Promise<void> {
  const begun = await run('initiate', { ...BASE, own: ANA, peer: BEN, thread: THREAD, replaces: '', now: NOW, seed: hash('talk'), bundle: await bundleOf(BEN, 1) }) as Inputs;
  const answered = await run('respond', { ...BASE, own: BEN, peer: ANA, thread: THREAD, prekeys: await prekeysOf(BEN), body: begun.body }) as Inputs;
  const [a, b] = [begun, answered].map(({ session }) => Session.decode(fromHex(session)));
  const ratchets = new Map([[ANA, toHex(RatchetState.encode(a!.ratchet))], [BEN, toHex(RatchetState.encode(b!.ratchet))]]);
  const openings: string[] = [];
  const place = (who: Who): Inputs => ({ thread: THREAD, session: toHex(a!.id), author: who.account });
  const seal = async (name: string, who: Who, text: string, aead: string): Promise<Inputs> => {
    const sealed = await out.add(`talk/${name}/seal`, 'seal', aead, {
      ...BASE, author: who, ratchet: ratchets.get(who), place: place(who), confirm: toHex(a!.confirm), seen: 4, aead, id: null, seed: hash(`seal ${name}`),
      signed: { generation: 1, time: NOW + 9, previous_sequence: 3, previous: hash('previous'), session_version: 2, checkpoint_size: 5, checkpoint_root: hash('checkpoint'), content: { kind: 'text', text } },
    });
    ratchets.set(who, sealed['ratchet'] as string);
    if (sealed['opening'] !== null) openings.push(sealed['opening'] as string);
    return { ...BASE, author: who, place: place(who), confirm: toHex(a!.confirm), openings: [...openings], now: NOW, body: sealed['body'] };
  };
  const take = async (name: string, who: Who, inputs: Inputs, reason: string): Promise<Inputs> => {
    const opened = await out.add(`talk/${name}/unseal`, 'unseal', reason, { ...inputs, ratchet: ratchets.get(who) });
    ratchets.set(who, opened['ratchet'] as string);
    return opened;
  };
  const one = await seal('1', ANA, 'hola', 'AES-256-GCM');
  const two = await seal('2', ANA, 'ñandú '.repeat(900), 'ChaCha20-Poly1305');
  const three = await seal('3', ANA, '🙂'.repeat(10), 'AES-XChaCha');
  const late = await take('3', BEN, three, 'two messages before it are missing');
  await take('1', BEN, one, 'the first of them comes late');
  await out.refuse('talk/1/again', 'unseal', 'AuthenticationFailed', 'a replay', { ...one, ratchet: ratchets.get(BEN) });
  const four = await seal('4', BEN, 'qué tal', 'AES-256-GCM');
  await out.refuse('talk/4/no-opening', 'unseal', 'NeedsOpening', 'the opening is missing', { ...four, ratchet: ratchets.get(ANA), openings: openings.slice(0, 1) });
  await out.refuse('talk/4/forged', 'unseal', 'AuthenticationFailed', 'an altered body', { ...four, ratchet: ratchets.get(ANA), body: flip(four.body, 8 * 1_000) });
  await take('4', ANA, four, 'a turn');
  const five = await seal('5', ANA, 'bien', 'AES-256-GCM');
  await take('5', BEN, five, 'a second turn, its previous count three');
  await take('2', BEN, two, 'a message of the turn before');
  const archived = { ...BASE, author: ANA, thread: THREAD, body: three.body, content_key: late['content_key'] };
  await out.add('archive/cascade', 'open_archived', 'by the content key alone', archived);
  await out.refuse('archive/thread', 'open_archived', 'AuthenticationFailed', 'attack 9: in another thread', { ...archived, thread: hash('another') });
}

/** A thread as both keep it, over one chain. */
class Conversation {
  entries: Inputs[] = [];
  readonly states = new Map<Who, string>([
    [ANA, toHex(ThreadState.encode(newThread(fromHex(THREAD), fromHex(BEN.account))))],
    [BEN, toHex(ThreadState.encode(newThread(fromHex(THREAD), fromHex(ANA.account))))],
  ]);
  readonly prekeys = new Map<Who, string>();
  readonly versions = new Map<Who, number>([[ANA, 0], [BEN, 0]]);

  constructor(readonly out: Writer) {}

  append(kind: string, body: Uint8Array): void {
    const sequence = this.entries.length;
    const salt = seededRandom(utf8(`salt ${sequence}`))(32);
    const entry = placeEntry(fromHex(THREAD), sequence, kind, body, NOW + sequence, salt);
    this.entries.push({ header: toHex(entry.header), salt: toHex(salt), body: toHex(body) });
  }

  sendInputs(name: string, who: Who, change: Inputs = {}): Inputs {
    return {
      ...BASE, own: who, peer: who === ANA ? BEN : ANA, state: this.states.get(who), content: { kind: 'text', text: `text ${name}` },
      session_version: this.versions.get(who)! + 1, checkpoint: NOTHING_SEEN, now: NOW + 100, seed: hash(`send ${name}`), bundle: null,
      restart: false, aead: 'AES-256-GCM', id: null, ...change,
    };
  }

  async send(name: string, who: Who, reason: string, change: Inputs = {}): Promise<void> {
    const sent = await this.out.add(`thread/${name}/send`, 'send', reason, this.sendInputs(name, who, change));
    for (const { kind, body } of sent['appends'] as Inputs[]) this.append(kind, fromHex(body));
    this.states.set(who, sent['state'] as string);
    this.versions.set(who, this.versions.get(who)! + 1);
  }

  async receiveInputs(who: Who, change: Inputs = {}): Promise<Inputs> {
    const state = this.states.get(who)!;
    return {
      ...BASE, own: who, peer: who === ANA ? BEN : ANA, state, prekeys: this.prekeys.get(who) ?? (await prekeysOf(who)),
      entries: this.entries.slice(loadThread(fromHex(state)).chain.size), now: NOW + 200, refreshed: false, unknown_own_below: 0, ...change,
    };
  }

  async receive(name: string, who: Who, reason: string, change: Inputs = {}): Promise<Outcome> {
    const read = await this.out.add(`thread/${name}/${who.name}`, 'receive', reason, await this.receiveInputs(who, change));
    this.states.set(who, read['state'] as string);
    this.prekeys.set(who, read['prekeys'] as string);
    this.versions.set(who, this.versions.get(who)! + 1);
    return read;
  }
}

async function threads(out: Writer): Promise<void> {
  const talk = new Conversation(out);
  await talk.send('1', ANA, 'opened, handshake, opening, message', { bundle: await bundleOf(BEN, 0) });
  await talk.send('2', ANA, 'within the turn', { aead: 'ChaCha20-Poly1305', checkpoint: { size: 9, root: hash('seen') } });
  await out.refuse('thread/unknown-own', 'receive', 'RolledBack', 'attack 11: an older state meets its own entries', await talk.receiveInputs(ANA, {
    state: toHex(ThreadState.encode(newThread(fromHex(THREAD), fromHex(BEN.account)))), entries: talk.entries,
  }));
  await talk.receive('2', BEN, 'first contact');
  await talk.send('3', BEN, 'an answer opens a turn');
  await talk.send('4', BEN, 'under a given id', { id: hash('id').slice(0, 32), aead: 'AES-XChaCha' });
  const sizes = talk.entries.length;
  const erased = talk.entries.map((entry, index) => (index === sizes - 2 ? { ...entry, body: null, salt: '' } : entry));
  await out.add('thread/4/erased', 'receive', 'a message whose body is gone', await talk.receiveInputs(ANA, { entries: erased }));
  const altered = talk.entries.map((entry, index) => (index === sizes - 1 ? { ...entry, body: flip(entry.body, 900) } : entry));
  await out.refuse('thread/4/altered', 'receive', 'ServerViolation', 'a body that its header does not know', await talk.receiveInputs(ANA, { entries: altered }));
  await out.refuse('thread/4/reordered', 'receive', 'ServerViolation', 'attack 9: two entries changed places', await talk.receiveInputs(ANA, {
    entries: [...talk.entries.slice(0, sizes - 2), talk.entries[sizes - 1], talk.entries[sizes - 2]],
  }));
  await talk.receive('4', ANA, 'own messages get their places');
  talk.append('message', fromHex('80'));
  talk.append('party', fromHex('80'));
  talk.append('handshake', fromHex(talk.entries[1].body));
  talk.append('message', fromHex(talk.entries[3].body));
  await talk.send('5', ANA, 'a new session without one-time prekey', { bundle: await bundleOf(BEN, null), restart: true });
  await talk.receive('5', BEN, 'junk, a replayed handshake, a replayed message, a new session');
  const { identity } = await made(BEN);
  const asked = await askReset(loadThread(fromHex(talk.states.get(BEN)!)), identity, fromHex(loadCurrent(talk, BEN)), [sha256(utf8('x')).slice(0, 16)], NOW + 300);
  talk.append(asked.kind, asked.body);
  talk.append(asked.kind, asked.body);
  await talk.receive('reset', ANA, 'one reset an hour');
  await talk.send('6', ANA, 'sent again', { content: { kind: 'resent', id: hash('lost').slice(0, 32), text: 'again' } });
  await talk.receive('6', BEN, 'a message that is sent again');
  await rivals(out, talk);
  await archives(out, talk);
  await marks(out, talk);
}

function loadCurrent(talk: Conversation, who: Who): string {
  return toHex(loadThread(fromHex(talk.states.get(who)!)).current);
}

/** Two handshakes over one register; and one that is refused, which moves the register all the same. */
async function rivals(out: Writer, talk: Conversation): Promise<void> {
  const [hers, his] = [
    await run('send', talk.sendInputs('rival ana', ANA, { bundle: await bundleOf(BEN, 1), restart: true })) as Inputs,
    await run('send', talk.sendInputs('rival ben', BEN, { bundle: await bundleOf(ANA, 0), restart: true })) as Inputs,
  ];
  const [start, spent] = [talk.entries.length, await run('spend', { prekeys: talk.prekeys.get(BEN), batch: 1, index: 1 })];
  for (const { kind, body } of [...hers.appends, ...his.appends]) talk.append(kind, fromHex(body));
  await out.add('thread/rival', 'receive', 'a lying server showed both: both are read', await talk.receiveInputs(BEN, { state: his.state }));
  await out.add('thread/refused', 'receive', 'a refused handshake moves the register', await talk.receiveInputs(BEN, {
    entries: talk.entries.slice(start, start + hers.appends.length), prekeys: spent['prekeys'],
  }));
  talk.entries = talk.entries.slice(0, start);
}

async function archives(out: Writer, talk: Conversation): Promise<void> {
  const state = loadThread(fromHex(talk.states.get(BEN)!));
  const filler = Array.from({ length: 256 - state.kept.length - 1 }, (_, index) => ({
    id: sha256(utf8(`filler ${index}`)).slice(0, 16), key: sha256(utf8(`key ${index}`)), sequence: 100_000 - index,
  }));
  await talk.send('7', ANA, 'one more');
  const full = toHex(ThreadState.encode({ ...state, kept: [...state.kept, ...filler] }));
  await out.add('thread/archive', 'receive', 'the 192 oldest keys of 256 move', await talk.receiveInputs(BEN, { state: full }));
}

async function marks(out: Writer, talk: Conversation): Promise<void> {
  const state = talk.states.get(BEN);
  const { blob } = await out.add('mark/seal', 'mark', 'in the current session', { state, author: BEN.account, thread: THREAD, sequence: 70_000, time: NOW, salt: hash('mark') });
  const open = { state: talk.states.get(ANA), author: BEN.account, blob };
  await out.add('mark/open', 'open_mark', 'by the other member', open);
  await out.refuse('mark/author', 'open_mark', 'AuthenticationFailed', 'as another author', { ...open, author: ANA.account });
  await out.refuse('mark/session', 'open_mark', 'PeerViolation', 'of a session that is not held', { ...open, blob: flip(blob, 0) });
}

/** All scenarios, in their order. */
export async function generate(): Promise<Scenario[]> {
  const out = new Writer();
  for (const part of [unlocking, vaults, identities, handshakes, talk, threads]) await part(out);
  return out.scenarios;
}
