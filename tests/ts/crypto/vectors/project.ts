/** What Python made (tests/tools/generate_crypto_vectors.py) and what another library signed, against the product's functions. */

import { aeadByName } from '../../../../static/src/crypto/aead.ts';
import { importAgreementKey, splitPublic } from '../../../../static/src/crypto/agreement.ts';
import { concat, utf8 } from '../../../../static/src/crypto/bytes.ts';
import { unwrapAgreement, unwrapSigning } from '../../../../static/src/crypto/keyblob.ts';
import { mlkem1024Encapsulate } from '../../../../static/src/crypto/kem.ts';
import { argon2id } from '../../../../static/src/crypto/password.ts';
import { HYBRID, hybridKeyId, schemeByName } from '../../../../static/src/crypto/signature.ts';
import { deriveAesKey, hkdfBaseKey } from '../../../../static/src/crypto/vaultkey.ts';
import { expect, expectBytes, Fields, isRefused, type Suite, Tally, type Verdict } from './reader.ts';

const SIGNATURE_KEYS = ['scheme', 'stored', 'public', 'message', 'context', 'signature'];

async function signature(one: Fields): Promise<Verdict> {
  const scheme = await schemeByName(one.text('scheme'));
  const [publicKey, message, context, signed] = [one.hex('public'), one.hex('message'), one.hex('context'), one.hex('signature')];
  await scheme.verify(publicKey, message, signed, context);
  expect(await isRefused(() => scheme.verify(publicKey, concat(message, Uint8Array.of(0)), signed, context)), 'another message');
  const key = await scheme.generate(one.hex('stored'));
  expectBytes(key.public, publicKey, 'public key');
  await scheme.verify(publicKey, message, await key.sign(message, context), context);
  return 'passed';
}

async function sealed(one: Fields): Promise<Verdict> {
  const aead = aeadByName(one.text('suite'));
  const [key, nonce, ad, plaintext] = [one.hex('key'), one.hex('nonce'), one.hex('ad'), one.hex('plaintext')];
  expectBytes(await aead.open(key, nonce, one.hex('sealed'), ad), plaintext, 'plaintext');
  expectBytes(await aead.seal(key, nonce, plaintext, ad), one.hex('sealed'), 'sealed');
  return 'passed';
}

async function agreement(one: Fields): Promise<Verdict> {
  const key = await importAgreementKey(one.hex('private'));
  expectBytes(key.public, one.hex('public'), 'public key');
  expectBytes(await key.dh(one.hex('peer')), one.hex('shared'), 'shared secret');
  const made = mlkem1024Encapsulate(splitPublic(key.public).kem, one.hex('randomness'));
  expectBytes(made.ciphertext, one.hex('ciphertext'), 'ciphertext');
  expectBytes(made.secret, one.hex('secret'), 'secret');
  expectBytes(await key.decapsulate(one.hex('ciphertext')), one.hex('secret'), 'decapsulated');
  return 'passed';
}

async function keyBlobs(one: Fields): Promise<Verdict> {
  const base = await hkdfBaseKey(one.hex('vault_key'));
  const wrapping = await deriveAesKey(base, new Uint8Array(0), one.hex('info'), ['unwrapKey', 'decrypt']);
  const ads = { ed: utf8('ed'), mldsa: utf8('mldsa'), x: utf8('x'), kem: utf8('kem') };
  const signingPublic = one.hex('signing_public');
  const key = await unwrapSigning(wrapping, { ed: one.hex('ed'), mldsa: one.hex('mldsa') }, signingPublic, ads);
  await HYBRID.verify(signingPublic, ads.ed, await key.sign(ads.ed));
  expectBytes(hybridKeyId(signingPublic), one.hex('signing_key_id'), 'key id');
  const agreementPublic = one.hex('agreement_public');
  const opened = await unwrapAgreement(wrapping, { x: one.hex('x'), kem: one.hex('kem') }, agreementPublic, ads);
  expectBytes(opened.public, agreementPublic, 'public key');
  return 'passed';
}

async function password(one: Fields): Promise<Verdict> {
  const options = { memoryKib: one.number('memory_kib'), passes: one.number('passes'), lanes: one.number('lanes'), length: one.number('length') };
  expectBytes(await argon2id(one.hex('password'), one.hex('salt'), options), one.hex('key'), 'key');
  return 'passed';
}

interface Section {
  readonly keys: readonly string[];
  run(one: Fields): Promise<Verdict>;
}

const SECTIONS: Readonly<Record<string, Section>> = {
  signatures: { keys: SIGNATURE_KEYS, run: signature },
  sealed: { keys: ['suite', 'key', 'nonce', 'ad', 'plaintext', 'sealed'], run: sealed },
  agreements: { keys: ['private', 'public', 'peer', 'shared', 'randomness', 'ciphertext', 'secret'], run: agreement },
  key_blobs: { keys: ['vault_key', 'info', 'signing_public', 'signing_key_id', 'agreement_public', 'ed', 'mldsa', 'x', 'kem'], run: keyBlobs },
  passwords: { keys: ['password', 'salt', 'memory_kib', 'passes', 'lanes', 'length', 'key'], run: password },
};

const pythonMade: Suite = async (data) => {
  const file = new Fields(data, ['note', ...Object.keys(SECTIONS)]);
  const tally = new Tally();
  for (const [name, section] of Object.entries(SECTIONS)) {
    for (const [index, value] of file.list(name).entries()) {
      const one = new Fields(value, section.keys);
      await tally.add(`${name} ${index}`, () => section.run(one));
    }
  }
  return tally.counts();
};

const otherLibrary: Suite = async (data) => {
  const file = new Fields(data, ['note', 'cases']);
  const tally = new Tally();
  for (const [index, value] of file.list('cases').entries()) {
    await tally.add(index, () => signature(new Fields(value, SIGNATURE_KEYS)));
  }
  return tally.counts();
};

export const PROJECT: Readonly<Record<string, Suite>> = {
  'project/python_crypto.json': pythonMade,
  'project/randomised_signatures.json': otherLibrary,
};
