import { type TemplateResult, html, nothing } from 'lit';
import type { Hex } from '../../model/api.ts';
import { grouped } from '../text/format.ts';

export type Fact = readonly [label: string, value: unknown];

/** Label and value pairs; those without a value are left out. */
export function facts(pairs: readonly Fact[]): TemplateResult {
  return html`<dl class="facts">${pairs.filter(([, value]) => value !== null && value !== '' && value !== undefined)
    .map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Hexadecimal in groups of four, in order of reading. */
export function fingerprintView(hex: Hex, size: 'large' | 'small' = 'large'): TemplateResult {
  return html`<span class="fingerprint ${size}" translate="no" dir="ltr">${grouped(hex).map((group) => html`<span>${group}</span> `)}</span>`;
}

export function listed(names: readonly string[]): TemplateResult | typeof nothing {
  return names.length === 0 ? nothing : html`<span class="listed" translate="no">${names.map((name) => html`<span>${name}</span> `)}</span>`;
}
