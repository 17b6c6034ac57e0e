import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import type { App, AppState } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import '../parts/dialog.ts';
import { attempt } from '../notices.ts';
import { type Route, SECTIONS, type SettingsSection, formatRoute, navigate } from '../router.ts';
import { View, isNarrow } from '../view.ts';
import './browsers.ts';
import './preferences.ts';
import './secrets.ts';
import './security.ts';

const ICONS: Readonly<Record<SettingsSection, TemplateResult>> = {
  security: icons.shield, browsers: icons.browser, password: icons.key, recovery: icons.lifebuoy, preferences: icons.settings,
};

/** Settings over the conversations; on a phone first the sections, then one of them. */
export class SettingsDialog extends View {
  static override properties = { app: { attribute: false }, state: { attribute: false }, section: { attribute: false }, held: { state: true } };

  declare app: App;
  declare state: AppState;
  declare section: SettingsSection | null;
  /** A new recovery code is on the screen: leaving has to wait until it is written down. */
  private declare held: boolean;

  constructor() {
    super();
    this.section = null;
    this.held = false;
  }

  #close(): void {
    const { open } = this.state;
    const back: Route = open === null ? { view: 'list' } : { view: 'conversation', thread: open.summary.thread, details: false };
    navigate(back, 'replace');
  }

  protected override updated(changed: PropertyValues): void {
    // In one column the sections give way to one of them, or the other way round: focus goes with them.
    if (!changed.has('section') || changed.get('section') === undefined || !isNarrow()) return;
    this.querySelector<HTMLElement>(this.section === null ? '.sections a' : '.settings-title')?.focus();
  }

  protected override render(): TemplateResult {
    const { app, section, state, held } = this;
    return html`<sm-dialog kind="wide" .heading=${t('settings.title')} ?busy=${held} .content=${() => this.#contents(app, state, section)}
      @closed=${() => this.#close()} @hold=${(event: CustomEvent<boolean>) => { this.held = event.detail; }}></sm-dialog>`;
  }

  #contents(app: App, state: AppState, section: SettingsSection | null): TemplateResult {
    const shown = section ?? 'security';
    return html`<div class="settings ${section === null ? 'at-sections' : 'at-section'}">
      <nav class="sections" aria-label=${t('settings.title')} ?inert=${this.held}><ul role="list">${SECTIONS.map((name) => html`<li>
        <a class="row-button" href=${formatRoute({ view: 'settings', section: name })} aria-current=${name === shown ? 'page' : nothing}>${ICONS[name]}<span>${t(`settings.${name}`)}</span></a></li>`)}</ul>
        <button type="button" class="row-button" @click=${() => void attempt(() => app.signOut())}>${icons.leave}<span>${t('list.signOut')}</span></button></nav>
      <div class="section"><div class="section-head">
        <a class="icon-button only-phone" href=${formatRoute({ view: 'settings', section: null })} aria-label=${t('app.back')} ?inert=${this.held}>${icons.back}</a>
        <h3 class="settings-title" tabindex="-1">${t(`settings.${shown}`)}</h3></div>${this.#section(app, state, shown)}</div>
    </div>`;
  }

  #section(app: App, state: AppState, shown: SettingsSection): TemplateResult {
    switch (shown) {
      case 'security':
        return html`<sm-security .app=${app}></sm-security>`;
      case 'browsers':
        return html`<sm-browsers .app=${app}></sm-browsers>`;
      case 'password':
        return html`<sm-change-password .app=${app} .account=${state.me?.name ?? ''}></sm-change-password>`;
      case 'recovery':
        return html`<sm-new-code .app=${app} .account=${state.me?.name ?? ''}></sm-new-code>`;
      case 'preferences':
        return html`<sm-preferences .app=${app} .preferences=${state.preferences}></sm-preferences>`;
    }
  }
}
customElements.define('sm-settings', SettingsDialog);
