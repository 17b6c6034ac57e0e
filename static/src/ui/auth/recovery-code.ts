import { type TemplateResult, html } from 'lit';
import { icons } from '../icons.ts';
import { locale, t } from '../i18n/language.ts';
import { copyText, saveText } from '../parts/copying.ts';
import { dateAndTime } from '../text/format.ts';
import { View } from '../view.ts';

/** Shows a new recovery code once; fires `kept` when its owner says that it is written down. */
export class RecoveryCode extends View {
  static override properties = { code: {}, account: {}, copied: { state: true }, written: { state: true } };

  declare code: string;
  /** The name that the code belongs to. */
  declare account: string;
  private declare copied: boolean;
  private declare written: boolean;
  #warn = (event: BeforeUnloadEvent): void => event.preventDefault();

  constructor() {
    super();
    this.code = '';
    this.account = '';
    this.copied = false;
    this.written = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('beforeunload', this.#warn);
  }

  override disconnectedCallback(): void {
    removeEventListener('beforeunload', this.#warn);
    super.disconnectedCallback();
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>('.code-lead')?.focus();
  }

  #lines(): readonly string[] {
    return [t('code.file.name', { name: this.account }), t('code.file.server', { server: location.origin }),
      t('code.file.date', { date: dateAndTime(Date.now(), locale()) })];
  }

  #download(): void {
    const lines = [t('code.file'), '', this.code, '', ...this.#lines(), '', t('code.file.use'), ''];
    saveText('secure-msg-recovery-code.txt', lines.join('\r\n'));
  }

  async #copy(): Promise<void> {
    this.copied = await copyText(this.code);
  }

  protected override render(): TemplateResult {
    return html`<div class="recovery-code">
      <p class="code-lead" tabindex="-1">${t('code.lead')}</p>
      <div class="printable">
        <p class="print-only"><strong>${t('code.file')}</strong></p>
        <p class="code" translate="no">${this.code.split('-').map((group) => html`<span>${group}</span> `)}</p>
        <p class="print-only">${this.#lines().map((line) => html`${line}<br />`)}${t('code.file.use')}</p>
      </div>
      <div class="actions even">
        <button type="button" class="button" @click=${() => void this.#copy()}>${this.copied ? icons.check : icons.copy}<span aria-live="polite">${t(this.copied ? 'app.copied' : 'app.copy')}</span></button>
        <button type="button" class="button" @click=${() => this.#download()}>${icons.download}${t('code.download')}</button>
        <button type="button" class="button" @click=${() => print()}>${icons.print}${t('code.print')}</button>
      </div>
      <p class="note">${icons.alert}<span>${t('code.warning')}</span></p>
      <label class="check"><input type="checkbox" .checked=${this.written} @change=${(event: Event) => { this.written = (event.target as HTMLInputElement).checked; }} />
        <span>${t('code.confirm')}</span></label>
      <button type="button" class="button primary block" ?disabled=${!this.written}
        @click=${() => this.dispatchEvent(new CustomEvent('kept', { bubbles: true }))}>${t('code.continue')}</button>
    </div>`;
  }
}
customElements.define('sm-recovery-code', RecoveryCode);
