/** What went wrong or right, told in a sentence: errors of actions, and short notices at the window's edge. */

import { AppError } from '../model/api.ts';
import { isKey, t } from './i18n/language.ts';

export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly urgent: boolean;
}

const SHOWN_MS = 7_000;
const listeners = new Set<(notices: readonly Notice[]) => void>();
let notices: readonly Notice[] = [];
let count = 0;

function change(next: readonly Notice[]): void {
  notices = next;
  for (const listener of listeners) listener(notices);
}

export function onNotices(listener: (notices: readonly Notice[]) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function currentNotices(): readonly Notice[] {
  return notices;
}

export function dismiss(id: number): void {
  change(notices.filter((notice) => notice.id !== id));
}

export function notify(text: string, urgent = false): void {
  count += 1;
  const id = count;
  // The same sentence twice would only be noise.
  change([...notices.filter((notice) => notice.text !== text), { id, text, urgent }].slice(-3));
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function errorText(error: AppError): string {
  if (error.kind === 'slow-down' && error.retryAfter !== null) return t('error.slow-down.wait', { n: Math.ceil(error.retryAfter) });
  const exact = `error.${error.kind}.${error.detail}`;
  return t(isKey(exact) ? exact : `error.${error.kind}`);
}

/** Does what was asked; a failure is told and answered with null. Anything but an AppError is a bug and goes on. */
export async function attempt<T>(action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    notify(errorText(error), true);
    return null;
  }
}
