import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import { type App, AppError, type AppErrorKind, type AppState } from '../../model/api.ts';
import { icons, mark } from '../icons.ts';
import { type Key, isKey, locale, t } from '../i18n/language.ts';
import { errorText } from '../notices.ts';
import { View } from '../view.ts';
import '../parts/password-field.ts';
import './recovery-code.ts';
import { type Step, type Work, workView } from './work.ts';

type Mode = 'sign-in' | 'register' | 'recover';

/** Which field an error belongs to; others concern the form. */
const FIELD_OF: Partial<Readonly<Record<AppErrorKind, 'name' | 'password'>>> = {
  'name-taken': 'name', 'name-refused': 'name', 'weak-password': 'password',
};

function missingNames(missing: readonly string[]): string {
  const names = missing.map((name) => {
    const key = `feature.${name}`;
    return isKey(key) ? t(key) : name;
  });
  return new Intl.ListFormat(locale()).format(names);
}

/** One card before the conversations: sign in, create an account, recover, and the new recovery code. */
export class AuthCard extends View {
  static override properties = {
    app: { attribute: false }, state: { attribute: false }, mode: { state: true }, error: { state: true },
    code: { state: true }, holding: { state: true }, withRecovery: { state: true }, account: { state: true },
  };

  declare app: App;
  declare state: AppState;
  private declare mode: Mode;
  private declare error: AppError | null;
  private declare code: string | null;
  /** An action runs whose answer is shown here, even if the application is already signed in. */
  private declare holding: boolean;
  private declare withRecovery: boolean;
  private declare account: string;
  #work: Work = 'other';
  #seen: Step[] = [];

  constructor() {
    super();
    this.mode = 'sign-in';
    this.error = null;
    this.code = null;
    this.holding = false;
    this.withRecovery = true;
    this.account = '';
  }

  /** True while this card has something to show that the signed-in view would cover. */
  get occupied(): boolean {
    return this.holding || this.code !== null;
  }

  protected override willUpdate(_changed: PropertyValues): void {
    const { phase } = this.state;
    if (phase.kind === 'busy') {
      if (this.#seen.at(-1) !== phase.progress.step) this.#seen.push(phase.progress.step);
    } else {
      this.#seen = [];
    }
  }

  protected override updated(changed: PropertyValues): void {
    const before = (changed.get('state') as AppState | undefined)?.phase.kind;
    const became = before !== undefined && before !== this.state.phase.kind && this.state.phase.kind !== 'busy';
    if (changed.has('mode') || changed.has('error') || became) this.#focusFirst();
    if (changed.has('holding') || changed.has('code')) this.dispatchEvent(new CustomEvent('occupied', { bubbles: true }));
  }

  #focusFirst(): void {
    const invalid = this.querySelector<HTMLElement>('[aria-invalid="true"]');
    const fields = [...this.querySelectorAll<HTMLInputElement>('form input:not([type="checkbox"]):not([hidden])')];
    (invalid ?? fields.find((field) => field.value === '') ?? fields.at(-1))?.focus();
  }

  async #run(work: Work, action: () => Promise<string | null>): Promise<void> {
    this.error = null;
    this.holding = true;
    this.#work = work;
    try {
      this.code = await action();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.error = error;
    } finally {
      this.holding = false;
    }
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const text = (name: string): string => String(form.get(name) ?? '');
    const name = text('name').trim();
    const password = text('password');
    this.account = this.state.phase.kind === 'recovering' ? this.state.phase.name : name;
    if (this.state.phase.kind === 'recovering') {
      void this.#run('other', async () => (await this.app.setPasswordAfterRecovery(password)).recoveryCode);
    } else if (this.mode === 'register') {
      void this.#run('register', async () => (await this.app.register(name, password, this.withRecovery)).recoveryCode);
    } else if (this.mode === 'recover') {
      void this.#run('recover', () => this.app.recover(name, text('code')).then(() => null));
    } else {
      void this.#run('sign-in', () => this.app.signIn(name, password).then(() => null));
    }
  }

  protected override render(): TemplateResult {
    return html`<main class="auth"><div class="card">
      <div class="brand">${mark}<div><p class="product">${t('app.name')}</p><p class="promise">${t('app.promise')}</p></div></div>
      ${this.#contents()}
    </div>${this.state.serverName === '' ? nothing : html`<p class="server">${icons.lock}<span>${t('auth.server', { server: this.state.serverName })}</span></p>`}</main>`;
  }

  #contents(): TemplateResult {
    const { phase } = this.state;
    if (this.code !== null) {
      return html`<h1>${t('code.title')}</h1><sm-recovery-code .code=${this.code} .account=${this.account} @kept=${() => { this.code = null; }}></sm-recovery-code>`;
    }
    // The form stays in the page while work goes on: after a failure what was typed is still there.
    const busy = phase.kind === 'busy' ? phase.progress : this.holding ? { step: 'deriving', fraction: null } as const : null;
    if (phase.kind === 'starting') return html`<h1 class="visually-hidden">${t('app.name')}</h1><p class="starting" role="status">${t('app.starting')}</p>`;
    if (phase.kind === 'unsupported') {
      return html`<h1>${t('app.unsupported')}</h1><p>${t('app.unsupported.what', { missing: missingNames(phase.missing) })}</p>`;
    }
    return html`${busy === null ? nothing : html`<h1>${t('progress.title')}</h1>${workView(this.#work, this.#seen, busy)}`}
      <div ?hidden=${busy !== null}>${phase.kind === 'recovering' ? this.#recoveringForm(phase.name) : this.#form()}</div>`;
  }

  #error(): TemplateResult | typeof nothing {
    return this.error === null ? nothing : html`<p class="form-error" role="alert" id="form-error">${icons.alert}<span>${errorText(this.error)}</span></p>`;
  }

  #recoveringForm(name: string): TemplateResult {
    return html`<form @submit=${(event: SubmitEvent) => this.#submit(event)}>
      <h1>${t('auth.recovering.title')}</h1><p class="lead">${t('auth.recovering.hint')}</p>${this.#error()}
      <input hidden name="username" autocomplete="username" .value=${name} />
      <sm-password .label=${t('auth.password.new')} purpose="new-password" .account=${name} ?invalid=${this.error?.kind === 'weak-password'}></sm-password>
      <button class="button primary block">${t('auth.recovering.save')}</button>
    </form>`;
  }

  #form(): TemplateResult {
    const { mode } = this;
    const field = this.error === null ? undefined : FIELD_OF[this.error.kind];
    const title: Key = mode === 'register' ? 'auth.register.title' : mode === 'recover' ? 'auth.recover.title' : 'auth.signIn.title';
    const action: Key = mode === 'register' ? 'auth.register' : mode === 'recover' ? 'auth.recover.next' : 'auth.signIn';
    return html`<form @submit=${(event: SubmitEvent) => this.#submit(event)}>
      <h1>${t(title)}</h1>${this.#reason()}${this.#error()}
      <div class="field"><label for="name">${t('auth.name')}</label>
        <input id="name" name="name" required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" dir="auto"
          aria-invalid=${field === 'name' ? 'true' : nothing} aria-describedby=${mode === 'register' ? 'name-hint' : nothing}
          @input=${(event: Event) => { this.account = (event.target as HTMLInputElement).value; }} />
        ${mode === 'register' ? html`<p class="hint" id="name-hint">${t('auth.name.hint')}</p>` : nothing}</div>
      ${mode === 'recover' ? this.#codeField() : html`<sm-password .label=${t('auth.password')} .account=${mode === 'register' ? this.account : ''}
        .purpose=${mode === 'register' ? 'new-password' : 'current-password'} ?invalid=${field === 'password'}></sm-password>`}
      ${mode === 'register' ? this.#recoveryOffer() : nothing}
      <button class="button primary block">${t(action)}</button>
    </form>${this.#otherWays()}`;
  }

  #codeField(): TemplateResult {
    return html`<div class="field"><label for="code">${t('auth.code')}</label>
      <input id="code" name="code" class="mono" required maxlength="80" autocomplete="off" autocapitalize="characters" spellcheck="false" aria-describedby="code-hint" />
      <p class="hint" id="code-hint">${t('auth.code.hint')}</p></div>`;
  }

  #recoveryOffer(): TemplateResult {
    return html`<div class="offer"><p class="no-reset">${icons.key}<span>${t('auth.noReset')}</span></p>
      <label class="check"><input type="checkbox" .checked=${this.withRecovery} aria-describedby="recovery-hint"
        @change=${(event: Event) => { this.withRecovery = (event.target as HTMLInputElement).checked; }} /><span>${t('auth.withRecovery')}</span></label>
      <p class="hint ${this.withRecovery ? '' : 'strong'}" id="recovery-hint" aria-live="polite">${t(this.withRecovery ? 'auth.withRecovery.hint' : 'auth.withoutRecovery')}</p></div>`;
  }

  #reason(): TemplateResult | typeof nothing {
    const { phase } = this.state;
    if (phase.kind !== 'signed-out' || phase.reason === 'none' || this.mode !== 'sign-in' || this.error !== null) return nothing;
    return html`<p class="form-note" role="status">${t(phase.reason === 'ended' ? 'auth.ended' : 'auth.signedOut')}</p>`;
  }

  #otherWays(): TemplateResult {
    const go = (mode: Mode, key: Key): TemplateResult => html`<button type="button" class="link" @click=${() => { this.error = null; this.mode = mode; }}>${t(key)}</button>`;
    const closed = this.state.registration === 'closed';
    if (this.mode !== 'sign-in') return html`<p class="ways"><span>${t('auth.toSignIn')} ${go('sign-in', 'auth.signIn')}</span></p>`;
    return html`<p class="ways">${closed ? html`<span>${t('auth.closed')}</span>` : html`<span>${t('auth.toRegister')} ${go('register', 'auth.register')}</span>`}
      <span>${t('auth.toRecover')} ${go('recover', 'auth.recover')}</span></p>`;
  }
}
customElements.define('sm-auth', AuthCard);
