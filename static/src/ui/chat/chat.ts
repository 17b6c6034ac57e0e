import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import type { App, AppState, Hex } from '../../model/api.ts';
import { mark } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { type Route, navigate } from '../router.ts';
import { View, isNarrow } from '../view.ts';
import './conversation.ts';
import './details.ts';
import './list.ts';

/** List, conversation and details side by side; on a phone one of them at a time. */
export class ChatView extends View {
  static override properties = { app: { attribute: false }, state: { attribute: false }, route: { attribute: false } };

  declare app: App;
  declare state: AppState;
  declare route: Route;
  /** What lies under the settings, which have an address of their own. */
  #under: Route = { view: 'list' };
  #keys = (event: KeyboardEvent): void => this.#onKey(event);

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('keydown', this.#keys);
  }

  override disconnectedCallback(): void {
    removeEventListener('keydown', this.#keys);
    super.disconnectedCallback();
  }

  get #thread(): Hex | null {
    return this.#under.view === 'conversation' ? this.#under.thread : null;
  }

  #onKey(event: KeyboardEvent): void {
    if (document.querySelector('dialog[open]') !== null || event.defaultPrevented) return;
    if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault();
      this.#switch(event.key === 'ArrowUp' ? -1 : 1);
    } else if (event.key === 'Escape' && this.#under.view === 'conversation') {
      if (this.#under.details) navigate({ ...this.#under, details: false }, 'replace');
      else if (isNarrow()) navigate({ view: 'list' });
    }
  }

  /** The conversation above or below the open one, in the order of the list. */
  #switch(step: number): void {
    const all = this.state.conversations;
    const at = all.findIndex(({ thread }) => thread === this.#thread);
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    if (next !== undefined) navigate({ view: 'conversation', thread: next.thread, details: false });
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('route') && this.route.view !== 'settings') this.#under = this.route;
    else if (changed.has('route') && this.#under.view === 'list' && this.state.open !== null) {
      this.#under = { view: 'conversation', thread: this.state.open.summary.thread, details: false };
    }
  }

  protected override updated(changed: PropertyValues): void {
    const before = changed.get('route') as Route | undefined;
    if (before === undefined || this.route.view === 'settings' || before.view === 'settings') return;
    if (before.view === 'conversation' && this.route.view === 'list') this.querySelector<HTMLElement>('sm-list a[tabindex="0"]')?.focus();
    else if (before.view === 'conversation' && before.details && this.route.view === 'conversation' && !this.route.details) {
      this.querySelector<HTMLElement>('.peer-button')?.focus();
    }
  }

  protected override render(): TemplateResult {
    const under = this.#under;
    const open = this.state.open?.summary.thread === this.#thread ? this.state.open : null;
    const pane = under.view !== 'conversation' ? 'list' : under.details ? 'details' : 'conversation';
    return html`<main class="chat pane-${pane}"><h1 class="visually-hidden">${t('app.name')}</h1>
      <sm-list .app=${this.app} .state=${this.state} .current=${this.#thread}></sm-list>
      <div class="middle">${under.view === 'list' ? this.#empty() : open === null
        ? html`<div class="blank" role="status"><p>${t('chat.opening')}</p></div>`
        : html`<sm-conversation .app=${this.app} .state=${this.state} .conversation=${open} .details=${under.view === 'conversation' && under.details}></sm-conversation>`}</div>
      ${under.view === 'conversation' && under.details && open !== null
        ? html`<sm-details .app=${this.app} .state=${this.state} .conversation=${open}></sm-details>` : nothing}
    </main>`;
  }

  #empty(): TemplateResult {
    return html`<div class="blank">${mark}<h2>${t('chat.empty')}</h2><p>${t('chat.empty.hint')}</p></div>`;
  }
}
customElements.define('sm-chat', ChatView);
