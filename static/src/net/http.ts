/** Requests to our own server: JSON for small things, CBOR records for the rest (docs/spec/http.md). */

import { CodecError, MalformedData, type RecordType } from '../codec/schema.ts';
import { BadAnswer, RequestRefused, Unreachable } from './errors.ts';

export type JsonObject = { readonly [name: string]: unknown };

const CBOR = 'application/cbor';
const ANSWER_LIMIT = 32 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** Sends cookies of our own origin only; the CSRF token comes with the session. */
export class Http {
  csrf = '';

  async getJson(path: string): Promise<JsonObject> {
    return asObject(await this.#answer('GET', path, null, 'application/json'));
  }

  async sendJson(method: 'POST' | 'DELETE', path: string, body: JsonObject | null): Promise<JsonObject> {
    const text = body === null ? null : JSON.stringify(body);
    return asObject(await this.#answer(method, path, text, 'application/json'));
  }

  async getRecord<T extends object>(path: string, type: RecordType<T>): Promise<T> {
    return this.#decode(await this.#answer('GET', path, null, CBOR), type);
  }

  async postRecord<A extends object, B extends object>(
    path: string,
    body: A | null,
    bodyType: RecordType<A> | null,
    answerType: RecordType<B>,
  ): Promise<B> {
    const bytes = body === null || bodyType === null ? null : bodyType.encode(body);
    return this.#decode(await this.#answer('POST', path, bytes, CBOR), answerType);
  }

  async #answer(
    method: string,
    path: string,
    body: string | Uint8Array | null,
    type: string,
  ): Promise<Response> {
    const headers: Record<string, string> = { Accept: type };
    if (body !== null) headers['Content-Type'] = type;
    if (method !== 'GET') headers['X-CSRF-Token'] = this.csrf;
    let response: Response;
    try {
      response = await fetch(path, {
        method,
        headers,
        body: body as BodyInit | null,
        credentials: 'same-origin',
        cache: 'no-store',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      if (error instanceof TypeError || error instanceof DOMException) throw new Unreachable();
      throw error;
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async #decode<T extends object>(response: Response, type: RecordType<T>): Promise<T> {
    const bytes = await bodyBytes(response);
    try {
      return type.decode(bytes, ANSWER_LIMIT);
    } catch (error) {
      if (error instanceof CodecError) throw new BadAnswer(error.message);
      throw error;
    }
  }
}

async function bodyBytes(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) throw new Unreachable();
    throw error;
  }
}

async function asObject(response: Response): Promise<JsonObject> {
  if (response.status === 204) return {};
  const value: unknown = await readJson(response);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadAnswer('not a JSON object');
  return value as JsonObject;
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) throw new BadAnswer('not JSON');
    if (error instanceof TypeError || error instanceof DOMException) throw new Unreachable();
    throw error;
  }
}

async function refusal(response: Response): Promise<RequestRefused | Unreachable> {
  // A proxy's own error pages carry no problem document: the server itself did not answer.
  const type = response.headers.get('Content-Type') ?? '';
  if (!type.startsWith('application/problem+json')) {
    return response.status >= 502 ? new Unreachable() : new RequestRefused(response.status, 'unknown', '', null);
  }
  const problem = (await readJson(response)) as JsonObject;
  const kind = String(problem['type'] ?? '').replace('/problems/', '');
  const detail = typeof problem['detail'] === 'string' ? problem['detail'] : '';
  const seconds = Number(response.headers.get('Retry-After'));
  return new RequestRefused(response.status, kind, detail, Number.isFinite(seconds) && seconds > 0 ? seconds : null);
}

/** A field of an answer, of the type that the caller names. */
export function field(object: JsonObject, name: string, type: 'string'): string;
export function field(object: JsonObject, name: string, type: 'number'): number;
export function field(object: JsonObject, name: string, type: 'boolean'): boolean;
export function field(object: JsonObject, name: string, type: string): unknown {
  const value = object[name];
  if (typeof value !== type) throw new BadAnswer(`${name}: not a ${type}`);
  return value;
}

/** Reads one record out of bytes that came by the socket. */
export function decodeFrame<T extends object>(type: RecordType<T>, data: unknown): T {
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
  if (!(bytes instanceof Uint8Array)) throw new MalformedData('not bytes');
  return type.decode(bytes, ANSWER_LIMIT);
}
