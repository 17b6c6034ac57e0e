/** What a new password must be; what it should be is a matter of advice, which the page gives. */

import { InvalidParameter } from '../crypto/errors.ts';
import { passwordBytes } from '../e2ee/unlock.ts';
import { AppError } from './api.ts';

export const SHORTEST = 8;
export const LONGEST_BYTES = 1_024;

/** AppError 'weak-password' with "characters", "short", "long" or "name". */
export function checkNewPassword(password: string, name: string): void {
  const bytes = encoded(password);
  if (bytes === null) throw new AppError('weak-password', 'characters');
  const size = bytes.length;
  bytes.fill(0);
  if ([...password.normalize('NFKC')].length < SHORTEST) throw new AppError('weak-password', 'short');
  if (size > LONGEST_BYTES) throw new AppError('weak-password', 'long');
  if (isOnlyName(folded(password), folded(name))) throw new AppError('weak-password', 'name');
}

/** Whether anybody can have this password; what is not possible need not be derived to be wrong. */
export function isPossiblePassword(password: string): boolean {
  const bytes = encoded(password);
  const possible = bytes !== null && bytes.length > 0 && bytes.length <= LONGEST_BYTES;
  bytes?.fill(0);
  return possible;
}

function encoded(password: string): Uint8Array | null {
  try {
    return passwordBytes(password);
  } catch (error) {
    if (error instanceof InvalidParameter) return null;
    throw error;
  }
}

function folded(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase();
}

/** The name, once or over and over. */
function isOnlyName(password: string, name: string): boolean {
  return name !== '' && password.replaceAll(name, '') === '';
}
