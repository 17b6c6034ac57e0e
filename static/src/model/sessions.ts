/** The sessions of an account at the server: the one that this browser's cookie names, and the others. */

import { RequestRefused, Unreachable } from '../net/errors.ts';
import { type Http, type JsonObject, field } from '../net/http.ts';
import type { SessionInfo } from './api.ts';
import { ServerMisbehaved } from './server.ts';
import { bytesField } from './unlocking.ts';

/** Whose session has begun. */
export interface Begun {
  readonly account: Uint8Array;
  readonly name: string;
}

export class Sessions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Who is signed in here, and with it the token that every changing request carries. */
  async current(): Promise<JsonObject> {
    const session = await this.#http.getJson('/api/session');
    this.#http.csrf = field(session, 'csrf', 'string');
    return session;
  }

  /** Whether somebody is signed in here; out of reach, nobody is. */
  async lives(): Promise<boolean> {
    try {
      return field(await this.current(), 'signed_in', 'boolean');
    } catch (error) {
      if (error instanceof Unreachable) return false;
      throw error;
    }
  }

  /** Begins one at `path`, with what proves the right to it. */
  async begin(path: string, proof: JsonObject): Promise<Begun> {
    const answer = await this.#http.sendJson('POST', path, proof);
    this.#http.csrf = field(answer, 'csrf', 'string');
    return { account: bytesField(answer, 'account', 32), name: field(answer, 'name', 'string') };
  }

  /** Ends that of this browser, if it has not ended yet. */
  async signOut(): Promise<void> {
    try {
      await this.#http.sendJson('POST', '/api/sign-out', null);
    } catch (error) {
      if (!(error instanceof RequestRefused) || error.kind !== 'not-signed-in') throw error;
    }
    await this.current();
  }

  async list(): Promise<readonly SessionInfo[]> {
    const { sessions } = await this.#http.getJson('/api/sessions');
    if (!Array.isArray(sessions)) throw new ServerMisbehaved('no list of sessions');
    return (sessions as JsonObject[]).map((one) => ({
      id: field(one, 'id', 'string'),
      created: field(one, 'created', 'number'),
      lastSeen: field(one, 'last_seen', 'number'),
      browser: field(one, 'browser', 'string'),
      current: field(one, 'current', 'boolean'),
    }));
  }

  /** 'all' ends all others. */
  async end(id: string): Promise<void> {
    await this.#http.sendJson('DELETE', `/api/sessions/${encodeURIComponent(id)}`, null);
  }
}
