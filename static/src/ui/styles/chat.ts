import { css } from 'lit';

/** The three columns, the list, heads, banners, composer, details. */
export const chat = css`
.inside { display: grid; grid-template-rows: auto minmax(0, 1fr); height: 100dvh; }
sm-auth, sm-chat, sm-list, sm-conversation, sm-composer, sm-details, sm-protection, sm-settings, sm-dialog { display: contents; }
.chat {
  position: relative; display: grid; grid-template-columns: minmax(16rem, 21rem) minmax(0, 1fr) auto; grid-template-rows: minmax(0, 1fr); min-height: 0;
  padding-inline: var(--safe-left) var(--safe-right);
}
.connection[data-shown] {
  display: flex; align-items: center; justify-content: center; gap: 0.6rem; padding: calc(0.4rem + var(--safe-top)) 1rem 0.4rem;
  background: var(--warn-soft); color: var(--warn-text); border-block-end: 1px solid var(--warn-line); font-size: var(--size-small); font-weight: 550;
}
.connection .icon { width: 1.1rem; height: 1.1rem; }
.went-back {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.75rem 1.25rem; padding: calc(0.85rem + var(--safe-top)) 1.25rem 0.85rem;
  background: var(--warn-soft); color: var(--warn-text); border-block-end: 1px solid var(--warn-line);
}
.went-back > .icon { align-self: flex-start; margin-block-start: 0.1rem; }
.went-back-text { flex: 1 1 20rem; display: grid; gap: 0.25rem; max-width: 60rem; font-size: var(--size-small); text-wrap: pretty; }
.went-back h2 { font-size: var(--size); }
.went-back .button { flex: none; }
.paragraphs { display: grid; gap: 0.75rem; }
.pulse { width: 0.55rem; height: 0.55rem; border-radius: 50%; background: currentColor; animation: breathe 0.9s ease-in-out infinite alternate; }
.not-phone { display: contents; } .only-phone { display: none; }

.list { display: flex; flex-direction: column; min-height: 0; background: var(--ground); border-inline-end: 1px solid var(--line); padding-block-start: var(--safe-top); }
.list-head { display: flex; align-items: center; justify-content: space-between; gap: 0.5rem; min-height: var(--bar); padding: 0.5rem 0.75rem; }
.me { display: flex; align-items: center; gap: 0.65rem; min-width: 0; min-height: var(--target); padding: 0.25rem 0.6rem 0.25rem 0.25rem; border: 0; border-radius: var(--radius); background: transparent; font-weight: 650; anchor-name: --me; }
.me .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.me:hover { background: var(--hover); }
.menu { inset: auto; position-anchor: --me; top: anchor(bottom); left: anchor(left); margin: 0.25rem 0 0; padding: 0.35rem; min-width: 13rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--raised); color: var(--text); box-shadow: 0 1rem 2rem -0.75rem var(--shadow); }
@supports not (top: anchor(bottom)) { .menu { top: calc(var(--bar) + var(--safe-top)); left: calc(0.75rem + var(--safe-left)); } }
.menu > * { display: flex; align-items: center; gap: 0.75rem; width: 100%; min-height: 2.75rem; padding: 0.4rem 0.75rem; border: 0; border-radius: var(--radius-small); background: none; color: inherit; text-decoration: none; text-align: start; }
.menu > *:hover { background: var(--hover); }
.search { position: relative; padding: 0 0.75rem 0.6rem; }
.search > .icon { position: absolute; inset-block-start: 0.75rem; inset-inline-start: 1.5rem; color: var(--text-soft); pointer-events: none; }
.search input { min-height: var(--target); padding-inline: 2.6rem; border-color: transparent; background: var(--raised); text-overflow: ellipsis; }
.search input::-webkit-search-cancel-button { display: none; }
.search .icon-button { position: absolute; inset-block-start: 0; inset-inline-end: 0.75rem; }
.entries { flex: 1; min-height: 0; overflow-y: auto; padding: 0 0.5rem calc(0.75rem + var(--safe-bottom)); overscroll-behavior: contain; scrollbar-width: thin; scrollbar-color: var(--line-strong) transparent; }
.entry {
  display: flex; align-items: center; gap: 0.75rem; width: 100%; min-height: 4.25rem; padding: 0.6rem 0.65rem; border: 0; border-radius: var(--radius); background: transparent;
  color: inherit; text-align: start; text-decoration: none; transition: background var(--quick);
}
.entry:hover { background: var(--hover); }
.entry[aria-current] { background: var(--selected); }
.entry:focus-visible { outline-offset: -2px; }
.entry-text { flex: 1; min-width: 0; display: grid; gap: 0.15rem; }
.entry-line { display: flex; align-items: center; gap: 0.5rem; min-width: 0; min-height: 1.375rem; }
.entry .name { text-align: left; flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; }
.entry time { color: var(--text-soft); font-size: 0.75rem; flex: none; }
.entry.unread time { color: var(--accent); font-weight: 650; }
.preview { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--text-soft); font-size: var(--size-small); }
.entry.unread .preview { color: var(--text); }
.typing, .draft { color: var(--accent); font-weight: 600; }
.draft { font-style: italic; }
.mark-icon .icon { width: 1.1rem; height: 1.1rem; color: var(--text-soft); }
.mark-icon.warn .icon { color: var(--danger); }
.list-heading { padding: 1rem 0.65rem 0.35rem; color: var(--text-soft); font-size: var(--size-small); }
.list-note { padding: 1rem 0.65rem; color: var(--text-soft); font-size: var(--size-small); }
.list-blank { display: grid; justify-items: center; gap: 0.35rem; padding: 3rem 1.5rem; text-align: center; color: var(--text-soft); }
.list-blank .icon { width: 2.25rem; height: 2.25rem; margin-block-end: 0.5rem; color: var(--accent); }
.list-blank strong { color: var(--text); }

.middle { position: relative; display: grid; grid-template-rows: minmax(0, 1fr); min-width: 0; min-height: 0; background: var(--surface); }
.blank { display: grid; place-content: center; justify-items: center; gap: 0.6rem; padding: 2rem; text-align: center; color: var(--text-soft); }
.blank .mark { width: 4.5rem; height: 4.5rem; margin-block-end: 0.75rem; }
.blank h2 { color: var(--text); }
.blank p { max-width: 26rem; text-wrap: balance; }
.conversation { display: flex; flex-direction: column; min-height: 0; min-width: 0; }
.head { display: flex; align-items: center; gap: 0.25rem; min-height: var(--bar); padding: calc(0.4rem + var(--safe-top)) 0.75rem 0.4rem; border-block-end: 1px solid var(--line); flex: none; }
.peer-button { display: flex; align-items: center; gap: 0.75rem; min-width: 0; flex: 1; padding: 0.25rem 0.5rem; border: 0; border-radius: var(--radius); background: transparent; text-align: start; }
.peer-button:hover { background: var(--hover); }
.peer-text { min-width: 0; display: grid; }
.peer-text h2 { font-size: 1rem; line-height: 1.3; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.peer-state { display: flex; align-items: center; gap: 0.3rem; min-width: 0; color: var(--text-soft); font-size: 0.78125rem; }
.peer-state > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.peer-state .icon { width: 0.95rem; height: 0.95rem; color: var(--accent); }
.peer-state.troubled, .peer-state.troubled .icon { color: var(--danger); }

.banner { flex: none; padding: 0.85rem 1.25rem; }
.banner.warn { display: flex; gap: 0.75rem; background: var(--warn-soft); color: var(--warn-text); border-block-end: 1px solid var(--warn-line); font-size: var(--size-small); }
.banner.decide { display: flex; flex-wrap: wrap; align-items: center; gap: 0.75rem 1.5rem; padding-block-end: calc(0.85rem + var(--safe-bottom)); border-block-start: 1px solid var(--line); background: var(--raised); }
.banner.decide > :first-child { flex: 1 1 16rem; }
.banner.decide p { color: var(--text-soft); font-size: var(--size-small); }
.banner.decide p .icon { display: inline-block; vertical-align: -0.3em; margin-inline-end: 0.25rem; }
.asker { display: flex; gap: 0.75rem; align-items: center; }
.outgoing { display: flex; align-items: center; justify-content: center; gap: 0.4rem; padding: 0.35rem 1rem; color: var(--text-soft); font-size: var(--size-small); }
.outgoing .icon { width: 1rem; height: 1rem; }

.composer { display: flex; align-items: flex-end; gap: 0.6rem; flex: none; padding: 0.6rem 1rem calc(0.8rem + var(--safe-bottom)); }
.composer-field { flex: 1; min-width: 0; position: relative; }
.composer textarea {
  display: block; resize: none; min-height: 2.75rem; max-height: calc(8 * 1.45em + 1.3rem); padding: 0.65rem 1rem; border-color: var(--line); border-radius: 1.4rem; background: var(--raised);
  overflow-y: auto; scrollbar-width: thin; line-height: 1.45;
}
.composer textarea:focus-visible { outline-width: 1px; }
.count:not(:empty) { padding: 0.25rem 1rem 0; color: var(--text-soft); font-size: 0.75rem; }
.count.over { color: var(--danger); font-weight: 600; }
.send { display: grid; place-items: center; width: 2.75rem; height: 2.75rem; flex: none; padding: 0; border: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); transition: background var(--quick); }
.send:hover { background: var(--accent-hover); }
.send:disabled { background: var(--sunken); color: var(--text-soft); cursor: default; }

.details { display: flex; flex-direction: column; width: 22rem; min-height: 0; background: var(--ground); border-inline-start: 1px solid var(--line); }
.details .head { gap: 0.5rem; }
.details-body { flex: 1; min-height: 0; overflow-y: auto; display: grid; align-content: start; gap: 1.25rem; padding: 1.25rem 1.25rem calc(1.5rem + var(--safe-bottom)); scrollbar-width: thin; scrollbar-color: var(--line-strong) transparent; }
.details-body:focus-visible { outline-offset: -3px; }
.details-part { display: grid; gap: 0.85rem; }
.details-person { display: grid; justify-items: center; gap: 0.6rem; font-size: var(--size-large); font-weight: 650; text-align: center; }
.details .facts div { grid-template-columns: 1fr; }
.details-acts { padding-block-start: 0.75rem; border-block-start: 1px solid var(--line); }
.details .details-acts { gap: 0.15rem; }
.details-acts .row-button { padding-inline: 0.5rem; }

@media (max-width: 70rem) {
  .details { position: absolute; inset-block: 0; inset-inline-end: 0; z-index: 3; box-shadow: 0 0 3rem var(--shadow); }
}
@media (max-width: 45rem) {
  .chat { grid-template-columns: minmax(0, 1fr); }
  .list, .details { border: 0; width: auto; }
  .pane-list .middle, .pane-conversation .list, .pane-details :is(.list, .middle) { display: none; }
  .details { position: static; box-shadow: none; }
  .only-phone { display: contents; } .icon-button.only-phone { display: inline-grid; } .not-phone { display: none; }
  .head { padding-inline: 0.35rem; }
  .went-back { max-height: 60dvh; overflow-y: auto; padding-inline: 1rem; }
  .went-back-text { flex-basis: calc(100% - 3rem); }
  .went-back .button { flex: 1 1 100%; }
  .list-head { padding-inline: 0.75rem 0.5rem; }
  .composer { padding-inline: 0.6rem; }
  .search input, .composer textarea, .field input { font-size: 1rem; }
}
`;
