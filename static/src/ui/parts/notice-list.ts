import { type TemplateResult, html } from 'lit';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { type Notice, currentNotices, dismiss, onNotices } from '../notices.ts';
import { View } from '../view.ts';

/** Those on the page, the newest last: only it shows anything. */
const lists: NoticeList[] = [];

/** Short notices at the window's edge. A modal dialog has its own: the page behind it is neither seen nor heard. */
export class NoticeList extends View {
  static override properties = { notices: { state: true } };

  private declare notices: readonly Notice[];
  #stop: (() => void) | null = null;

  constructor() {
    super();
    this.notices = currentNotices();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stop = onNotices((notices) => { this.notices = notices; });
    lists.push(this);
    for (const list of lists) list.requestUpdate();
  }

  override disconnectedCallback(): void {
    this.#stop?.();
    lists.splice(lists.indexOf(this), 1);
    for (const list of lists) list.requestUpdate();
    super.disconnectedCallback();
  }

  protected override render(): TemplateResult {
    const shown = lists.at(-1) === this ? this.notices : [];
    const show = (urgent: boolean) => shown.filter((notice) => notice.urgent === urgent).map(({ id, text }) => html`<div class="notice ${urgent ? 'urgent' : ''}">
      <span>${text}</span><button type="button" class="icon-button" aria-label=${t('app.dismiss')} @click=${() => dismiss(id)}>${icons.close}</button></div>`);
    return html`<div class="notices"><div role="alert">${show(true)}</div><div role="status">${show(false)}</div></div>`;
  }
}
customElements.define('sm-notices', NoticeList);
