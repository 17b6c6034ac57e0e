/** Small icons of our own, drawn on a grid of 24, with the text's colour. All are decoration: words stand beside them. */

import { type SVGTemplateResult, type TemplateResult, html, svg } from 'lit';

function icon(shape: SVGTemplateResult): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${shape}</svg>`;
}

export const icons = {
  back: icon(svg`<path d="M15 5l-7 7 7 7"/>`),
  forward: icon(svg`<path d="M9 5l7 7-7 7"/>`),
  close: icon(svg`<path d="M6 6l12 12M18 6L6 18"/>`),
  search: icon(svg`<circle cx="10.5" cy="10.5" r="6"/><path d="M15 15l5 5"/>`),
  send: icon(svg`<path d="M12 19V5M5.5 11.5L12 5l6.5 6.5" stroke-width="2.2"/>`),
  down: icon(svg`<path d="M12 5v14M6 13l6 6 6-6"/>`),
  shield: icon(svg`<path d="M12 3.2l7 2.6v5.4c0 4.5-2.9 7.9-7 9.6-4.1-1.7-7-5.1-7-9.6V5.8z"/><path d="M9 12l2.2 2.2L15.2 10"/>`),
  shieldOpen: icon(svg`<path d="M12 3.2l7 2.6v5.4c0 4.5-2.9 7.9-7 9.6-4.1-1.7-7-5.1-7-9.6V5.8z" stroke-dasharray="2.5 3"/>`),
  clock: icon(svg`<circle cx="12" cy="12" r="8"/><path d="M12 7.5V12l3 2"/>`),
  check: icon(svg`<path d="M5 12.5l4.5 4.5L19 7.5" stroke-width="2.2"/>`),
  checks: icon(svg`<path d="M2 12.5l4.5 4.5L15 8M11.5 16.5l.7.7L22 7.5" stroke-width="2.2"/>`),
  alert: icon(svg`<circle cx="12" cy="12" r="8.5"/><path d="M12 7.5v5.5M12 16.2v.1" stroke-width="2.2"/>`),
  block: icon(svg`<circle cx="12" cy="12" r="8.5"/><path d="M6 6l12 12"/>`),
  trash: icon(svg`<path d="M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10.5 11v5.5M13.5 11v5.5"/>`),
  retry: icon(svg`<path d="M19.5 12a7.5 7.5 0 1 1-2.4-5.5M19.5 3.5v4h-4"/>`),
  eye: icon(svg`<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="2.8"/>`),
  eyeOff: icon(svg`<path d="M9.9 5.8A8.7 8.7 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.7M6 7.6A16.5 16.5 0 0 0 2.5 12S6 18.5 12 18.5c1.7 0 3.2-.5 4.5-1.3M4 4l16 16"/>`),
  copy: icon(svg`<rect x="8.5" y="8.5" width="11" height="11" rx="2"/><path d="M15.5 5.5v-1h-11v11h1"/>`),
  download: icon(svg`<path d="M12 4v11M7 10.5l5 5 5-5M5 20h14"/>`),
  print: icon(svg`<path d="M7 9V4h10v5M7 17H4.5V9h15v8H17M7 14h10v6H7z"/>`),
  settings: icon(svg`<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`),
  browser: icon(svg`<rect x="3.5" y="5" width="17" height="14" rx="2"/><path d="M3.5 9.5h17M6.5 7.3v0M9 7.3v0"/>`),
  key: icon(svg`<circle cx="8" cy="15.5" r="4"/><path d="M11 12.7L19.5 4.5M16 8l2.5 2.5"/>`),
  lifebuoy: icon(svg`<circle cx="12" cy="12" r="8.5"/><circle cx="12" cy="12" r="3.5"/><path d="M6 6l3.5 3.5M14.5 14.5L18 18M18 6l-3.5 3.5M9.5 14.5L6 18"/>`),
  leave: icon(svg`<path d="M13 4.5H5.5v15H13M10 12h10M16.5 8.5L20 12l-3.5 3.5"/>`),
  gap: icon(svg`<path d="M4 12h3M10.5 12h3M17 12h3"/>`),
  lock: icon(svg`<rect x="5.5" y="10.5" width="13" height="9" rx="2"/><path d="M8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5"/>`),
  history: icon(svg`<path d="M4.5 12a7.5 7.5 0 1 0 2.4-5.5M4.5 3.5v4h4M12 8v4.5l3 1.5"/>`),
  offline: icon(svg`<path d="M4 4l16 16M8.5 15.5a5 5 0 0 1 5.7-1M5 12a10 10 0 0 1 4-2.3M14.5 9.6A10 10 0 0 1 19 12M12 19v.1"/>`),
  person: icon(svg`<circle cx="12" cy="8" r="3.8"/><path d="M4.5 20c.8-4 3.7-6 7.5-6s6.7 2 7.5 6"/>`),
} as const;

/** The product's mark: a speech bubble that is a lock, its keyhole a point of a lattice. */
export const mark: TemplateResult = html`<svg class="mark" viewBox="0 0 48 48" aria-hidden="true" focusable="false">${svg`
  <path class="mark-body" d="M14 4h20a10 10 0 0 1 10 10v14a10 10 0 0 1-10 10H22l-9.3 6.8c-1.1.8-2.7 0-2.7-1.4V37.2A10 10 0 0 1 4 28V14A10 10 0 0 1 14 4z"/>
  <g class="mark-dots"><circle cx="15" cy="13" r="1.9"/><circle cx="24" cy="13" r="1.9"/><circle cx="33" cy="13" r="1.9"/>
  <circle cx="15" cy="21" r="1.9"/><circle cx="33" cy="21" r="1.9"/><circle cx="15" cy="29" r="1.9"/><circle cx="33" cy="29" r="1.9"/></g>
  <path class="mark-key" d="M24 17.5a4.3 4.3 0 0 1 2.2 8l1 5.3a.8.8 0 0 1-.8.9h-4.8a.8.8 0 0 1-.8-.9l1-5.3a4.3 4.3 0 0 1 2.2-8z"/>`}</svg>`;
