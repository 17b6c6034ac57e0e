/** The worker that stretches passwords: Argon2id takes seconds and must not stop the page. */

import { CryptoError } from '../crypto/errors.ts';
import { argon2id } from '../crypto/password.ts';

export interface DeriveRequest {
  readonly id: number;
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
  /** Bytes of key. */
  readonly length: number;
}

/** `progress` 0 says that the work has begun; the library tells nothing in between. */
export type DeriveAnswer =
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly key: Uint8Array }
  | { readonly id: number; readonly error: string };

interface WorkerScope {
  onmessage: ((event: MessageEvent<DeriveRequest>) => void) | null;
  postMessage(answer: DeriveAnswer, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;

async function derive({ id, password, salt, ...options }: DeriveRequest): Promise<void> {
  scope.postMessage({ id, progress: 0 });
  try {
    const key = await argon2id(password, salt, options);
    scope.postMessage({ id, key }, [key.buffer]);
  } catch (error) {
    // The name of the failure only: what it says could hold parts of the input.
    scope.postMessage({ id, error: error instanceof CryptoError ? error.name : 'Error' });
  } finally {
    password.fill(0);
  }
}

scope.onmessage = (event) => void derive(event.data);
