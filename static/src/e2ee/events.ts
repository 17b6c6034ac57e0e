/** What reading a thread brings to light (docs/spec/e2ee.md section 5). */

import type { Content } from './envelope.ts';

export type UndecryptableReason = 'erased' | 'malformed' | 'author' | 'session' | 'opening' | 'replayed' | 'forged' | 'rules';

export type ThreadEvent =
  | { readonly kind: 'ThreadOpened'; readonly sequence: number; readonly opener: Uint8Array }
  | {
      readonly kind: 'Received';
      readonly sequence: number;
      readonly id: Uint8Array;
      readonly author: Uint8Array;
      readonly time: number;
      readonly content: Content;
      readonly sessionVersion: number;
      /** Ratchet counts that are missing before this message. */
      readonly gap: number;
      readonly turn: number;
      readonly count: number;
      readonly checkpoint: { readonly size: number; readonly root: Uint8Array };
    }
  | {
      readonly kind: 'OwnMessage';
      readonly sequence: number;
      readonly id: Uint8Array;
      readonly time: number;
      readonly content: Content;
    }
  | { readonly kind: 'Undecryptable'; readonly sequence: number; readonly id: Uint8Array | null; readonly reason: UndecryptableReason }
  | { readonly kind: 'SessionStarted'; readonly sequence: number; readonly session: Uint8Array; readonly initiated: boolean; readonly lastResort: boolean; readonly created: number }
  | { readonly kind: 'Refused'; readonly sequence: number; readonly entryKind: string; readonly rule: string }
  | { readonly kind: 'ResetAsked'; readonly sequence: number; readonly session: Uint8Array; readonly ids: readonly Uint8Array[] }
  | { readonly kind: 'FolderRolledBack'; readonly sequence: number; readonly author: Uint8Array };
