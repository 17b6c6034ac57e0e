import { type TemplateResult, html } from 'lit';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { type Notice, currentNotices, dismiss, onNotices } from '../notices.ts';
import { View } from '../view.ts';

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
  }

  override disconnectedCallback(): void {
    this.#stop?.();
    super.disconnectedCallback();
  }

  protected override render(): TemplateResult {
    const show = (urgent: boolean) => this.notices.filter((notice) => notice.urgent === urgent).map(({ id, text }) => html`<div class="notice ${urgent ? 'urgent' : ''}">
      <span>${text}</span><button type="button" class="icon-button" aria-label=${t('app.dismiss')} @click=${() => dismiss(id)}>${icons.close}</button></div>`);
    return html`<div class="notices"><div role="alert">${show(true)}</div><div role="status">${show(false)}</div></div>`;
  }
}
customElements.define('sm-notices', NoticeList);
