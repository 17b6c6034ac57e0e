import { css } from 'lit';

/** The page, text, buttons, fields: what every view uses. */
export const base = css`
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { overflow-wrap: anywhere; -webkit-tap-highlight-color: transparent; }
h1, h2, h3, h4, p, ul, ol, dl, dd, fieldset, legend { margin: 0; padding: 0; border: 0; }
ul[role="list"], ol[role="list"] { list-style: none; }
h1 { font-size: var(--size-title); line-height: 1.2; letter-spacing: -0.015em; font-weight: 650; text-wrap: balance; }
h2 { font-size: var(--size-large); font-weight: 650; }
:is(h2, h3, p)[tabindex="-1"]:focus-visible { outline: none; }
h3, h4 { font-size: var(--size); font-weight: 650; }
button, input, textarea { font: inherit; color: inherit; }
button { cursor: pointer; }
a { color: var(--accent); text-underline-offset: 0.15em; }
[hidden] { display: none !important; }
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
::selection { background: var(--signal); color: var(--on-signal); }
bdi.name { unicode-bidi: isolate; }
secure-msg { display: block; height: 100%; }
sm-password { display: block; }

/* Hidden words must not lengthen the page from inside a part that scrolls. */
.timeline, .entries, .details-body, .section, .modal-body, .list, .conversation { position: relative; }
.visually-hidden {
  position: absolute !important; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; border: 0;
}
.print-only { display: none; }
.icon { width: 1.25rem; height: 1.25rem; flex: none; display: block; }
.mono, .code, .fingerprint, .listed { font-family: var(--mono); }
.hint { color: var(--text-soft); font-size: var(--size-small); }
.lead { color: var(--text-soft); }
.danger-text { color: var(--danger); }

.mark { display: block; width: 3rem; height: 3rem; flex: none; }
.mark-body { fill: light-dark(#17605f, #1f6f6b); }
.mark-dots { fill: #8cc9c1; }
.mark-key { fill: #ffd27a; }

.avatar {
  --avatar: 2.75rem;
  display: inline-grid; place-items: center; width: var(--avatar); height: var(--avatar); flex: none; border-radius: 38%;
  color: #fff; font-weight: 600; font-size: calc(var(--avatar) * 0.37); letter-spacing: 0.01em; line-height: 1; user-select: none;
}
.avatar.small { --avatar: 2.25rem; }
.avatar.large { --avatar: 4.5rem; }
.tone-0 { background: #8a4b2f; } .tone-1 { background: #7a5a14; } .tone-2 { background: #53691f; } .tone-3 { background: #2b6b47; }
.tone-4 { background: #1f6870; } .tone-5 { background: #2f5f94; } .tone-6 { background: #5553a1; } .tone-7 { background: #794693; }
.tone-8 { background: #953f6e; } .tone-9 { background: #9a3e49; }

.button {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.5rem; min-height: var(--target); padding: 0.4rem 1rem;
  border: 1px solid var(--line); border-radius: var(--radius); background: var(--raised); color: var(--text); font-weight: 550;
  transition: background var(--quick), border-color var(--quick); text-align: center;
}
.button:hover { background: var(--hover); }
.button.primary { background: var(--accent); border-color: transparent; color: var(--on-accent); }
.button.primary:hover { background: var(--accent-hover); }
.button.danger { background: var(--danger-fill); border-color: transparent; color: #fff; }
.button.quiet { background: transparent; border-color: transparent; }
.button.quiet:hover { background: var(--hover); }
.button.block { width: 100%; min-height: 2.875rem; }
.button.small { min-height: 2.25rem; padding: 0.25rem 0.75rem; font-size: var(--size-small); }
.button.small .icon { width: 1rem; height: 1rem; }
.button.danger-text { color: var(--danger); }
.button:disabled { opacity: 0.5; cursor: not-allowed; }
@media (pointer: coarse) { .button.small { min-height: 2.75rem; } }
.icon-button {
  display: inline-grid; place-items: center; width: var(--target); height: var(--target); flex: none; padding: 0; border: 0;
  border-radius: var(--radius); background: transparent; color: var(--text-soft); transition: background var(--quick);
}
.icon-button:hover { background: var(--hover); color: var(--text); }
.icon-button[aria-pressed="true"] { color: var(--accent); }
.row-button {
  display: flex; align-items: center; gap: 0.75rem; width: 100%; min-height: 2.75rem; padding: 0.5rem 0.75rem; border: 0; border-radius: var(--radius);
  background: transparent; text-align: start; text-decoration: none; color: var(--text);
}
.row-button.danger-text { color: var(--danger); }
.row-button:hover { background: var(--hover); }
.row-button[aria-current] { background: var(--selected); font-weight: 600; }
.link {
  display: inline-flex; align-items: center; gap: 0.25rem; padding: 0; border: 0; background: none; color: var(--accent); font-weight: 600;
  text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 0.18em;
}
.link .icon { width: 1rem; height: 1rem; }
@media (pointer: coarse) { .link { min-height: 2.75rem; } }
.actions { display: flex; flex-wrap: wrap; gap: 0.5rem; justify-content: flex-end; }
.actions.even > * { flex: 1 1 6.5rem; padding-inline: 0.6rem; }
.badge {
  display: inline-grid; place-items: center; min-width: 1.375rem; height: 1.375rem; padding: 0 0.4rem; border-radius: 1rem;
  background: var(--signal); color: var(--on-signal); font-size: 0.75rem; font-weight: 700; line-height: 1; flex: none;
}
.pill {
  display: inline-block; padding: 0.1rem 0.5rem; border-radius: 1rem; background: var(--accent-soft); color: var(--accent);
  font-size: 0.75rem; font-weight: 600; white-space: nowrap;
}

.field { display: grid; gap: 0.35rem; margin-block: 1rem; }
.field label { font-weight: 600; font-size: var(--size-small); }
input:not([type="checkbox"], [type="radio"]), textarea {
  width: 100%; min-height: 2.75rem; padding: 0.55rem 0.8rem; border: 1px solid var(--line-strong); border-radius: var(--radius); background: var(--raised);
}
input:focus-visible, textarea:focus-visible { outline: 2px solid var(--accent); outline-offset: -1px; border-color: var(--accent); }
input[aria-invalid="true"] { border-color: var(--danger); }
input::placeholder, textarea::placeholder { color: var(--text-soft); opacity: 1; }
.with-button { position: relative; }
.with-button input { padding-inline-end: 3.25rem; }
.with-button .icon-button { position: absolute; inset-block: 0; inset-inline-end: 0; height: auto; }
.strength { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.25rem; height: 0.25rem; }
.strength i { border-radius: 1rem; background: var(--line); transition: background var(--quick); }
.strength.level-1 i:nth-child(-n+1) { background: var(--danger); }
.strength.level-2 i:nth-child(-n+2) { background: var(--signal); }
.strength.level-3 i:nth-child(-n+3), .strength.level-4 i { background: var(--accent); }
.check { display: flex; align-items: flex-start; gap: 0.65rem; padding-block: 0.35rem; font-weight: 600; cursor: pointer; }
input[type="checkbox"], input[type="radio"] { width: 1.2rem; height: 1.2rem; margin: 0.1rem 0 0; flex: none; accent-color: var(--accent); }
@media (pointer: coarse) { .check { min-height: 2.75rem; align-items: center; } .check input { margin: 0; } }
.check.switch { justify-content: space-between; flex-direction: row-reverse; align-items: center; }
.check.switch input {
  appearance: none; width: 2.6rem; height: 1.5rem; margin: 0; border-radius: 1rem; background: var(--line-strong); position: relative; transition: background var(--quick); cursor: pointer;
}
.check.switch input::after {
  content: ""; position: absolute; inset-block-start: 0.2rem; inset-inline-start: 0.2rem; width: 1.1rem; height: 1.1rem; border-radius: 50%; background: var(--raised); transition: translate var(--quick);
}
.check.switch input:checked { background: var(--accent); }
.check.switch input:checked::after { translate: 1.1rem 0; }
.form-error, .form-note, .note {
  display: flex; gap: 0.6rem; margin-block: 1rem; padding: 0.7rem 0.9rem; border-radius: var(--radius); font-size: var(--size);
}
.form-error { background: var(--danger-soft); color: var(--danger); }
.form-note { background: var(--accent-soft); }
.note { background: var(--warn-soft); color: var(--warn-text); font-size: var(--size-small); }

.facts { display: grid; gap: 0.6rem; font-size: var(--size-small); }
.facts div { display: grid; grid-template-columns: minmax(7rem, 2fr) 3fr; gap: 0.15rem 1rem; padding-block-end: 0.6rem; border-block-end: 1px solid var(--line); }
.facts div:last-child { border: 0; padding: 0; }
.facts dt { color: var(--text-soft); }
.facts dd { font-variant-numeric: tabular-nums; }
.listed { display: flex; flex-wrap: wrap; gap: 0.2rem 0.8rem; font-size: 0.95em; }
.fingerprint { display: grid; grid-template-columns: repeat(4, max-content); gap: 0.2rem 1.1rem; font-size: 1rem; letter-spacing: 0.04em; }
.fingerprint.small { display: flex; flex-wrap: wrap; gap: 0.1rem 0.55rem; font-size: 0.8125rem; letter-spacing: 0; }
.print-box { display: grid; gap: 0.75rem; justify-items: start; padding: 1rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); }
.promise-line { display: flex; gap: 0.6rem; }
.promise-line .icon { color: var(--accent); margin-block-start: 0.05rem; }
.promise-line.warn .icon { color: var(--danger); }
.technical summary { padding-block: 0.5rem; color: var(--text-soft); font-size: var(--size-small); font-weight: 600; cursor: pointer; }
.technical .facts { padding-block-start: 0.5rem; }
@media (pointer: coarse) { .technical summary { padding-block: 0.85rem; } }

@media print {
  :root:root { color-scheme: light; }
  .printable .code { background: none; }
  body * { visibility: hidden; }
  .printable, .printable * { visibility: visible; }
  .printable { position: fixed; inset: 0; padding: 2cm; background: #fff; color: #000; }
  .print-only { display: block; margin-block: 1rem; }
}
`;
