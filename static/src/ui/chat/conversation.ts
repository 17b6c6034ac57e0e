import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import type { App, AppState, Conversation } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { avatar, nameOf } from '../parts/avatar.ts';
import { navigate } from '../router.ts';
import { View, isNarrow } from '../view.ts';
import { banners } from './banners.ts';
import './composer.ts';
import './protection.ts';
import './timeline.ts';

/** The middle: who it is, what was said, and the field to write. */
export class ConversationView extends View {
  static override properties = {
    app: { attribute: false }, state: { attribute: false }, conversation: { attribute: false }, details: { type: Boolean }, asked: { state: true },
  };

  declare app: App;
  declare state: AppState;
  declare conversation: Conversation;
  declare details: boolean;
  /** Key of the message whose protection is shown. */
  private declare asked: string | null;

  constructor() {
    super();
    this.details = false;
    this.asked = null;
  }

  protected override willUpdate(changed: PropertyValues): void {
    const before = changed.get('conversation') as Conversation | undefined;
    if (before !== undefined && before.summary.thread !== this.conversation.summary.thread) this.asked = null;
  }

  protected override updated(changed: PropertyValues): void {
    const before = changed.get('conversation') as Conversation | undefined;
    const opened = changed.has('conversation') && before?.summary.thread !== this.conversation.summary.thread;
    // In one column the list that had the focus is gone; where there is room, the composer takes it.
    if (opened && isNarrow() && !this.contains(document.activeElement)) this.querySelector<HTMLElement>('.peer-button')?.focus();
  }

  protected override render(): TemplateResult {
    const { summary } = this.conversation;
    const canWrite = summary.blockedBy === null && summary.state !== 'request' && summary.state !== 'blocked';
    return html`<section class="conversation" aria-labelledby="peer-name">
      ${this.#head()}
      ${banners(this.app, summary, 'above')}
      <sm-timeline .app=${this.app} .conversation=${this.conversation}
        @protection=${(event: CustomEvent<string>) => { this.asked = event.detail; }}></sm-timeline>
      ${banners(this.app, summary, 'below')}
      ${canWrite ? html`<sm-composer .app=${this.app} .conversation=${this.conversation}></sm-composer>` : nothing}
      ${this.asked === null ? nothing : html`<sm-protection .app=${this.app} .thread=${summary.thread} .item=${this.asked}
        .mine=${this.conversation.items.some((item) => item.kind === 'message' && item.key === this.asked && item.mine)}
        @closed=${() => { this.asked = null; }}></sm-protection>`}
    </section>`;
  }

  #head(): TemplateResult {
    const { summary, security } = this.conversation;
    const { thread, peer, typing, blockedBy } = summary;
    const established = security?.established === true;
    const troubled = blockedBy !== null && blockedBy !== 'you-blocked';
    return html`<header class="head">
      <button type="button" class="icon-button only-phone" aria-label=${t('app.back')} @click=${() => navigate({ view: 'list' })}>${icons.back}</button>
      <button type="button" class="peer-button" aria-expanded=${this.details}
        @click=${() => navigate({ view: 'conversation', thread, details: !this.details })}>
        ${avatar(peer, 'small')}
        <span class="peer-text"><h2 id="peer-name">${nameOf(peer)}</h2>
          <span class="peer-state ${troubled ? 'troubled' : ''}">${typing ? html`<span class="typing" role="status">${t('chat.typing')}</span>`
            : html`${troubled ? icons.alert : established ? icons.shield : icons.shieldOpen}<span>${t(troubled ? 'list.attention' : established ? 'chat.protected' : 'chat.unprotected')}</span>`}</span></span>
        <span class="visually-hidden">${t('chat.details')}</span>
      </button>
      <button type="button" class="icon-button" aria-label=${t('chat.details')} title=${t('chat.details')} aria-pressed=${this.details}
        @click=${() => navigate({ view: 'conversation', thread, details: !this.details })}>${established ? icons.shield : icons.shieldOpen}</button>
    </header>`;
  }
}
customElements.define('sm-conversation', ConversationView);
