import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import { AppError, type App, type AppState } from '../model/api.ts';
import { AuthCard } from './auth/auth.ts';
import { type Step, workView } from './auth/work.ts';
import './chat/chat.ts';
import { icons } from './icons.ts';
import { language, pickLanguage, setLanguage, t } from './i18n/language.ts';
import { attempt, errorText, notify } from './notices.ts';
import './parts/dialog.ts';
import './parts/notice-list.ts';
import './parts/went-back.ts';
import { type Route, formatRoute, navigate, parseRoute } from './router.ts';
import './settings/settings.ts';
import { View } from './view.ts';

/** How long a lost connection is kept quiet: most come back at once. */
const QUIET_MS = 1_200;

/** The whole page: which view is on, the address, language, theme and title, notices and the connection. */
export class SecureMsg extends View {
  static override properties = {
    app: { attribute: false }, route: { state: true }, troubled: { state: true }, waiting: { state: true },
  };

  declare app: App;
  private declare route: Route;
  /** The connection has been away for more than a moment. */
  private declare troubled: boolean;
  /** The card before the conversations still has something to show (a recovery code). */
  private declare waiting: boolean;
  #signedIn = false;
  #followed = false;
  #seen: Step[] = [];
  #working = false;
  #trouble: ReturnType<typeof setTimeout> | null = null;
  #stops: (() => void)[] = [];

  constructor() {
    super();
    this.route = parseRoute(location.hash);
    this.troubled = false;
    this.waiting = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const onHash = (): void => {
      this.route = parseRoute(location.hash);
      void this.#followRoute();
    };
    addEventListener('hashchange', onHash);
    this.#stops = [
      this.app.subscribe(() => this.#changed()),
      () => removeEventListener('hashchange', onHash),
    ];
    this.#changed();
  }

  override disconnectedCallback(): void {
    for (const stop of this.#stops) stop();
    super.disconnectedCallback();
  }

  #changed(): void {
    const { state } = this.app;
    setLanguage(pickLanguage(state.preferences.language, navigator.languages), navigator.languages);
    this.#watchConnection(state);
    const kind = state.phase.kind;
    if (kind === 'signed-in') {
      this.#signedIn = true;
      if (state.ready && !this.#followed) {
        this.#followed = true;
        void this.#followRoute();
      }
    } else if (this.#signedIn) {
      this.#signedIn = false;
      this.#followed = false;
      // Not even an identifier of a conversation stays in the address.
      navigate({ view: 'list' }, 'replace');
    }
    if (state.work === null) this.#seen = [];
    else if (this.#seen.at(-1) !== state.work.step) this.#seen.push(state.work.step);
    this.requestUpdate();
  }

  #watchConnection({ connection }: AppState): void {
    if (connection.kind === 'online') {
      if (this.#trouble !== null) clearTimeout(this.#trouble);
      this.#trouble = null;
      this.troubled = false;
    } else {
      this.#trouble ??= setTimeout(() => { this.troubled = true; }, QUIET_MS);
    }
  }

  /** Brings the application to what the address names. */
  async #followRoute(): Promise<void> {
    const { route } = this;
    if (!this.#followed || this.app.state.phase.kind !== 'signed-in') return;
    const open = this.app.state.open?.summary.thread ?? null;
    if (route.view === 'list' && open !== null) this.app.closeConversation();
    if (route.view !== 'conversation' || route.thread === open) return;
    try {
      await this.app.openConversation(route.thread);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      notify(errorText(error), true);
      if (formatRoute(this.route) === formatRoute(route)) navigate({ view: 'list' }, 'replace');
    }
  }

  protected override updated(_changed: PropertyValues): void {
    const { state } = this.app;
    if (this.#working && state.work === null) this.#focusOutcome();
    this.#working = state.work !== null;
    const page = document.documentElement;
    page.lang = language();
    if (state.preferences.theme === 'auto') delete page.dataset['theme'];
    else page.dataset['theme'] = state.preferences.theme;
    const unread = state.phase.kind === 'signed-in' ? state.conversations.reduce((sum, { unread: n }) => sum + n, 0) : 0;
    const colour = getComputedStyle(document.body).backgroundColor;
    for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) meta.content = colour;
    document.title = unread > 0 ? `(${unread}) ${t('app.name')}` : t('app.name');
  }

  /** After long work the focus goes to what came of it: a new code, a field that was wrong, the dialog's title. */
  #focusOutcome(): void {
    const dialog = document.querySelector('dialog[open]');
    for (const found of ['.code-lead', '[aria-invalid="true"]', 'h2']) {
      const target = dialog?.querySelector<HTMLElement>(found);
      if (target !== null && target !== undefined) return target.focus();
    }
  }

  protected override render(): TemplateResult {
    const { state } = this.app;
    const inside = state.phase.kind === 'signed-in' && !this.waiting;
    return html`${inside ? this.#inside(state) : html`${this.#wentBack(state)}<sm-auth .app=${this.app} .state=${state}
        @occupied=${(event: Event) => { this.waiting = event.target instanceof AuthCard && event.target.occupied; }}></sm-auth>`}
      <sm-notices></sm-notices>`;
  }

  #inside(state: AppState): TemplateResult {
    const { route } = this;
    const { work } = state;
    return html`<div class="inside"><div>${this.#connection(state)}${this.#wentBack(state)}</div>
      <sm-chat .app=${this.app} .state=${state} .route=${route}></sm-chat></div>
      ${route.view === 'settings' ? html`<sm-settings .app=${this.app} .state=${state} .section=${route.section}></sm-settings>` : nothing}
      ${work === null ? nothing : html`<sm-dialog kind="small" busy .heading=${t('progress.title')}
        .content=${() => workView('other', this.#seen, work)}></sm-dialog>`}`;
  }

  #wentBack({ wentBack }: AppState): TemplateResult {
    return html`<sm-went-back .app=${this.app} .state=${wentBack}></sm-went-back>`;
  }

  #connection({ connection }: AppState): TemplateResult {
    const shown = this.troubled && connection.kind !== 'online';
    return html`<div class="connection" role="status" ?data-shown=${shown}>${!shown ? nothing : connection.kind === 'offline'
      ? html`${icons.offline}<span>${t('connection.offline')}</span>`
      : html`<i class="pulse" aria-hidden="true"></i><span>${t('connection.reconnecting')}</span>`}</div>`;
  }
}
customElements.define('secure-msg', SecureMsg);

/** Puts the page's root into the document and starts the application. */
export function mount(app: App, host: HTMLElement): void {
  addEventListener('unhandledrejection', () => notify(t('error.unexpected'), true));
  const root = new SecureMsg();
  root.app = app;
  host.replaceChildren(root);
  void attempt(() => app.start());
}
