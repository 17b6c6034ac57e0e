import { type TemplateResult, html, nothing } from 'lit';
import type { App, WentBackState } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { locale, t } from '../i18n/language.ts';
import { attempt } from '../notices.ts';
import { dateAndTime } from '../text/format.ts';
import { View } from '../view.ts';
import { confirmed } from './dialog.ts';

/** Above everything while the server shows an older state than this browser saw: what that means, and what can be done. */
export class WentBack extends View {
  static override properties = { app: { attribute: false }, state: { attribute: false }, busy: { state: true } };

  declare app: App;
  declare state: WentBackState | null;
  private declare busy: boolean;

  constructor() {
    super();
    this.state = null;
    this.busy = false;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { state } = this;
    if (state === null) return nothing;
    return html`<section class="went-back" aria-labelledby="went-back-title">
      ${state.kind === 'restored' ? icons.history : icons.alert}
      <div class="went-back-text" role="alert"><h2 id="went-back-title">${t(`wentBack.${state.kind}`)}</h2>
        <p>${state.kind === 'restored' ? t('wentBack.restored.what', { copied: dateAndTime(state.copied, locale()) }) : t('wentBack.rolled-back.what')}</p>
        ${state.kind === 'restored' ? nothing : html`<p>${t('wentBack.rolled-back.do')}</p>`}</div>
      ${state.kind === 'restored' ? html`<button type="button" class="button primary" ?disabled=${this.busy}
        @click=${() => void this.#ask(state.copied)}>${t('wentBack.goOn')}</button>` : nothing}
    </section>`;
  }

  async #ask(copied: number): Promise<void> {
    const when = dateAndTime(copied, locale());
    const hint = html`<span class="paragraphs"><span>${t('wentBack.goOn.keys', { copied: when })}</span><span>${t('wentBack.goOn.lost')}</span>
      <span>${t('wentBack.goOn.password')}</span></span>`;
    if (!(await confirmed({ title: t('wentBack.goOn.title'), hint, action: t('wentBack.goOn.action'), safe: true }))) return;
    this.busy = true;
    await attempt(() => this.app.goOn());
    this.busy = false;
  }
}
customElements.define('sm-went-back', WentBack);
