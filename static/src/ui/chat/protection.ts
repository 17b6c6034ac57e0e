import { type PropertyValues, type TemplateResult, html } from 'lit';
import { AppError, type App, type Hex, type MessageProtection } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { locale, t } from '../i18n/language.ts';
import { errorText } from '../notices.ts';
import { facts, fingerprintView, listed } from '../parts/facts.ts';
import '../parts/dialog.ts';
import { byteSize, dateAndTime } from '../text/format.ts';
import { View } from '../view.ts';

type Found = { readonly kind: 'loading' } | { readonly kind: 'none' } | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'found'; readonly protection: MessageProtection };

/** What protected one message, in words first and by name below. Fires `closed`. */
export class ProtectionDialog extends View {
  static override properties = {
    app: { attribute: false }, thread: { attribute: false }, item: { attribute: false }, mine: { type: Boolean }, found: { state: true },
  };

  declare app: App;
  declare thread: Hex;
  declare item: string;
  declare mine: boolean;
  private declare found: Found;

  constructor() {
    super();
    this.mine = false;
    this.found = { kind: 'loading' };
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('item')) void this.#load(this.item);
  }

  async #load(key: string): Promise<void> {
    this.found = { kind: 'loading' };
    try {
      const protection = await this.app.protection(this.thread, key);
      this.found = protection === null ? { kind: 'none' } : { kind: 'found', protection };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.found = { kind: 'failed', text: errorText(error) };
    }
  }

  protected override render(): TemplateResult {
    // A function made anew with each state, so that the dialog draws again.
    const { found } = this;
    return html`<sm-dialog .heading=${t('protection.title')} .content=${() => this.#contents(found)}
      @closed=${() => this.dispatchEvent(new CustomEvent('closed'))}></sm-dialog>`;
  }

  #contents(found: Found): TemplateResult {
    if (found.kind === 'loading') return html`<p role="status">${t('protection.loading')}</p>`;
    if (found.kind === 'none') return html`<p>${t('protection.none')}</p>`;
    if (found.kind === 'failed') return html`<p role="alert">${found.text}</p>`;
    const { protection } = found;
    const number = (value: number | null): string | null => value === null ? null : new Intl.NumberFormat(locale()).format(value);
    return html`<p class="promise-line">${icons.shield}<span>${t(this.mine ? 'protection.leadMine' : 'protection.lead')}</span></p>${facts([
      [t('protection.content'), listed([protection.content])],
      [t('protection.signature'), listed([protection.signature])],
      [t('protection.agreement'), listed([protection.agreement])],
      [t('protection.suite'), listed([protection.suite])],
      [t('protection.turn'), number(protection.turn)],
      [t('protection.count'), number(protection.countInTurn === null ? null : protection.countInTurn + 1)],
      [t('protection.padded'), protection.paddedSize === null ? null : byteSize(protection.paddedSize, locale())],
      [t('protection.stored'), protection.storedAt === null ? t('protection.pending') : dateAndTime(protection.storedAt, locale())],
      [t('protection.sequence'), number(protection.sequence)],
      [t('protection.id'), fingerprintView(protection.messageId, 'small')],
      [t('protection.hash'), protection.entryHash === null ? null : fingerprintView(protection.entryHash, 'small')],
    ])}`;
  }
}
customElements.define('sm-protection', ProtectionDialog);
