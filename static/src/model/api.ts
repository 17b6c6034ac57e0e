/**
 * What the views see of the application: one immutable snapshot, and actions.
 * Views never touch keys, the network or the store; the model never touches the page.
 */

export type Hex = string;

/** Long work that a view shows while it goes on; `fraction` null: not known. */
export interface Progress {
  readonly step: 'deriving' | 'making-keys' | 'registering' | 'signing-in' | 'opening-vault' | 'loading' | 're-encrypting';
  readonly fraction: number | null;
}

/**
 * The server shows an older state than this browser saw, and nothing is sent. `restored`: it says so, and was set
 * back at `at` to a copy of `copied` (ms); a person decides whether to go on. `rolled-back`: it does not.
 */
export type WentBackState =
  | { readonly kind: 'restored'; readonly copied: number; readonly at: number }
  | { readonly kind: 'rolled-back' };

export type Phase =
  | { readonly kind: 'starting' }
  /** A sentence instead of a blank page; names of what the browser lacks. */
  | { readonly kind: 'unsupported'; readonly missing: readonly string[] }
  | { readonly kind: 'signed-out'; readonly reason: 'none' | 'ended' | 'signed-out' }
  | { readonly kind: 'busy'; readonly progress: Progress }
  /** A recovery code was right: a new password is asked for before anything else. */
  | { readonly kind: 'recovering'; readonly name: string }
  | { readonly kind: 'signed-in' };

/** offline: the browser says so; waiting: the next try comes at `retryAt` (ms). */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online' }
  | { readonly kind: 'offline' }
  | { readonly kind: 'waiting'; readonly retryAt: number };

export interface Person {
  readonly account: Hex;
  readonly name: string;
}

export type ContactState = 'none' | 'outgoing' | 'request' | 'accepted' | 'blocked';

export interface ConversationSummary {
  readonly thread: Hex;
  readonly peer: Person;
  readonly state: ContactState;
  readonly unread: number;
  readonly preview: string | null;
  readonly previewMine: boolean;
  readonly lastTime: number | null;
  readonly typing: boolean;
  readonly hasDraft: boolean;
  /** A conversation that cannot send, and why. */
  readonly blockedBy: SendBlock | null;
}

export type SendBlock = 'server-went-back' | 'folder-rolled-back' | 'peer-root-changed' | 'server-misbehaved' | 'you-blocked';

export type MessageStatus = 'sending' | 'failed' | 'stored' | 'read' | 'received';

/** What protected one message, for its badge. Sizes in bytes. */
export interface MessageProtection {
  readonly suite: string;
  readonly content: string;
  readonly signature: string;
  readonly agreement: string;
  readonly turn: number | null;
  readonly countInTurn: number | null;
  readonly sequence: number | null;
  readonly messageId: Hex;
  readonly entryHash: Hex | null;
  readonly paddedSize: number | null;
  readonly storedAt: number | null;
}

export type TimelineItem =
  | {
      readonly kind: 'message';
      /** Stable over the message's whole life (its id). */
      readonly key: string;
      readonly mine: boolean;
      readonly text: string;
      readonly time: number;
      readonly status: MessageStatus;
      readonly failure: AppErrorKind | null;
      readonly resent: boolean;
    }
  /** Something the conversation says about itself, in place. */
  | { readonly kind: 'gap'; readonly key: string; readonly time: number; readonly count: number }
  | { readonly kind: 'undecryptable'; readonly key: string; readonly time: number; readonly asked: boolean }
  | { readonly kind: 'session'; readonly key: string; readonly time: number; readonly lastResort: boolean; readonly renewed: boolean }
  | { readonly kind: 'rolled-back'; readonly key: string; readonly time: number; readonly whose: 'mine' | 'peer' };

export interface ConversationSecurity {
  readonly established: boolean;
  readonly suite: string;
  readonly agreement: readonly string[];
  readonly signatures: readonly string[];
  readonly content: string;
  readonly sessionStarted: number | null;
  readonly turn: number;
  readonly lastTurnAt: number | null;
  readonly lastResort: boolean;
  readonly peerFingerprint: Hex | null;
  readonly peerGeneration: number | null;
  readonly skippedKeys: number;
  readonly entries: number;
}

export interface Conversation {
  readonly summary: ConversationSummary;
  readonly items: readonly TimelineItem[];
  readonly hasOlder: boolean;
  readonly loading: boolean;
  /** Key of the first unread message when the conversation was opened. */
  readonly firstUnread: string | null;
  readonly draft: string;
  readonly security: ConversationSecurity | null;
}

export interface AccountSecurity {
  readonly fingerprint: Hex;
  readonly suites: readonly string[];
  readonly keyDerivation: { readonly memoryKib: number; readonly passes: number };
  readonly rootAlgorithms: readonly string[];
  readonly generation: number;
  readonly generationSince: number;
  readonly oneTimePrekeysLeft: number;
  readonly signedPrekeyAge: number;
  readonly vaultEpoch: number;
  readonly hasRecoveryCode: boolean;
  readonly nativeKeys: boolean;
  readonly server: { readonly origin: string; readonly fingerprint: Hex; readonly checkpointSize: number };
}

export interface SessionInfo {
  readonly id: string;
  readonly created: number;
  readonly lastSeen: number;
  readonly browser: string;
  readonly current: boolean;
}

export interface Preferences {
  readonly language: 'en' | 'es' | 'auto';
  readonly theme: 'light' | 'dark' | 'auto';
  readonly sendReadMarks: boolean;
}

export interface AppState {
  readonly phase: Phase;
  readonly me: (Person & { readonly fingerprint: Hex }) | null;
  readonly connection: Connection;
  /** False until the list was read once. */
  readonly ready: boolean;
  readonly conversations: readonly ConversationSummary[];
  readonly open: Conversation | null;
  readonly wentBack: WentBackState | null;
  readonly preferences: Preferences;
  /** Long work that goes on behind a form while everything stays on the screen. */
  readonly work: Progress | null;
  readonly serverName: string;
  readonly registration: 'open' | 'closed';
}

export type AppErrorKind =
  | 'sign-in-failed' | 'recovery-failed' | 'name-taken' | 'name-refused' | 'weak-password' | 'registration-closed'
  | 'slow-down' | 'offline' | 'server-busy' | 'read-only' | 'storage-full' | 'too-long' | 'conflict' | 'not-found'
  | 'server-misbehaved' | 'peer-violation' | 'folder-rolled-back' | 'server-went-back' | 'server-lost' | 'wrong-password' | 'unexpected';

/** The only error that actions throw; `detail` is a short word for the catalogue, never a stack or a secret. */
export class AppError extends Error {
  constructor(readonly kind: AppErrorKind, readonly detail: string = '', readonly retryAfter: number | null = null) {
    super(kind);
    this.name = 'AppError';
  }
}

export interface App {
  readonly state: AppState;
  /** Called after every change, at most once a frame; returns the way to stop. */
  subscribe(listener: () => void): () => void;

  start(): Promise<void>;
  register(name: string, password: string, withRecovery: boolean): Promise<{ readonly recoveryCode: string | null }>;
  signIn(name: string, password: string): Promise<void>;
  recover(name: string, code: string): Promise<void>;
  setPasswordAfterRecovery(password: string): Promise<{ readonly recoveryCode: string }>;
  /** Whoever had a recovery code gets a new one, because the old one ends with the old password. */
  changePassword(current: string, next: string): Promise<{ readonly recoveryCode: string | null }>;
  /** A new code replaces the old one; asks for the password again. */
  renewRecoveryCode(password: string): Promise<{ readonly recoveryCode: string }>;
  signOut(): Promise<void>;
  /** A person's consent: conversations go on from the copy that the server was set back to. */
  goOn(): Promise<void>;

  searchPeople(query: string): Promise<readonly Person[]>;
  /** Opens (idempotent) the conversation with a person. */
  openWith(account: Hex): Promise<Hex>;
  openConversation(thread: Hex): Promise<void>;
  closeConversation(): void;
  loadOlder(): Promise<void>;
  /** The view tells that the newest message is on screen and the window has focus. */
  markRead(): void;
  setDraft(thread: Hex, text: string): void;
  noteTyping(thread: Hex): void;
  send(thread: Hex, text: string): Promise<void>;
  retry(thread: Hex, key: string): Promise<void>;
  discard(thread: Hex, key: string): Promise<void>;
  accept(thread: Hex): Promise<void>;
  deleteConversation(thread: Hex): Promise<void>;
  block(thread: Hex): Promise<void>;
  unblock(thread: Hex): Promise<void>;
  askAgain(thread: Hex, key: string): Promise<void>;

  protection(thread: Hex, key: string): Promise<MessageProtection | null>;
  accountSecurity(): Promise<AccountSecurity>;
  sessions(): Promise<readonly SessionInfo[]>;
  endSession(id: string | 'all'): Promise<void>;
  setPreferences(change: Partial<Preferences>): Promise<void>;
}
