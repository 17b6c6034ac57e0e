/**
 * What the tabs of one browser tell each other of what waits to be sent: ids and places, never the text. Each
 * tells what it has made durable; why a message waits no more is told, because nobody can read it off its absence.
 */

export type OutboxNews =
  /** Written, failed, or tried again: how it stands is to be read. */
  | { readonly kind: 'changed'; readonly id: string }
  /** Acknowledged by the server as the thread's entry `sequence`; 0: its place is not known yet. */
  | { readonly kind: 'sent'; readonly id: string; readonly sequence: number }
  /** Its author does not want it any more. */
  | { readonly kind: 'deleted'; readonly id: string };

export const OUTBOX_CHANNEL = 'secure-msg/outbox';

const ID = /^[0-9a-f]{32}$/;

/** Null for what a tab with another version of the page may say. */
export function readNews(data: unknown): OutboxNews | null {
  if (typeof data !== 'object' || data === null) return null;
  const { kind, id, sequence } = data as Record<string, unknown>;
  if (typeof id !== 'string' || !ID.test(id)) return null;
  if (kind === 'changed' || kind === 'deleted') return { kind, id };
  if (kind !== 'sent' || typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) return null;
  return { kind, id, sequence };
}
