import { type TemplateResult, html, nothing } from 'lit';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { SHORTEST_PASSWORD, type Strength, passwordStrength } from '../text/strength.ts';
import { View } from '../view.ts';

const LEVELS: Readonly<Record<Strength, number>> = { empty: 0, short: 1, weak: 1, fair: 2, good: 3, strong: 4 };
const LONGEST_PASSWORD = 1024;

/** A password field with a button that shows it and, for a new password, a hint on its strength. */
export class PasswordField extends View {
  static override properties = {
    field: {}, label: {}, purpose: {}, account: {}, invalid: { type: Boolean }, visible: { state: true }, value: { state: true },
  };

  /** The input's id and name in its form. */
  declare field: string;
  declare label: string;
  declare purpose: 'current-password' | 'new-password';
  declare account: string;
  declare invalid: boolean;
  private declare visible: boolean;
  private declare value: string;

  constructor() {
    super();
    this.field = 'password';
    this.label = '';
    this.purpose = 'current-password';
    this.account = '';
    this.invalid = false;
    this.visible = false;
    this.value = '';
  }

  clear(): void {
    this.visible = false;
    this.value = '';
    const input = this.querySelector('input');
    if (input !== null) input.value = '';
  }

  get #isNew(): boolean {
    return this.purpose === 'new-password';
  }

  #hint(): TemplateResult {
    const strength = passwordStrength(this.value, this.account);
    const missing = SHORTEST_PASSWORD - [...this.value.normalize('NFKC')].length;
    const text = strength === 'empty' ? t('strength.advice') : strength === 'short' ? t('strength.short', { n: missing }) : t(`strength.${strength}`);
    return html`<div class="strength level-${LEVELS[strength]}" aria-hidden="true"><i></i><i></i><i></i><i></i></div>
      <p class="hint" id="${this.field}-hint" aria-live="polite">${text}</p>`;
  }

  protected override render(): TemplateResult {
    return html`<div class="field">
      <label for=${this.field}>${this.label}</label>
      <div class="with-button">
        <input id=${this.field} name=${this.field} type=${this.visible ? 'text' : 'password'} required
          maxlength=${LONGEST_PASSWORD} minlength=${this.#isNew ? SHORTEST_PASSWORD : nothing}
          autocomplete=${this.purpose} autocapitalize="none" spellcheck="false"
          aria-invalid=${this.invalid ? 'true' : nothing} aria-describedby=${this.#isNew ? `${this.field}-hint` : nothing}
          @input=${(event: Event) => { this.value = (event.target as HTMLInputElement).value; }} />
        <button type="button" class="icon-button" aria-pressed=${this.visible} aria-controls=${this.field}
          aria-label=${t('auth.password.show')}
          @click=${() => { this.visible = !this.visible; }}>${this.visible ? icons.eyeOff : icons.eye}</button>
      </div>
      ${this.#isNew ? this.#hint() : nothing}
    </div>`;
  }
}
customElements.define('sm-password', PasswordField);
