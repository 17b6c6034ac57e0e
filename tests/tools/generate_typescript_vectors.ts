/**
 * Prints tests/vectors/project/typescript.json: what the TypeScript side signed, for Python to check.
 * Bundle with esbuild and run from the repository's root, the output into that file.
 */

import { signDetached, signStatement } from '../../static/src/codec/statement.ts';
import { toHex, utf8 } from '../../static/src/crypto/bytes.ts';
import { ED25519, HYBRID, ML_DSA_65, hybridKeyId } from '../../static/src/crypto/signature.ts';
import { signCheckpoint } from '../../static/src/ledger/checkpoint.ts';
import { leafHash } from '../../static/src/ledger/merkle.ts';

const seed = new Uint8Array(64).fill(3);
const key = await HYBRID.generate(seed);
const keys = { ed25519: await ED25519.generate(seed.slice(0, 32)), mlDsa65: await ML_DSA_65.generate(seed.slice(32)) };
const origin = 'chat.example/ledger';
const root = leafHash(utf8('one entry'));

async function statement(id: string, typeName: string, payload: Uint8Array): Promise<object> {
  return {
    id,
    public: toHex(key.public),
    key_id: toHex(hybridKeyId(key.public)),
    type_name: typeName,
    payload: toHex(payload),
    statement: toHex(await signStatement(key, typeName, payload)),
    detached: toHex(await signDetached(key, typeName, payload)),
  };
}

const vectors = {
  note: 'signed by TypeScript; hex. tests/codec and tests/ledger check them in Python',
  statements: [
    await statement('TypeScript, short', 'securemsg/test/1', utf8('payload')),
    await statement('TypeScript, empty', 'securemsg/test/1', new Uint8Array(0)),
    await statement('TypeScript, 300 bytes', 'securemsg/other/1', new Uint8Array(300).fill(7)),
  ],
  checkpoints: [
    {
      id: 'TypeScript',
      origin,
      size: 1,
      root: toHex(root),
      public: toHex(key.public),
      note: new TextDecoder().decode(await signCheckpoint({ origin, size: 1, root }, keys)),
    },
  ],
};
process.stdout.write(`${JSON.stringify(vectors, null, 1)}\n`);
