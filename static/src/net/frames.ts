/** Messages of the socket (docs/spec/http.md, "Realtime"), as in secure_msg/codec/realtime.py. */

import { MalformedData } from '../codec/errors.ts';

const HEAD_SIZE = 5;
const LAST_REQUEST = 0xffff_ffff;

export const NOBODY_WAITS = 0;

/** What we want. */
export const Asked = { transact: 1, sync: 2, typing: 3 } as const;
export type Asked = (typeof Asked)[keyof typeof Asked];

/** What we are answered or told. */
export const Told = {
  done: 128,
  refused: 129,
  entries: 144,
  private: 145,
  mark: 146,
  typing: 147,
  signedOut: 148,
  pulse: 149,
} as const;

export interface Message {
  /** May be one that nobody knows. */
  readonly kind: number;
  readonly request: number;
  readonly payload: Uint8Array;
}

export function pack(kind: number, request: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD_SIZE + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, request);
  bytes.set(payload, HEAD_SIZE);
  return bytes;
}

/** Throws MalformedData for what is not bytes, or has no whole head. */
export function unpack(data: unknown): Message {
  if (!(data instanceof ArrayBuffer)) throw new MalformedData('not bytes');
  if (data.byteLength < HEAD_SIZE) throw new MalformedData('a message without its head');
  const view = new DataView(data);
  return { kind: view.getUint8(0), request: view.getUint32(1), payload: new Uint8Array(data, HEAD_SIZE) };
}

/** The number of the request after `request`; 0 stands for none. */
export function following(request: number): number {
  return request >= LAST_REQUEST ? 1 : request + 1;
}
