import { type TemplateResult, html, nothing } from 'lit';
import { AppError, type App } from '../../model/api.ts';
import '../auth/recovery-code.ts';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { errorText, notify } from '../notices.ts';
import type { PasswordField } from '../parts/password-field.ts';
import '../parts/password-field.ts';
import { View } from '../view.ts';

/** A form that runs one action, tells its failure in place, and cannot be sent twice. */
abstract class SecretForm extends View {
  static override properties = {
    app: { attribute: false }, account: { attribute: false }, error: { state: true }, running: { state: true }, code: { state: true },
  };

  declare app: App;
  declare account: string;
  declare protected error: AppError | null;
  declare protected running: boolean;
  declare protected code: string | null;

  constructor() {
    super();
    this.error = null;
    this.running = false;
    this.code = null;
  }

  /** A recovery code to write down; fires `hold` while it is on the screen. */
  protected show(code: string | null): void {
    this.code = code;
    this.dispatchEvent(new CustomEvent('hold', { detail: code !== null, bubbles: true }));
  }

  protected codeView(): TemplateResult {
    return html`<h4>${t('code.title')}</h4><sm-recovery-code .code=${this.code} .account=${this.account} @kept=${() => this.show(null)}></sm-recovery-code>`;
  }

  protected abstract act(form: FormData): Promise<void>;

  protected async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    this.error = null;
    this.running = true;
    try {
      await this.act(new FormData(form));
      for (const field of form.querySelectorAll<PasswordField>('sm-password')) field.clear();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.error = error;
    } finally {
      this.running = false;
    }
  }

  protected errorLine(): TemplateResult | typeof nothing {
    return this.error === null ? nothing : html`<p class="form-error" role="alert">${icons.alert}<span>${errorText(this.error)}</span></p>`;
  }
}

/** Current and new password. */
export class ChangePassword extends SecretForm {
  protected override async act(form: FormData): Promise<void> {
    const { recoveryCode } = await this.app.changePassword(String(form.get('current') ?? ''), String(form.get('next') ?? ''));
    notify(t('password.done'));
    this.show(recoveryCode);
  }

  protected override render(): TemplateResult {
    if (this.code !== null) return this.codeView();
    return html`<form class="narrow" @submit=${(event: SubmitEvent) => void this.submit(event)}>
      <p class="lead">${t('password.hint')}</p>${this.errorLine()}
      <input hidden name="username" autocomplete="username" .value=${this.account} />
      <sm-password field="current" .label=${t('auth.password.current')} purpose="current-password" ?invalid=${this.error?.kind === 'wrong-password'}></sm-password>
      <sm-password field="next" .label=${t('auth.password.new')} purpose="new-password" .account=${this.account} ?invalid=${this.error?.kind === 'weak-password'}></sm-password>
      <button class="button primary" ?disabled=${this.running}>${t('password.save')}</button>
    </form>`;
  }
}
customElements.define('sm-change-password', ChangePassword);

/** A new recovery code. */
export class NewCode extends SecretForm {
  static override properties = { ...SecretForm.properties, has: { state: true } };

  declare private has: boolean | null;

  constructor() {
    super();
    this.has = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#ask();
  }

  /** Whether there is a code is only a sentence of this page: without an answer it is left out. */
  async #ask(): Promise<void> {
    try {
      this.has = (await this.app.accountSecurity()).hasRecoveryCode;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }

  protected override async act(form: FormData): Promise<void> {
    const { recoveryCode } = await this.app.renewRecoveryCode(String(form.get('current') ?? ''));
    this.has = true;
    this.show(recoveryCode);
  }

  protected override render(): TemplateResult {
    if (this.code !== null) return this.codeView();
    return html`<form class="narrow" @submit=${(event: SubmitEvent) => void this.submit(event)}>
      ${this.has === null ? nothing : html`<p class="promise-line ${this.has ? '' : 'warn'}">${this.has ? icons.check : icons.alert}<span>${t(this.has ? 'recovery.has' : 'recovery.hasNot')}</span></p>`}
      <p class="lead">${t('recovery.renew')}</p>${this.errorLine()}
      <input hidden name="username" autocomplete="username" .value=${this.account} />
      <sm-password field="current" .label=${t('auth.password.current')} purpose="current-password" ?invalid=${this.error?.kind === 'wrong-password'}></sm-password>
      <button class="button primary" ?disabled=${this.running}>${t('recovery.make')}</button>
    </form>`;
  }
}
customElements.define('sm-new-code', NewCode);
