import { type TemplateResult, html, nothing } from 'lit';
import type { App, SessionInfo } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { isolated, locale, t } from '../i18n/language.ts';
import { attempt, notify } from '../notices.ts';
import { ago, dateAndTime } from '../text/format.ts';
import { LoadedView } from './loaded.ts';

/** Where the account is signed in, with a way to end each. */
export class BrowsersSection extends LoadedView<readonly SessionInfo[]> {
  static override properties = { ...LoadedView.properties, app: { attribute: false } };

  declare app: App;

  protected override ask(): Promise<readonly SessionInfo[]> {
    return this.app.sessions();
  }

  async #end(id: string): Promise<void> {
    await attempt(async () => {
      await this.app.endSession(id);
      notify(t('browsers.ended'));
      await this.load();
    });
  }

  protected override show(sessions: readonly SessionInfo[]): TemplateResult {
    const others = sessions.filter(({ current }) => !current);
    const ordered = [...sessions.filter(({ current }) => current), ...others.toSorted((one, other) => other.lastSeen - one.lastSeen)];
    return html`<p class="lead">${t('browsers.hint')}</p>
      <ul class="sessions" role="list">${ordered.map((session) => this.#session(session))}</ul>
      ${others.length < 2 ? nothing : html`<button type="button" class="button" @click=${() => void this.#end('all')}>${t('browsers.endAll')}</button>`}`;
  }

  #session({ id, browser, created, lastSeen, current }: SessionInfo): TemplateResult {
    const name = browser === '' ? t('browsers.unknown') : browser;
    const when = (time: number): string => ago(time, Date.now(), locale());
    return html`<li>${icons.browser}<div><p><bdi>${name}</bdi>${current ? html` <span class="pill">${t('browsers.current')}</span>` : nothing}</p>
      <p class="hint" title=${dateAndTime(created, locale())}>${t('browsers.since', { when: when(created) })}${current ? nothing : html` · ${t('browsers.seen', { when: when(lastSeen) })}`}</p></div>
      ${current ? nothing : html`<button type="button" class="button small" aria-label=${t('browsers.end.label', { browser: isolated(name) })} @click=${() => void this.#end(id)}>${t('browsers.end')}</button>`}</li>`;
  }
}
customElements.define('sm-browsers', BrowsersSection);
