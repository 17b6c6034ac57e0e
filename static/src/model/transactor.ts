/** Sends transactions by the socket when it is up, else by HTTP; both mean the same. */

import type { Http } from '../net/http.ts';
import type { Realtime } from '../net/realtime.ts';
import { TransactRequest, TransactResult } from '../net/records.ts';
import type { Restoring } from './restoring.ts';
import { ServerMisbehaved, type ServerView } from './server.ts';

export class Transactor {
  readonly #http: Http;
  readonly #realtime: Realtime;
  readonly #server: ServerView;
  readonly #restoring: Pick<Restoring, 'allow'>;

  constructor(http: Http, realtime: Realtime, server: ServerView, restoring: Pick<Restoring, 'allow'>) {
    this.#restoring = restoring;
    this.#http = http;
    this.#realtime = realtime;
    this.#server = server;
  }

  /**
   * Committed once this resolves, with every receipt checked. Throws RequestRefused (nothing was written),
   * Unreachable (not known: ask again with the same ids), ServerMisbehaved or WentBack.
   */
  async transact(request: TransactRequest): Promise<TransactResult> {
    await this.#restoring.allow();
    const result = this.#realtime.connected
      ? await this.#realtime.transact(request)
      : await this.#http.postRecord('/api/transact', request, TransactRequest, TransactResult);
    await this.#check(request, result);
    return result;
  }

  async #check(request: TransactRequest, result: TransactResult): Promise<void> {
    const last = result.entries.at(-1);
    if (result.repeat) {
      // The caller looks for what the first try stored; the receipt is the first try's.
      if (last !== undefined && result.receipt !== null) await this.#server.receipt(result.receipt, last.header);
      return;
    }
    if (result.entries.length !== request.appends.length || result.versions.length !== request.puts.length) {
      throw new ServerMisbehaved('an answer for another request');
    }
    request.puts.forEach((put, index) => {
      if (result.versions[index] !== put.expected + 1) throw new ServerMisbehaved('a version that was not asked for');
    });
    if (last === undefined) return;
    if (result.receipt === null) throw new ServerMisbehaved('no receipt');
    await this.#server.receipt(result.receipt, last.header);
  }
}
