import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { type App, AppError, type AppState, type ConversationSummary, type Hex, type Person } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { locale, t } from '../i18n/language.ts';
import { attempt, errorText, notify } from '../notices.ts';
import { avatar, nameOf } from '../parts/avatar.ts';
import { formatRoute, navigate } from '../router.ts';
import { listTime } from '../text/format.ts';
import { View } from '../view.ts';

const SEARCH_DELAY_MS = 250;
const SHORTEST_QUERY = 2;

/** The left column: own account, search, and the conversations. One stop for Tab, arrows inside. */
export class ConversationList extends View {
  static override properties = {
    app: { attribute: false }, state: { attribute: false }, current: { attribute: false },
    query: { state: true }, people: { state: true }, searching: { state: true },
  };

  declare app: App;
  declare state: AppState;
  declare current: Hex | null;
  private declare query: string;
  private declare people: readonly Person[];
  private declare searching: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.query = '';
    this.people = [];
    this.searching = false;
  }

  #search(query: string): void {
    this.query = query;
    clearTimeout(this.#timer);
    const wanted = query.trim();
    if (wanted.length < SHORTEST_QUERY) {
      this.people = [];
      this.searching = false;
      return;
    }
    this.searching = true;
    this.#timer = setTimeout(() => void this.#ask(wanted), SEARCH_DELAY_MS);
  }

  async #ask(wanted: string): Promise<void> {
    try {
      const people = await this.app.searchPeople(wanted);
      if (this.query.trim() === wanted) this.people = people;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      notify(errorText(error), true);
    } finally {
      if (this.query.trim() === wanted) this.searching = false;
    }
  }

  #matching(): readonly ConversationSummary[] {
    const wanted = this.query.trim().toLocaleLowerCase();
    const all = this.state.conversations;
    return wanted === '' ? all : all.filter(({ peer }) => peer.name.toLocaleLowerCase().includes(wanted));
  }

  #strangers(): readonly Person[] {
    const known = new Set(this.state.conversations.map(({ peer }) => peer.account));
    return this.people.filter(({ account }) => !known.has(account) && account !== this.state.me?.account);
  }

  #clear(): void {
    this.#search('');
    this.querySelector<HTMLInputElement>('#search')?.focus();
  }

  async #openPerson(person: Person): Promise<void> {
    const thread = await attempt(() => this.app.openWith(person.account));
    if (thread === null) return;
    this.#search('');
    navigate({ view: 'conversation', thread, details: false });
  }

  #onSearchKey(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.query !== '') {
      event.preventDefault();
      this.#clear();
    } else if (event.key === 'ArrowDown' && !event.altKey) {
      event.preventDefault();
      this.#entries()[0]?.focus();
    } else if (event.key === 'Enter' && !event.isComposing) {
      event.preventDefault();
      this.#entries()[0]?.click();
    }
  }

  #entries(): readonly HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>('.entry')];
  }

  #onListKey(event: KeyboardEvent): void {
    const entries = this.#entries();
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (at < 0 || target === undefined || event.altKey) return;
    event.preventDefault();
    if (target < 0) this.querySelector<HTMLElement>('#search')?.focus();
    else entries[target]?.focus();
  }

  protected override updated(_changed: PropertyValues): void {
    // One stop for Tab: what is open or focused, else the first.
    const entries = this.#entries();
    const stop = entries.find((entry) => entry === document.activeElement) ?? entries.find((entry) => entry.hasAttribute('aria-current')) ?? entries[0];
    for (const entry of entries) entry.tabIndex = entry === stop ? 0 : -1;
  }

  #onFocus(event: FocusEvent): void {
    const focused = (event.target as HTMLElement).closest('.entry');
    if (focused !== null) for (const entry of this.#entries()) entry.tabIndex = entry === focused ? 0 : -1;
  }

  protected override render(): TemplateResult {
    const filtering = this.query.trim() !== '';
    const conversations = this.#matching();
    const strangers = this.#strangers();
    return html`<nav class="list" aria-label=${t('list.title')}>
      ${this.#head()}
      <div class="search" role="search"><label class="visually-hidden" for="search">${t('list.search')}</label>${icons.search}
        <input id="search" type="search" autocomplete="off" spellcheck="false" autocapitalize="none" maxlength="64" dir="auto"
          placeholder=${t('list.search.short')} .value=${this.query} @keydown=${(event: KeyboardEvent) => this.#onSearchKey(event)}
          @input=${(event: Event) => this.#search((event.target as HTMLInputElement).value)} />
        ${filtering ? html`<button type="button" class="icon-button" aria-label=${t('list.search.clear')} @click=${() => this.#clear()}>${icons.close}</button>` : nothing}</div>
      <div class="entries" @keydown=${(event: KeyboardEvent) => this.#onListKey(event)} @focusin=${(event: FocusEvent) => this.#onFocus(event)}>
        <h2 class="visually-hidden">${t('list.title')}</h2>
        <ul role="list">${repeat(conversations, ({ thread }) => thread, (summary) => this.#entry(summary))}</ul>
        ${filtering ? this.#found(strangers) : nothing}${this.#blank(filtering, conversations.length + strangers.length)}
      </div>
      <p class="visually-hidden" role="status">${filtering && !this.searching ? t('list.found', { n: conversations.length + strangers.length }) : ''}</p>
    </nav>`;
  }

  #head(): TemplateResult {
    const { me } = this.state;
    return html`<header class="list-head">${me === null ? nothing : html`
      <button type="button" class="me" popovertarget="own-menu">${avatar(me, 'small')}${nameOf(me)}<span class="visually-hidden"> (${t('list.menu')})</span></button>
      <div id="own-menu" class="menu" popover>
        <a href=${formatRoute({ view: 'settings', section: null })} @click=${() => this.#closeMenu()}>${icons.settings}${t('list.settings')}</a>
        <button type="button" @click=${() => { this.#closeMenu(); void attempt(() => this.app.signOut()); }}>${icons.leave}${t('list.signOut')}</button>
      </div>`}
      <a class="icon-button" href=${formatRoute({ view: 'settings', section: null })} aria-label=${t('list.settings')} title=${t('list.settings')}>${icons.settings}</a></header>`;
  }

  #closeMenu(): void {
    this.querySelector<HTMLElement>('#own-menu')?.hidePopover();
  }

  #entry(summary: ConversationSummary): TemplateResult {
    const { thread, peer, unread, lastTime } = summary;
    return html`<li><a class="entry ${unread > 0 ? 'unread' : ''}" href=${formatRoute({ view: 'conversation', thread, details: false })}
        aria-current=${thread === this.current ? 'page' : nothing}>
      ${avatar(peer)}
      <span class="entry-text"><span class="entry-line">${nameOf(peer)}${lastTime === null ? nothing
        : html`<time datetime=${new Date(lastTime).toISOString()}>${listTime(lastTime, Date.now(), locale())}</time>`}</span>
      <span class="entry-line"><span class="preview">${this.#preview(summary)}</span>${this.#marks(summary)}</span></span></a></li>`;
  }

  #preview({ thread, typing, hasDraft, preview, previewMine }: ConversationSummary): unknown {
    if (typing) return html`<span class="typing">${t('chat.typing')}</span>`;
    if (hasDraft && thread !== this.current) return html`<span class="draft">${t('list.draft')}</span>${preview === null ? nothing : html` <bdi>${preview}</bdi>`}`;
    if (preview === null) return t('list.noPreview');
    return html`${previewMine ? html`${t('list.you')} ` : nothing}<bdi>${preview}</bdi>`;
  }

  #marks({ state, unread, blockedBy }: ConversationSummary): unknown {
    if (state === 'blocked' || blockedBy === 'you-blocked') return html`<span class="mark-icon" title=${t('list.blocked')}>${icons.block}<span class="visually-hidden">${t('list.blocked')}</span></span>`;
    if (blockedBy !== null) return html`<span class="mark-icon warn" title=${t('list.attention')}>${icons.alert}<span class="visually-hidden">${t('list.attention')}</span></span>`;
    return html`${state === 'request' ? html`<span class="pill">${t('list.request')}</span>` : nothing}${unread > 0
      ? html`<span class="badge"><span aria-hidden="true">${unread > 99 ? '99+' : unread}</span><span class="visually-hidden">${t('app.unread', { n: unread })}</span></span>` : nothing}`;
  }

  #found(strangers: readonly Person[]): unknown {
    if (this.query.trim().length < SHORTEST_QUERY) return html`<p class="list-note">${t('list.more')}</p>`;
    if (strangers.length === 0) return this.searching ? html`<p class="list-note">${t('list.searching')}</p>` : nothing;
    return html`<h2 class="list-heading">${t('list.people')}</h2><ul role="list">${repeat(strangers, ({ account }) => account, (person) => html`<li>
      <button type="button" class="entry" @click=${() => void this.#openPerson(person)}>${avatar(person)}<span class="entry-text">${nameOf(person)}</span></button></li>`)}</ul>`;
  }

  #blank(filtering: boolean, count: number): unknown {
    if (!this.state.ready) return html`<p class="list-note" role="status">${t('list.loading')}</p>`;
    if (count > 0 || this.searching) return nothing;
    if (filtering) return this.query.trim().length < SHORTEST_QUERY ? nothing : html`<p class="list-note">${t('list.noMatch')}</p>`;
    return html`<div class="list-blank">${icons.person}<p><strong>${t('list.none')}</strong></p><p>${t('list.none.hint')}</p></div>`;
  }
}
customElements.define('sm-list', ConversationList);
