import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import type { App, AppState, Conversation, ConversationSecurity } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { isolated, locale, rich, t } from '../i18n/language.ts';
import { avatar, nameOf } from '../parts/avatar.ts';
import { facts, fingerprintView, listed } from '../parts/facts.ts';
import { navigate } from '../router.ts';
import { ago, dateAndTime } from '../text/format.ts';
import { View } from '../view.ts';
import { askToBlock, askToDelete, unblock } from './acts.ts';

/** The right column: who it is, what protects the conversation, and what may be done with it. */
export class DetailsPanel extends View {
  static override properties = { app: { attribute: false }, state: { attribute: false }, conversation: { attribute: false } };

  declare app: App;
  declare state: AppState;
  declare conversation: Conversation;

  protected override firstUpdated(_changed: PropertyValues): void {
    this.querySelector<HTMLElement>('.details-close')?.focus();
  }

  #close(): void {
    navigate({ view: 'conversation', thread: this.conversation.summary.thread, details: false }, 'replace');
  }

  protected override render(): TemplateResult {
    const { summary, security } = this.conversation;
    const { peer, state } = summary;
    const blocked = state === 'blocked' || summary.blockedBy === 'you-blocked';
    return html`<section class="details" aria-labelledby="details-title">
      <header class="head"><button type="button" class="icon-button details-close" aria-label=${t('app.close')} @click=${() => this.#close()}>
        <span class="only-phone">${icons.back}</span><span class="not-phone">${icons.close}</span></button><h2 id="details-title">${t('details.title')}</h2></header>
      <div class="details-body" tabindex="0" role="group" aria-labelledby="details-title">
        <div class="details-person">${avatar(peer, 'large')}<p>${nameOf(peer)}</p></div>
        <div class="details-part"><h3>${t('details.security')}</h3>
          <p class="promise-line">${icons.shield}<span>${security?.established === true ? rich('details.summary', { name: nameOf(peer) }) : t('details.notYet')}</span></p>
          ${this.#fingerprint(security)}${security === null ? nothing : this.#technical(security)}</div>
        <div class="details-part details-acts">
          <button type="button" class="row-button" @click=${() => void (blocked ? unblock(this.app, summary.thread) : askToBlock(this.app, summary))}>${icons.block}<span>${t(blocked ? 'details.unblock' : 'details.block', { name: isolated(peer.name) })}</span></button>
          <button type="button" class="row-button danger-text" @click=${() => void askToDelete(this.app, summary)}>${icons.trash}<span>${t('details.delete')}</span></button>
        </div>
      </div></section>`;
  }

  #fingerprint(security: ConversationSecurity | null): TemplateResult {
    const { peer } = this.conversation.summary;
    const known = security?.peerFingerprint ?? null;
    return html`<div class="print-box"><h4>${rich('details.fingerprint', { name: nameOf(peer) })}</h4>
      ${known === null ? html`<p class="hint">${t('details.fingerprint.none')}</p>` : html`${fingerprintView(known)}<p class="hint">${rich('details.compare', { name: nameOf(peer) })}</p>`}</div>`;
  }

  #technical(security: ConversationSecurity): TemplateResult {
    const when = (time: number | null): unknown => time === null ? null
      : html`<time datetime=${new Date(time).toISOString()} title=${dateAndTime(time, locale())}>${ago(time, Date.now(), locale())}</time>`;
    const number = (value: number | null): string | null => value === null ? null : new Intl.NumberFormat(locale()).format(value);
    return html`<details class="technical"><summary>${t('details.technical')}</summary>${facts([
      [t('details.suite'), listed([security.suite])],
      [t('details.agreement'), listed(security.agreement)],
      [t('details.signatures'), listed(security.signatures)],
      [t('details.content'), listed([security.content])],
      [t('details.since'), when(security.sessionStarted)],
      [t('details.turn'), security.established ? number(security.turn) : null],
      [t('details.lastTurn'), when(security.lastTurnAt)],
      [t('details.lastResort'), security.established ? t(security.lastResort ? 'details.yes' : 'details.no') : null],
      [t('details.generation'), number(security.peerGeneration)],
      [t('details.skipped'), number(security.skippedKeys)],
      [t('details.entries'), number(security.entries)],
    ])}</details>`;
  }
}
customElements.define('sm-details', DetailsPanel);
