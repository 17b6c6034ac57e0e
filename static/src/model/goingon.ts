/** What becomes of an open account when the server turns out to have gone back, and when a person agrees to go on. */

import type { Http } from '../net/http.ts';
import { AppError, type AppState, type Progress } from './api.ts';
import { acting, asAppError } from './apperrors.ts';
import { type LedgerStore, Restoring } from './restoring.ts';
import type { ServerView } from './server.ts';
import type { SignedIn } from './signedin.ts';

/** By how much this browser's clock may go before the server's. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

export interface GoingOnEvents {
  signedIn(): SignedIn | null;
  /** Opens the account anew in the place of this one. */
  openAgain(before: SignedIn): Promise<void>;
  working(work: Progress | null): void;
  changed(): void;
}

export class GoingOn {
  readonly restoring: Restoring;
  readonly #events: GoingOnEvents;
  /** Done when what the server may have lost is kept. */
  #frozen: Promise<void> = Promise.resolve();

  constructor(http: Http, server: ServerView, device: LedgerStore, events: GoingOnEvents) {
    this.#events = events;
    this.restoring = new Restoring(http, server, device, () => this.#onStanding());
  }

  get shown(): AppState['wentBack'] {
    const { standing } = this.restoring;
    return standing.kind === 'fine' ? null : standing;
  }

  #onStanding(): void {
    const signedIn = this.#events.signedIn();
    if (signedIn !== null) {
      if (this.restoring.fine) void this.#events.openAgain(signedIn).catch(reportError);
      else this.#freeze(signedIn);
    }
    this.#events.changed();
  }

  #freeze(signedIn: SignedIn): void {
    const { standing } = this.restoring;
    this.#frozen = signedIn.freeze(standing.kind === 'restored' ? standing.copied - CLOCKS_DIFFER_MS : 0);
  }

  /** A folder that is older than it was is judged, and then read as one that is: nothing of it is written. */
  async judged<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (asAppError(error).kind !== 'folder-rolled-back' || !this.restoring.fine) throw error;
      await this.restoring.suspect(true);
      return step();
    }
  }

  /** Throws where the account or its secrets would be changed on a server that went back. */
  checkFine(): void {
    if (!this.restoring.fine) throw new AppError('server-went-back');
  }

  /** A person's consent, in this tab. */
  goOn(): Promise<void> {
    return this.#reopened(() => this.restoring.accept());
  }

  /** Another tab had it. */
  followed(): Promise<void> {
    const signedIn = this.#events.signedIn();
    if (signedIn !== null && this.restoring.fine) this.#freeze(signedIn);
    return this.#reopened(() => this.restoring.adopt());
  }

  /** What was held is let go of, and everything is opened again as the server has it now. */
  async #reopened(step: () => Promise<void>): Promise<void> {
    const before = this.#events.signedIn();
    this.#events.working({ step: 'loading', fraction: null });
    try {
      await this.#frozen;
      await before?.drop();
      await step();
      if (before !== null) await this.#events.openAgain(before);
    } finally {
      this.#events.working(null);
    }
  }

  /** Before a session that ended is let go of: a server that was set back may not know it, and what it lost is kept. */
  async kept(): Promise<void> {
    try {
      await acting(() => this.restoring.check());
      await this.#frozen;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
}
