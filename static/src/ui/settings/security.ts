import { type TemplateResult, html } from 'lit';
import type { AccountSecurity, App } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { type Key, locale, t } from '../i18n/language.ts';
import { copyText } from '../parts/copying.ts';
import { facts, fingerprintView, listed } from '../parts/facts.ts';
import { notify } from '../notices.ts';
import { dateAndTime } from '../text/format.ts';
import { LoadedView } from './loaded.ts';

const DAY_MS = 86_400_000;

/** What protects the account, and plainly what the server learns and what it does not. */
export class SecuritySection extends LoadedView<AccountSecurity> {
  static override properties = { ...LoadedView.properties, app: { attribute: false } };

  declare app: App;

  protected override ask(): Promise<AccountSecurity> {
    return this.app.accountSecurity();
  }

  async #copy(fingerprint: string): Promise<void> {
    if (await copyText(fingerprint)) notify(t('app.copied'));
  }

  protected override show(security: AccountSecurity): TemplateResult {
    return html`<div class="print-box"><h4>${t('security.fingerprint')}</h4>${fingerprintView(security.fingerprint)}
        <p class="hint">${t('security.fingerprint.hint')}</p>
        <button type="button" class="button small" @click=${() => void this.#copy(security.fingerprint)}>${icons.copy}${t('security.fingerprint.copy')}</button></div>
      <div class="knowledge">${this.#list('security.knows', icons.eye, ['security.knows.name', 'security.knows.whom', 'security.knows.size'])}
        ${this.#list('security.knowsNot', icons.eyeOff, ['security.knowsNot.content', 'security.knowsNot.password', 'security.knowsNot.read'])}</div>
      ${this.#technical(security)}`;
  }

  #list(title: Key, icon: TemplateResult, lines: readonly Key[]): TemplateResult {
    return html`<section><h4>${icon}${t(title)}</h4><ul>${lines.map((line) => html`<li>${t(line)}</li>`)}</ul></section>`;
  }

  #technical(security: AccountSecurity): TemplateResult {
    const { keyDerivation, server } = security;
    const yes = (value: boolean): string => t(value ? 'details.yes' : 'details.no');
    const number = (value: number): string => new Intl.NumberFormat(locale()).format(value);
    return html`<details class="technical" open><summary>${t('security.technical')}</summary>${facts([
      [t('security.root'), listed(security.rootAlgorithms)],
      [t('security.suites'), listed(security.suites)],
      [t('security.derivation'), t('security.derivation.value', { memory: Math.round(keyDerivation.memoryKib / 1024), n: keyDerivation.passes })],
      [t('security.generation'), t('security.generation.value', { generation: security.generation, date: dateAndTime(security.generationSince, locale()) })],
      [t('security.prekeys'), number(security.oneTimePrekeysLeft)],
      [t('security.prekeyAge'), t('security.days', { n: Math.floor(security.signedPrekeyAge / DAY_MS) })],
      [t('security.vault'), number(security.vaultEpoch)],
      [t('security.recovery'), yes(security.hasRecoveryCode)],
      [t('security.native'), yes(security.nativeKeys)],
      [t('security.server'), html`<span translate="no">${server.origin}</span>`],
      [t('security.checkpoint'), number(server.checkpointSize)],
      [t('security.serverKey'), fingerprintView(server.fingerprint, 'small')],
    ])}</details>`;
  }
}
customElements.define('sm-security', SecuritySection);
