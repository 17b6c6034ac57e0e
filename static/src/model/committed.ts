/** Whether what the server says it committed is what it was asked to: places, versions, receipt. */

import { KIND_ACCOUNT, KIND_CREDENTIAL, KIND_KEYS, KIND_PREKEY, KIND_PREKEY_BATCH } from '../codec/accounts.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { readHeader } from '../ledger/chain.ts';
import type { PutFile, TransactResult } from '../net/records.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';

/** The entries of a new account's chain in order; the last is the server's. */
const FIRST_KINDS = [KIND_ACCOUNT, KIND_KEYS, KIND_PREKEY, KIND_PREKEY_BATCH, KIND_CREDENTIAL];

export async function checkRegistered(server: ServerView, account: Uint8Array, puts: readonly PutFile[], result: TransactResult): Promise<void> {
  const headers = await checkedHeaders(server, account, FIRST_KINDS, puts, result);
  if (headers.some(({ sequence }, at) => sequence !== at)) throw new ServerMisbehaved('a chain that does not begin at its beginning');
}

export async function checkChanged(server: ServerView, account: Uint8Array, puts: readonly PutFile[], result: TransactResult): Promise<void> {
  await checkedHeaders(server, account, [KIND_CREDENTIAL], puts, result);
}

async function checkedHeaders(
  server: ServerView, account: Uint8Array, kinds: readonly string[], puts: readonly PutFile[], { entries, versions, receipt }: TransactResult,
): Promise<readonly ReturnType<typeof readHeader>[]> {
  const headers = entries.map(({ header }) => readHeader(header));
  const placed = headers.length === kinds.length
    && headers.every(({ chain, kind }, at) => equalBytes(chain, account) && kind === kinds[at]);
  const put = versions.length === puts.length && puts.every(({ expected }, at) => versions[at] === expected + 1);
  const last = entries.at(-1);
  if (!placed || !put || last === undefined) throw new ServerMisbehaved('something else was committed than was asked for');
  if (receipt === null) throw new ServerMisbehaved('no receipt');
  await server.receipt(receipt, last.header);
  return headers;
}
