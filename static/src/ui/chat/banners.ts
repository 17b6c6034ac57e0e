import { type TemplateResult, html, nothing } from 'lit';
import type { App, ConversationSummary } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { rich, t } from '../i18n/language.ts';
import { attempt } from '../notices.ts';
import { avatar, nameOf } from '../parts/avatar.ts';
import { askToBlock, askToDelete, unblock } from './acts.ts';

/** Above the timeline: what is wrong. Below it, in place of the composer: what to decide. */
export function banners(app: App, summary: ConversationSummary, where: 'above' | 'below'): TemplateResult | typeof nothing {
  const { blockedBy, peer, state } = summary;
  if (where === 'above') {
    // That the server went back is said once, above everything.
    if (blockedBy === null || blockedBy === 'you-blocked' || blockedBy === 'server-went-back') return nothing;
    return html`<div class="banner warn" role="alert">${icons.alert}<p>${rich(`banner.${blockedBy}`, { name: nameOf(peer) })}</p></div>`;
  }
  if (blockedBy === 'you-blocked' || state === 'blocked') return blockedBanner(app, summary);
  if (state === 'request') return requestBanner(app, summary);
  if (state === 'outgoing') return html`<p class="outgoing">${icons.clock}<span>${rich('outgoing.hint', { name: nameOf(peer) })}</span></p>`;
  return nothing;
}

function blockedBanner(app: App, summary: ConversationSummary): TemplateResult {
  return html`<div class="banner decide"><p>${icons.block} ${rich('banner.you-blocked', { name: nameOf(summary.peer) })}</p>
    <div class="actions"><button type="button" class="button" @click=${() => void unblock(app, summary.thread)}>${t('banner.unblock')}</button>
    <button type="button" class="button quiet" @click=${() => void askToDelete(app, summary)}>${t('request.delete')}</button></div></div>`;
}

function requestBanner(app: App, summary: ConversationSummary): TemplateResult {
  const { peer, thread } = summary;
  return html`<section class="banner decide" aria-labelledby="request-title">
    <div class="asker">${avatar(peer, 'small')}<div><h3 id="request-title">${rich('request.title', { name: nameOf(peer) })}</h3><p>${rich('request.hint', { name: nameOf(peer) })}</p></div></div>
    <div class="actions">
      <button type="button" class="button quiet danger-text" @click=${() => void askToBlock(app, summary)}>${t('request.block')}</button>
      <button type="button" class="button" @click=${() => void askToDelete(app, summary)}>${t('request.delete')}</button>
      <button type="button" class="button primary" @click=${() => void attempt(() => app.accept(thread))}>${t('request.accept')}</button>
    </div></section>`;
}
