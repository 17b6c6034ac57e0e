/** From whatever failed underneath to the one error that actions throw. */

import { CodecError } from '../codec/errors.ts';
import { CryptoError } from '../crypto/errors.ts';
import { Misuse, ProtocolError, RolledBack, UnknownEpoch } from '../e2ee/errors.ts';
import { LedgerError } from '../ledger/errors.ts';
import { BadAnswer, RequestRefused, Unreachable } from '../net/errors.ts';
import { AppError, type AppErrorKind, type SendBlock } from './api.ts';
import { RootChanged } from './people.ts';
import { WentBack } from './restoring.ts';
import { ServerMisbehaved } from './server.ts';

/** Problem kinds of docs/spec/http.md; those that are not here are `unexpected`. */
const REFUSALS: Readonly<Record<string, AppErrorKind>> = {
  'sign-in-failed': 'sign-in-failed',
  'not-found': 'not-found',
  conflict: 'conflict',
  'stale-session': 'conflict',
  'name-taken': 'name-taken',
  'too-large': 'too-long',
  'name-refused': 'name-refused',
  'slow-down': 'slow-down',
  busy: 'server-busy',
  'read-only': 'read-only',
  'storage-full': 'storage-full',
};

/** What was meant to be checked here and is not the server's word alone: keys, proofs, files of one's own. */
const CHECKED = [ServerMisbehaved, BadAnswer, ProtocolError, RootChanged, CodecError, CryptoError, LedgerError];

/** `kinds` renames kinds for one action: a failed sign-in is a wrong password where the old one is asked for. */
export function asAppError(error: unknown, kinds: Partial<Readonly<Record<AppErrorKind, AppErrorKind>>> = {}): AppError {
  const found = translated(error);
  const kind = kinds[found.kind] ?? found.kind;
  const named = kind === found.kind ? found : new AppError(kind, found.detail, found.retryAfter);
  if (named !== error && named.cause === undefined) named.cause = error;
  return named;
}

function translated(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Unreachable) return new AppError('offline');
  if (error instanceof RequestRefused) return refused(error);
  if (error instanceof RolledBack) return new AppError('folder-rolled-back');
  if (error instanceof WentBack) return new AppError('server-went-back');
  if (error instanceof Misuse) return new AppError('unexpected', 'misuse');
  if (CHECKED.some((Kind) => error instanceof Kind)) return new AppError('server-misbehaved');
  return new AppError('unexpected', error instanceof Error ? error.name : '');
}

function refused({ kind, detail, retryAfter }: RequestRefused): AppError {
  if (kind === 'refused' && detail === 'registration-closed') return new AppError('registration-closed');
  if (kind === 'conflict' && detail === 'name') return new AppError('name-taken');
  return new AppError(REFUSALS[kind] ?? 'unexpected', REFUSALS[kind] === undefined ? kind : detail, retryAfter);
}

/** What an error in the background means for one conversation. `transient` heals by trying again. */
export type Trouble = SendBlock | 'transient' | 'bug';

export function troubleOf(error: unknown): Trouble {
  if (error instanceof RolledBack) return 'folder-rolled-back';
  if (error instanceof RootChanged) return 'peer-root-changed';
  if (error instanceof WentBack || error instanceof Unreachable || error instanceof RequestRefused || error instanceof UnknownEpoch) return 'transient';
  if (error instanceof Misuse) return 'bug';
  return CHECKED.some((Kind) => error instanceof Kind) ? 'server-misbehaved' : 'bug';
}

/** Runs an action; whatever it throws becomes an AppError. */
export async function acting<T>(step: () => Promise<T>, kinds: Partial<Readonly<Record<AppErrorKind, AppErrorKind>>> = {}): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw asAppError(error, kinds);
  }
}
