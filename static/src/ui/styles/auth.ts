import { css } from 'lit';

/** The card before the conversations, the recovery code, long work. */
export const auth = css`
.auth {
  min-height: 100dvh; display: flex; flex-direction: column; align-items: center; justify-content: safe center; gap: 1rem;
  padding: calc(1.5rem + var(--safe-top)) calc(1rem + var(--safe-right)) calc(1.5rem + var(--safe-bottom)) calc(1rem + var(--safe-left));
  background: radial-gradient(60rem 40rem at 50% -12rem, var(--accent-soft), transparent), var(--ground);
}
.card { width: 100%; max-width: 27rem; padding: 2rem; border: 1px solid var(--line); border-radius: var(--radius-large); background: var(--surface); box-shadow: 0 1.5rem 3rem -1.5rem var(--shadow); }
.brand { display: flex; gap: 1rem; align-items: flex-start; margin-block-end: 1.75rem; }
.product { font-weight: 750; letter-spacing: 0.06em; font-size: var(--size); }
.promise { color: var(--text-soft); font-size: var(--size-small); text-wrap: pretty; }
.card h1 { margin-block-end: 0.5rem; }
.card form > .button { margin-block-start: 0.5rem; }
.ways { display: grid; gap: 0.35rem; margin-block-start: 1.5rem; padding-block-start: 1.25rem; border-block-start: 1px solid var(--line); color: var(--text-soft); font-size: var(--size-small); text-align: center; }
.offer { display: grid; gap: 0.4rem; margin-block: 1.25rem; padding: 1rem; border-radius: var(--radius); background: var(--ground); }
.offer .hint { padding-inline-start: 1.85rem; }
.offer .hint.strong { color: var(--danger); font-weight: 600; }
.no-reset { display: flex; gap: 0.65rem; font-size: var(--size-small); margin-block-end: 0.35rem; }
.no-reset .icon { color: var(--accent); }
.server { display: flex; align-items: center; gap: 0.4rem; color: var(--text-soft); font-size: var(--size-small); }
.server .icon { width: 1rem; height: 1rem; }
.starting { color: var(--text-soft); text-align: center; padding-block: 1.5rem; }
.card p + p, .work + p { margin-block-start: 0.5rem; }
.ways, .product + .promise { margin-block-start: 0; }
.card .ways { margin-block-start: 1.5rem; }

.work { display: grid; gap: 0.85rem; }
.work-now { font-weight: 600; color: var(--accent); }
.work progress { appearance: none; width: 100%; height: 0.5rem; border: 0; border-radius: 1rem; overflow: hidden; background: var(--line); }
.work progress::-webkit-progress-bar { background: var(--line); border-radius: 1rem; }
.work progress::-webkit-progress-value { background: var(--accent); border-radius: 1rem; transition: width 400ms ease-out; }
.work progress::-moz-progress-bar { background: var(--accent); border-radius: 1rem; }
.work progress.unknown { animation: breathe 1.6s ease-in-out infinite alternate; }
.steps { display: grid; gap: 0.4rem; color: var(--text-soft); }
.steps li { display: flex; align-items: center; gap: 0.6rem; }
.steps li.now { color: var(--text); font-weight: 600; }
.step-mark { display: grid; place-items: center; width: 1.25rem; height: 1.25rem; border-radius: 50%; border: 2px solid var(--line-strong); color: var(--on-accent); }
.step-mark .icon { width: 0.9rem; height: 0.9rem; }
.steps li.now .step-mark { border-color: var(--accent); border-inline-end-color: transparent; animation: turn 1s linear infinite; }
.steps li.done .step-mark { border-color: var(--accent); background: var(--accent); }
@keyframes breathe { to { opacity: 0.55; } }
@keyframes turn { to { rotate: 1turn; } }
@media (prefers-reduced-motion: reduce) {
  .work progress.unknown, .steps li.now .step-mark { animation: none; }
}

.recovery-code { display: grid; gap: 1rem; margin-block-start: 0.35rem; }
.recovery-code .note { margin-block: 0; }
.code-lead { color: var(--text-soft); }
.code {
  display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.6rem 0.25rem; padding: 1.1rem 0.75rem; border: 1px dashed var(--line-strong); border-radius: var(--radius);
  background: var(--raised); font-size: 1.3rem; font-weight: 600; letter-spacing: 0.06em; text-align: center; user-select: all;
}
@media (max-width: 30rem) {
  .card { padding: 1.5rem 1.25rem; }
  .auth { justify-content: flex-start; }
}
@media (max-width: 24rem) { .code { grid-template-columns: repeat(2, 1fr); } }
`;
