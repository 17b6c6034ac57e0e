import { css } from 'lit';

/** Dialogs, settings, notices. */
export const overlays = css`
dialog.modal { width: 100%; max-width: 30rem; max-height: calc(100dvh - 3rem); padding: 0; border: 1px solid var(--line); border-radius: var(--radius-large); background: var(--raised); color: var(--text); box-shadow: 0 2rem 4rem -1rem var(--shadow); overflow: hidden; }
dialog.modal::backdrop { background: var(--veil); }
dialog.modal.wide { max-width: 54rem; }
dialog.modal.alert { max-width: 25rem; }
dialog.modal[open] { display: flex; animation: rise 160ms ease-out; }
@keyframes rise { from { opacity: 0; translate: 0 0.5rem; } }
@media (prefers-reduced-motion: reduce) { dialog.modal[open] { animation: none; } }
.modal-box { display: flex; flex-direction: column; min-height: 0; width: 100%; }
.modal-head { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: 1rem 1rem 0 1.5rem; min-height: 3.5rem; }
.modal-body { display: grid; gap: 1.1rem; min-height: 0; padding: 0.75rem 1.5rem 1.5rem; overflow-y: auto; scrollbar-width: thin; }
.alert .modal-head { padding-block-start: 1.5rem; min-height: 0; }

.wide .modal-head { min-height: 3.9rem; border-block-end: 1px solid var(--line); padding-block: 0.6rem; }
.wide .modal-body { padding: 0; display: flex; overflow: hidden; }
.settings { display: grid; grid-template-columns: 15.5rem minmax(0, 1fr); grid-template-rows: minmax(0, 1fr); width: 100%; height: min(40rem, calc(100dvh - 7rem)); }
.sections { display: flex; flex-direction: column; justify-content: space-between; gap: 1rem; padding: 0.75rem; border-inline-end: 1px solid var(--line); background: var(--surface); overflow-y: auto; }
.sections ul { display: grid; gap: 0.15rem; }
.section { min-width: 0; padding: 1.25rem 1.5rem calc(1.5rem + var(--safe-bottom)); overflow-y: auto; scrollbar-width: thin; scrollbar-color: var(--line-strong) transparent; }
.section-head { display: flex; align-items: center; gap: 0.25rem; margin-block-end: 1rem; }
.settings-title { font-size: 1.15rem; }
sm-security, sm-browsers, sm-preferences { display: grid; gap: 1.25rem; }
.narrow { max-width: 25rem; }
.knowledge { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1rem; }
.knowledge section { padding: 1rem; border-radius: var(--radius); background: var(--ground); }
.knowledge h4 { display: flex; gap: 0.5rem; align-items: center; margin-block-end: 0.5rem; }
.knowledge h4 .icon { color: var(--accent); }
.knowledge ul { display: grid; gap: 0.35rem; padding-inline-start: 1.1rem; font-size: var(--size-small); }
.sessions { display: grid; gap: 0.5rem; }
.sessions li { display: flex; align-items: center; gap: 0.85rem; padding: 0.75rem; border: 1px solid var(--line); border-radius: var(--radius); }
.sessions li > div { flex: 1; min-width: 0; }
.sessions li > .icon { color: var(--text-soft); }
sm-browsers > .button { justify-self: start; }
.choice { min-width: 0; }
.choice legend { font-weight: 600; font-size: var(--size-small); margin-block-end: 0.4rem; }
.segments { display: flex; flex-wrap: wrap; gap: 0.25rem; padding: 0.25rem; border-radius: var(--radius); background: var(--sunken); width: fit-content; max-width: 100%; }
.segments label { position: relative; cursor: pointer; }
.segments input { position: absolute; inset: 0; opacity: 0; width: 100%; height: 100%; margin: 0; cursor: pointer; }
.segments span { display: grid; place-items: center; min-height: var(--target); padding: 0.25rem 0.9rem; border-radius: var(--radius-small); }
.segments input:checked + span { background: var(--raised); box-shadow: 0 1px 3px var(--shadow); font-weight: 600; }
.segments input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 1px; }

.notices { position: fixed; inset-block-end: calc(5.25rem + var(--safe-bottom)); inset-inline: 1rem; z-index: 10; display: grid; justify-items: center; gap: 0.5rem; pointer-events: none; }
.notices > div { display: grid; justify-items: center; gap: 0.5rem; }
.notice { display: flex; align-items: center; gap: 0.5rem; max-width: 30rem; padding: 0.35rem 0.35rem 0.35rem 1rem; border-radius: var(--radius); background: light-dark(#1d2b29, #e7eeec); color: light-dark(#f2f7f5, #14201e); box-shadow: 0 1rem 2rem -0.75rem var(--shadow); pointer-events: auto; }
.notice .icon-button { color: inherit; }
.notice .icon-button:hover { background: rgb(127 127 127 / 0.25); color: inherit; }
.notice.urgent { border-inline-start: 4px solid var(--signal); }

@media (max-width: 45rem) {
  dialog.modal { max-width: none; width: calc(100% - 1.5rem); }
  dialog.modal.wide { width: 100%; height: 100dvh; max-height: none; max-width: none; margin: 0; border: 0; border-radius: 0; }
  .wide .modal-head { padding-block-start: calc(0.6rem + var(--safe-top)); padding-inline-start: 1rem; }
  .settings { grid-template-columns: minmax(0, 1fr); height: 100%; }
  .at-sections .section, .at-section .sections { display: none; }
  .sections { border: 0; background: none; justify-content: flex-start; }
  .sections .row-button { min-height: 3.25rem; }
  .sections .row-button[aria-current] { background: none; font-weight: 400; }
  .sections .row-button:hover { background: var(--hover); }
  .section { padding-inline: 1rem; }
  .section-head { margin-inline-start: -0.5rem; }
  .modal-body { padding-inline: 1.15rem; }
  .wide .modal-body { padding: 0; }
}
`;
