import { type TemplateResult, html } from 'lit';
import type { Person } from '../../model/api.ts';
import { avatarTone, initials } from '../text/format.ts';

/** Initials on a colour of the account's id; the name always stands beside it. */
export function avatar(person: Person, size: 'small' | 'medium' | 'large' = 'medium'): TemplateResult {
  return html`<span class="avatar ${size} tone-${avatarTone(person.account)}" aria-hidden="true">${initials(person.name)}</span>`;
}

/** A person's name, kept apart from the direction of the text around it. */
export function nameOf(person: Person): TemplateResult {
  return html`<bdi class="name">${person.name}</bdi>`;
}
