import { type TemplateResult, html, nothing } from 'lit';
import type { App, MessageStatus, Person } from '../../model/api.ts';
import { AppError } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { locale, rich, t } from '../i18n/language.ts';
import { attempt, errorText } from '../notices.ts';
import { nameOf } from '../parts/avatar.ts';
import { clock, dateAndTime, dayName } from '../text/format.ts';
import { splitLinks } from '../text/links.ts';
import type { MessageItem, NoticeItem, Row } from '../text/rows.ts';
import { askToDiscard } from './acts.ts';

/** What a row needs of its surroundings. */
export interface Surroundings {
  readonly app: App;
  readonly thread: string;
  readonly peer: Person;
  /** The row that Tab reaches; the others by the arrow keys. */
  readonly stop: string | null;
  readonly showProtection: (key: string) => void;
}

const STATUS_ICON: Readonly<Record<MessageStatus, TemplateResult | typeof nothing>> = {
  sending: icons.clock, failed: icons.alert, stored: icons.check, read: icons.checks, received: nothing,
};

export function dayHeading(time: number): TemplateResult {
  return html`<h3 class="day"><time datetime=${new Date(time).toISOString()}>${dayName(time, Date.now(), locale())}</time></h3>`;
}

export function rowView(row: Row, around: Surroundings): TemplateResult {
  switch (row.kind) {
    case 'unread':
      return html`<li class="unread-line"><span>${t('chat.unread')}</span></li>`;
    case 'notice':
      return noticeView(row.item, around);
    case 'message':
      return messageView(row.item, row.first, row.last, around);
  }
}

/** Text nodes and checked links only: nothing that somebody wrote is ever parsed as markup. */
function textView(text: string): unknown {
  return splitLinks(text).map((part) => typeof part === 'string' ? part
    : html`<a href=${part.href} target="_blank" rel="noopener noreferrer" dir="ltr">${part.text}</a>`);
}

function messageView(item: MessageItem, first: boolean, last: boolean, around: Surroundings): TemplateResult {
  const { key, mine, status } = item;
  const stop = key === around.stop;
  const classes = `row message ${mine ? 'mine' : 'theirs'} ${first ? 'first' : ''} ${last ? 'last' : ''} ${status}`;
  return html`<li class=${classes} data-key=${key} tabindex=${stop ? 0 : -1}>
    <div class="bubble"><span class="visually-hidden">${mine ? t('chat.mine') : nameOf(around.peer)}: </span><div class="text" dir="auto">${textView(item.text)}<span class="meta">${item.resent
      ? html`<span class="resent">${t('chat.resent')}</span>` : nothing}<time dir="ltr" datetime=${new Date(item.time).toISOString()} title=${dateAndTime(item.time, locale())}>${clock(item.time, locale())}</time>${mine
      ? html`<span class="status" title=${t(`status.${status}`)}>${STATUS_ICON[status]}<span class="visually-hidden">${t(`status.${status}`)}</span></span>` : nothing}</span></div></div>
    <button type="button" class="seal" tabindex=${stop ? 0 : -1} aria-label=${t('message.protection')} title=${t('message.protection')}
      @click=${() => around.showProtection(key)}>${icons.shield}</button>
    ${status === 'failed' ? failedView(item, around) : nothing}
  </li>`;
}

function failedView({ key, failure }: MessageItem, { app, thread }: Surroundings): TemplateResult {
  const lost = failure === 'server-lost';
  const reason = failure === null ? '' : errorText(new AppError(failure));
  return html`<div class="failed-line"><span>${lost ? reason : `${t('status.failed')}${reason === '' ? '' : `: ${reason}`}`}</span>
    <span class="failed-acts"><button type="button" class="link" @click=${() => void attempt(() => app.retry(thread, key))}>${icons.retry}${t(lost ? 'message.sendAgain' : 'message.retry')}</button>
    <button type="button" class="link" @click=${() => void askToDiscard(app, thread, key)}>${icons.trash}${t('message.discard')}</button></span></div>`;
}

function noticeView(item: NoticeItem, { app, thread, peer, stop }: Surroundings): TemplateResult {
  const name = nameOf(peer);
  const frame = (look: string, icon: TemplateResult, contents: unknown): TemplateResult =>
    html`<li class="row notice-row ${look}" data-key=${item.key} tabindex=${item.key === stop ? 0 : -1}><div class="notice-box">${icon}<span>${contents}</span></div></li>`;
  switch (item.kind) {
    case 'gap':
      return frame('warn', icons.gap, t('notice.gap', { n: item.count }));
    case 'undecryptable':
      return frame('warn', icons.lock, html`${t('notice.undecryptable')} ${item.asked ? rich('notice.undecryptable.asked', { name })
        : html`<button type="button" class="link" @click=${() => void attempt(() => app.askAgain(thread, item.key))}>${t('notice.undecryptable.ask')}</button>`}`);
    case 'session':
      return frame('calm', icons.shield, html`${item.renewed ? rich('notice.session.renewed', { name }) : t('notice.session')}${item.lastResort ? ` ${t('notice.session.lastResort')}` : ''}`);
    case 'rolled-back':
      return frame('warn', icons.history, item.whose === 'mine' ? t('notice.rolledBack.mine') : rich('notice.rolledBack.peer', { name }));
  }
}
