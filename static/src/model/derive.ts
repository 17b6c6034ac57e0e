/** Stretching a password: Argon2id in a worker of its own, which is ended afterwards so that its memory is freed. */

import { MASTER_SIZE } from '../e2ee/unlock.ts';

export interface DeriveParameters {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** The 32-byte master key of a password; the caller overwrites both. */
export type DeriveKey = (password: Uint8Array, salt: Uint8Array, parameters: DeriveParameters) => Promise<Uint8Array>;

/** The worker could not be started, or could not derive (too little memory, for example). */
export class DeriveFailed extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'DeriveFailed';
  }
}

/** `url` is what `new Worker` takes: where the browser enforces Trusted Types, a TrustedScriptURL typed as its text. */
export function workerDerive(url: string): DeriveKey {
  return (password, salt, parameters) => new Promise((resolve, reject) => {
    const worker = new Worker(url, { type: 'module' });
    const end = (act: () => void): void => {
      worker.terminate();
      act();
    };
    worker.onerror = () => end(() => reject(new DeriveFailed('the worker did not start')));
    worker.onmessageerror = () => end(() => reject(new DeriveFailed('an answer that cannot be read')));
    worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      const answer = readAnswer(data);
      if (answer === null) return;
      end(() => (answer instanceof Uint8Array ? resolve(answer) : reject(answer)));
    };
    worker.postMessage({ id: 1, password, salt, ...parameters, length: MASTER_SIZE });
  });
}

/** The key, the failure, or null for news on the way. */
function readAnswer(data: unknown): Uint8Array | DeriveFailed | null {
  if (typeof data !== 'object' || data === null) return new DeriveFailed('no answer');
  if ('key' in data && data.key instanceof Uint8Array && data.key.length === MASTER_SIZE) return data.key;
  if ('error' in data) return new DeriveFailed(String(data.error));
  return 'progress' in data ? null : new DeriveFailed('no answer');
}
