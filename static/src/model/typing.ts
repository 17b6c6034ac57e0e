/** Who is writing just now: told at most every few seconds, shown for a few seconds, never stored. */

import type { Services } from './services.ts';

const SHOWN_MS = 6_000;
const EVERY_MS = 3_000;

export class Typing {
  readonly #services: Services;
  #until = 0;
  #told = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(services: Services) {
    this.#services = services;
  }

  get shown(): boolean {
    return this.#until > this.#services.now();
  }

  tell(thread: Uint8Array): void {
    const now = this.#services.now();
    if (now - this.#told < EVERY_MS) return;
    this.#told = now;
    this.#services.realtime.typing(thread);
  }

  noted(): void {
    this.#until = this.#services.now() + SHOWN_MS;
    this.#forgetTimer();
    this.#timer = setTimeout(() => this.#services.changed(), SHOWN_MS + 50);
    this.#services.changed();
  }

  /** What was being written has come. */
  over(): void {
    this.#until = 0;
    this.#forgetTimer();
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
