import { css } from 'lit';

/** Messages and what stands between them. */
export const timeline = css`
sm-timeline { position: relative; display: grid; grid-template-rows: minmax(0, 1fr); flex: 1; min-height: 0; min-width: 0; }
.timeline { overflow-y: auto; overflow-anchor: none; overscroll-behavior: contain; scrollbar-width: thin; scrollbar-color: var(--line-strong) transparent; display: flex; flex-direction: column; }
.timeline:focus-visible { outline-offset: -3px; }
.timeline-contents { width: 100%; max-width: 60rem; margin: auto auto 0; padding: 1rem 1rem 0.5rem; }
.day-group, .timeline ol { display: flex; flex-direction: column; }
.older { padding: 0.75rem; color: var(--text-soft); font-size: var(--size-small); text-align: center; }
.beginning { display: grid; justify-items: center; gap: 0.4rem; padding: 2rem 1rem 1.25rem; color: var(--text-soft); text-align: center; font-size: var(--size-small); }
.beginning p { max-width: 27rem; text-wrap: balance; }
.beginning-name { color: var(--text); font-size: var(--size-large); font-weight: 650; }

.day { align-self: center; margin-block: 1.1rem 0.5rem; position: sticky; inset-block-start: 0.5rem; z-index: 1; }
.day { padding: 0.15rem 0.75rem; border-radius: 1rem; background: var(--sunken); color: var(--text-soft); font-size: 0.75rem; font-weight: 600; }
.unread-line { display: flex; align-items: center; gap: 0.75rem; margin-block: 0.9rem 0.5rem; color: var(--accent); font-size: 0.75rem; font-weight: 700; }
.unread-line::before, .unread-line::after { content: ""; flex: 1; border-block-start: 1px solid currentColor; opacity: 0.5; }

.message { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.15rem; padding-block-start: 0.125rem; border-radius: var(--radius); }
.message.first { padding-block-start: 0.6rem; }
.message:focus-visible { outline: none; }
.message:focus-visible .bubble { outline: 2px solid var(--accent); outline-offset: 2px; }
.message.mine { justify-content: flex-end; }
.message.mine .seal { order: -1; }
.bubble {
  --corner: 1.15rem; --tight: 0.3rem;
  display: flow-root; min-width: 0; max-width: min(78%, 36rem); padding: 0.45rem 0.8rem; border: 1px solid var(--theirs-line); border-radius: var(--corner); background: var(--theirs);
}
.mine .bubble { background: var(--mine); border-color: transparent; color: var(--on-mine); }
.theirs .bubble { border-start-start-radius: var(--tight); border-end-start-radius: var(--tight); }
.theirs.first .bubble { border-start-start-radius: var(--corner); }
.mine .bubble { border-start-end-radius: var(--tight); border-end-end-radius: var(--tight); }
.mine.first .bubble { border-start-end-radius: var(--corner); }
.failed .bubble { background: transparent; border: 1px dashed var(--danger); color: var(--text); }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.text a { color: inherit; text-decoration-thickness: 1px; }
.theirs .text a { color: var(--accent); }
.bubble .text a:focus-visible { outline-color: currentColor; }
.meta { float: inline-end; display: inline-flex; align-items: center; gap: 0.3rem; margin-block: 0.45rem -0.1rem; margin-inline: 0.75rem -0.1rem; color: var(--text-soft); font-size: 0.6875rem; line-height: 1; white-space: nowrap; user-select: none; }
.mine .meta { color: var(--on-mine-soft); }
.failed .meta { color: var(--danger); }
.resent { font-style: italic; }
.status .icon { width: 1rem; height: 1rem; margin-block: -0.15rem; }
.read .status { color: var(--signal); }
.seal {
  position: relative; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; padding: 0; border: 0; border-radius: 50%; background: transparent; color: var(--text-soft);
  opacity: 0; transition: opacity var(--quick);
}
.seal .icon { width: 1.05rem; height: 1.05rem; }
.seal:hover { background: var(--hover); color: var(--accent); }
.message:is(:hover, :focus-within) .seal, .seal:focus-visible { opacity: 1; }
@media (hover: none) { .seal { opacity: 1; color: var(--line-strong); } .seal::after { content: ""; position: absolute; inset: -0.25rem; } }
.failed-line { flex-basis: 100%; display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0.15rem 1rem; padding: 0.3rem 0.25rem; color: var(--danger); font-size: var(--size-small); text-align: end; }
.failed-acts { display: inline-flex; gap: 1rem; }

.notice-row { align-self: center; max-width: 34rem; margin-block: 0.7rem; border-radius: var(--radius); }
.notice-box { display: flex; align-items: flex-start; gap: 0.55rem; padding: 0.5rem 0.85rem; border-radius: var(--radius); color: var(--text-soft); font-size: var(--size-small); text-wrap: pretty; }
.notice-box .icon { width: 1.1rem; height: 1.1rem; margin-block-start: 0.05rem; }
.notice-row.calm .notice-box > .icon { color: var(--accent); }
.notice-row.warn .notice-box { background: var(--warn-soft); color: var(--warn-text); }
.notice-row.warn .link { color: inherit; }

.jump {
  position: absolute; inset-block-end: 0.75rem; inset-inline-end: 1rem; z-index: 2; display: grid; place-items: center; width: 2.75rem; height: 2.75rem; padding: 0; border: 1px solid var(--line); border-radius: 50%;
  background: var(--raised); color: var(--text); box-shadow: 0 0.5rem 1.25rem -0.5rem var(--shadow);
}
.jump:hover { background: var(--hover); }
.jump .badge { position: absolute; inset-block-start: -0.5rem; }
.typing-dots { display: inline-flex; gap: 0.3rem; margin-block-start: 0.6rem; padding: 0.75rem 0.9rem; border-radius: 1.15rem; background: var(--theirs); border: 1px solid var(--theirs-line); }
.typing-dots i { width: 0.4rem; height: 0.4rem; border-radius: 50%; background: var(--text-soft); animation: breathe 0.6s ease-in-out infinite alternate; }
.typing-dots i:nth-child(2) { animation-delay: 0.2s; }
.typing-dots i:nth-child(3) { animation-delay: 0.4s; }
@media (prefers-reduced-motion: reduce) { .typing-dots i, .pulse { animation: none; } }
@media (max-width: 45rem) {
  .timeline-contents { padding-inline: 0.6rem; }
  .bubble { max-width: 82%; }
}
@media (forced-colors: active) {
  .bubble, .avatar, .badge, .pill { border: 1px solid; }
}
`;
