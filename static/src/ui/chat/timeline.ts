import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { App, Conversation, TimelineItem } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { isolated, rich, t } from '../i18n/language.ts';
import { attempt } from '../notices.ts';
import { avatar, nameOf } from '../parts/avatar.ts';
import { layoutDays } from '../text/rows.ts';
import { View } from '../view.ts';
import { dayHeading, rowView } from './message.ts';

/** Distance from the end, in pixels, that still counts as being there. */
const NEAR_END = 48;
/** Distance from the beginning at which older messages are asked for. */
const NEAR_BEGINNING = 600;
const ANNOUNCED_AT_ONCE = 3;

/** What was said, scrolled: stays at the end when it is there, and in place when older messages come. */
export class Timeline extends View {
  static override properties = {
    app: { attribute: false }, conversation: { attribute: false }, atEnd: { state: true }, stop: { state: true }, announced: { state: true },
  };

  declare app: App;
  declare conversation: Conversation;
  private declare atEnd: boolean;
  private declare stop: string | null;
  /** New messages as a screen reader says them. */
  private declare announced: readonly { readonly key: string; readonly text: string }[];
  #older = false;
  /** A row that must not move on the screen, and where it was, while rows come above it. */
  #anchor: { readonly key: string; readonly top: number } | null = null;
  #watch = new ResizeObserver(() => { if (this.atEnd) this.#toEnd(); });
  #onFocus = (): void => this.#markRead();

  constructor() {
    super();
    this.atEnd = true;
    this.stop = null;
    this.announced = [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('focus', this.#onFocus);
    document.addEventListener('visibilitychange', this.#onFocus);
  }

  override disconnectedCallback(): void {
    removeEventListener('focus', this.#onFocus);
    document.removeEventListener('visibilitychange', this.#onFocus);
    this.#watch.disconnect();
    super.disconnectedCallback();
  }

  get #scroller(): HTMLElement | null {
    return this.querySelector('.timeline');
  }

  #row(key: string): HTMLElement | null {
    return this.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has('conversation')) return;
    const before = changed.get('conversation') as Conversation | undefined;
    const { items, summary } = this.conversation;
    if (before?.summary.thread !== summary.thread) {
      this.announced = [];
      this.stop = items.at(-1)?.key ?? null;
      return;
    }
    if (before.items === items) return;
    this.#anchor = this.atEnd ? null : this.#firstVisible();
    const added = this.#addedAtEnd(before.items, items);
    if (added.some((item) => item.kind === 'message' && item.mine)) this.atEnd = true;
    this.#announce(added);
    if (this.stop === null || this.stop === before.items.at(-1)?.key) this.stop = items.at(-1)?.key ?? null;
  }

  #firstVisible(): { readonly key: string; readonly top: number } | null {
    const scroller = this.#scroller;
    if (scroller === null) return null;
    const edge = scroller.getBoundingClientRect().top;
    for (const row of scroller.querySelectorAll<HTMLElement>('.row')) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom > edge) return { key: row.dataset['key'] ?? '', top };
    }
    return null;
  }

  #addedAtEnd(before: readonly TimelineItem[], after: readonly TimelineItem[]): readonly TimelineItem[] {
    const last = before.at(-1);
    const at = last === undefined ? -1 : after.findIndex(({ key }) => key === last.key);
    return last !== undefined && at < 0 ? [] : after.slice(at + 1);
  }

  #announce(added: readonly TimelineItem[]): void {
    const spoken = added.flatMap((item) => item.kind === 'message' && !item.mine
      ? [{ key: item.key, text: t('chat.said', { name: isolated(this.conversation.summary.peer.name), text: isolated(item.text.slice(0, 400)) }) }] : []);
    if (spoken.length > 0) this.announced = [...this.announced, ...spoken].slice(-ANNOUNCED_AT_ONCE);
  }

  protected override firstUpdated(): void {
    const scroller = this.#scroller;
    const contents = scroller?.firstElementChild;
    if (scroller !== null && contents !== null && contents !== undefined) {
      this.#watch.observe(scroller);
      this.#watch.observe(contents);
    }
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has('conversation')) return;
    const before = changed.get('conversation') as Conversation | undefined;
    if (before?.summary.thread !== this.conversation.summary.thread || (before.items.length === 0 && this.conversation.items.length > 0)) this.#begin();
    else if (this.atEnd) this.#toEnd();
    else this.#holdPlace();
    this.#markRead();
    this.#maybeOlder();
  }

  /** A conversation opens at its first unread message, else at the end. */
  #begin(): void {
    const line = this.querySelector<HTMLElement>('.unread-line');
    const scroller = this.#scroller;
    if (line !== null && scroller !== null) {
      scroller.scrollTop = line.offsetTop - scroller.clientHeight / 4;
      this.#onScroll();
    } else {
      this.atEnd = true;
      this.#toEnd();
    }
  }

  #holdPlace(): void {
    const anchor = this.#anchor;
    const row = anchor === null ? null : this.#row(anchor.key);
    if (anchor !== null && row !== null && this.#scroller !== null) this.#scroller.scrollTop += row.getBoundingClientRect().top - anchor.top;
    this.#anchor = null;
  }

  #toEnd(smooth = false): void {
    const scroller = this.#scroller;
    if (scroller === null) return;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    scroller.scrollTo({ top: scroller.scrollHeight, behavior: smooth && !calm ? 'smooth' : 'instant' });
  }

  #onScroll(): void {
    const scroller = this.#scroller;
    if (scroller === null) return;
    this.atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= NEAR_END;
    this.#markRead();
    this.#maybeOlder();
  }

  #markRead(): void {
    const { summary } = this.conversation;
    if (this.atEnd && summary.unread > 0 && document.hasFocus() && !document.hidden) this.app.markRead();
  }

  #maybeOlder(): void {
    const scroller = this.#scroller;
    const { hasOlder, loading } = this.conversation;
    if (scroller === null || !hasOlder || loading || this.#older || scroller.scrollTop > NEAR_BEGINNING) return;
    this.#older = true;
    void attempt(() => this.app.loadOlder()).finally(() => { this.#older = false; });
  }

  #onKey(event: KeyboardEvent): void {
    const rows = [...this.querySelectorAll<HTMLElement>('.row')];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    const row = target === undefined ? undefined : rows[target];
    if (at < 0 || row === undefined || event.altKey) return;
    event.preventDefault();
    this.stop = row.dataset['key'] ?? null;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest' });
  }

  #onFocusIn(event: FocusEvent): void {
    const key = (event.target as HTMLElement).closest<HTMLElement>('.row')?.dataset['key'];
    if (key !== undefined) this.stop = key;
  }

  protected override render(): TemplateResult {
    const { items, firstUnread, loading, summary } = this.conversation;
    const around = {
      app: this.app, thread: summary.thread, peer: summary.peer, stop: this.stop,
      showProtection: (key: string) => this.dispatchEvent(new CustomEvent('protection', { detail: key })),
    };
    return html`<div class="timeline" role="region" tabindex=${items.length === 0 ? 0 : -1} aria-label=${t('chat.messages', { name: isolated(summary.peer.name) })} aria-busy=${loading}
        @scroll=${() => this.#onScroll()} @keydown=${(event: KeyboardEvent) => this.#onKey(event)} @focusin=${(event: FocusEvent) => this.#onFocusIn(event)}>
        <div class="timeline-contents">
          ${this.#beginning()}
          ${repeat(layoutDays(items, firstUnread), ({ key }) => key, ({ time, rows }) => html`<div class="day-group">${dayHeading(time)}
            <ol role="list">${repeat(rows, ({ key }) => key, (row) => rowView(row, around))}</ol></div>`)}
          ${summary.typing ? html`<p class="typing-dots" aria-hidden="true"><i></i><i></i><i></i></p>` : nothing}
        </div>
      </div>
      ${this.#jump()}
      <div class="visually-hidden" role="log" aria-live="polite">${repeat(this.announced, ({ key }) => key, ({ text }) => html`<p>${text}</p>`)}</div>`;
  }

  #beginning(): unknown {
    const { hasOlder, items, loading, summary } = this.conversation;
    if (loading && items.length === 0) return html`<p class="older">${t('chat.opening')}</p>`;
    if (hasOlder) return html`<p class="older">${t('chat.older')}</p>`;
    return html`<div class="beginning">${avatar(summary.peer, 'large')}<p class="beginning-name">${nameOf(summary.peer)}</p>
      ${items.length === 0 ? html`<p><strong>${t('chat.start')}</strong></p>` : nothing}<p>${rich('chat.start.hint', { name: nameOf(summary.peer) })}</p></div>`;
  }

  #jump(): unknown {
    if (this.atEnd || this.conversation.items.length === 0) return nothing;
    const { unread } = this.conversation.summary;
    return html`<button type="button" class="jump" title=${t('chat.newest')} @click=${() => this.#toEnd(true)}>${icons.down}
      <span class="visually-hidden">${t('chat.newest')}</span>${unread === 0 ? nothing : html`<span class="badge"><span aria-hidden="true">${unread}</span><span class="visually-hidden">${t('app.unread', { n: unread })}</span></span>`}</button>`;
  }
}
customElements.define('sm-timeline', Timeline);
