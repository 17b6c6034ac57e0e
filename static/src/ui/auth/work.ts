import { type TemplateResult, html } from 'lit';
import type { Progress } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';

export type Step = Progress['step'];
export type Work = 'sign-in' | 'register' | 'recover' | 'other';

const PLANS: Readonly<Record<Work, readonly Step[]>> = {
  'sign-in': ['deriving', 'signing-in', 'opening-vault', 'loading'],
  register: ['deriving', 'making-keys', 'registering', 'loading'],
  recover: ['signing-in', 'opening-vault'],
  other: [],
};

/** The steps to show: the plan, with a step that it does not know put where it comes. Pure. */
export function plannedSteps(work: Work, seen: readonly Step[]): readonly Step[] {
  const steps = [...PLANS[work]];
  seen.forEach((step, at) => {
    if (steps.includes(step)) return;
    const before = seen[at - 1];
    steps.splice(before === undefined ? 0 : steps.indexOf(before) + 1, 0, step);
  });
  return steps;
}

/** Long work, step by step: what is done, what goes on, what is to come. */
export function workView(work: Work, seen: readonly Step[], progress: Progress): TemplateResult {
  const steps = plannedSteps(work, seen);
  const at = steps.indexOf(progress.step);
  const value = at + (progress.fraction ?? 0.5);
  return html`<div class="work" role="status">
    <p class="work-now">${t(`progress.${progress.step}`)}…</p>
    <progress class=${progress.fraction === null ? 'unknown' : ''} max=${steps.length} value=${value}
      aria-label=${t(`progress.${progress.step}`)}></progress>
    ${steps.length > 1 ? html`<ol class="steps" role="list">${steps.map((step, position) => html`<li class=${position < at ? 'done' : position === at ? 'now' : ''}
      aria-current=${position === at ? 'step' : 'false'}><span class="step-mark">${position < at ? icons.check : ''}</span>${t(`progress.${step}`)}${position < at
        ? html`<span class="visually-hidden"> (${t('progress.done')})</span>` : ''}</li>`)}</ol>` : ''}
    ${steps.includes('deriving') ? html`<p class="hint">${t('progress.hint')}</p>` : ''}
  </div>`;
}
