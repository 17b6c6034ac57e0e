import { css } from 'lit';

/** Every colour, size and duration of the product, once; both themes side by side. */
export const tokens = css`
:root {
  color-scheme: light dark;

  --ground: light-dark(#edf1ef, #0f1514);
  --surface: light-dark(#fafcfb, #151d1b);
  --raised: light-dark(#ffffff, #1d2725);
  --sunken: light-dark(#e3e9e6, #0b100f);
  --hover: light-dark(#e1e9e6, #1e2927);
  --selected: light-dark(#cfe3df, #24403c);
  --line: light-dark(#d5dedb, #2a3634);
  --line-strong: light-dark(#7b8a86, #72837e);

  --text: light-dark(#14201e, #e7eeec);
  --text-soft: light-dark(#4b5b57, #a5b5b0);

  --accent: light-dark(#17605f, #7fd0c6);
  --accent-hover: light-dark(#0f4d4c, #9addd5);
  --on-accent: light-dark(#ffffff, #06211f);
  --accent-soft: light-dark(#dcecea, #1c3532);
  --mine: light-dark(#1c6663, #1f5552);
  --on-mine: light-dark(#ffffff, #f0faf8);
  --on-mine-soft: light-dark(#d8ecea, #bfdad6);
  --theirs: light-dark(#ffffff, #222d2b);
  --theirs-line: light-dark(#dfe7e4, #222d2b);

  --signal: light-dark(#ffc04d, #f5b944);
  --on-signal: #2e1f00;
  --warn-soft: light-dark(#fdf0d5, #352a13);
  --warn-text: light-dark(#684600, #f4d9a0);
  --warn-line: light-dark(#e8cb8e, #5c4a22);
  --danger: light-dark(#a4262c, #ff9f99);
  --danger-fill: light-dark(#a4262c, #b3353a);
  --danger-soft: light-dark(#fbe9e8, #3a1f1f);
  --shadow: light-dark(rgb(20 40 36 / 0.14), rgb(0 0 0 / 0.5));
  --veil: light-dark(rgb(12 24 22 / 0.42), rgb(2 6 5 / 0.62));

  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Roboto Mono", "Noto Sans Mono", "DejaVu Sans Mono", monospace;
  --size-small: 0.8125rem;
  --size: 0.9375rem;
  --size-large: 1.125rem;
  --size-title: 1.5rem;

  --radius-small: 0.5rem;
  --radius: 0.75rem;
  --radius-large: 1.25rem;
  --target: 2.5rem;
  --bar: 3.75rem;
  --quick: 140ms ease-out;

  --safe-top: env(safe-area-inset-top, 0px);
  --safe-bottom: env(safe-area-inset-bottom, 0px);
  --safe-left: env(safe-area-inset-left, 0px);
  --safe-right: env(safe-area-inset-right, 0px);
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }

@media (pointer: coarse) {
  :root { --target: 2.75rem; }
}
@media (prefers-contrast: more) {
  :root {
    --text-soft: light-dark(#26332f, #d3dedb);
    --line: light-dark(#7b8a86, #72837e);
    --theirs-line: light-dark(#7b8a86, #72837e);
  }
}
@media (prefers-reduced-motion: reduce) {
  :root { --quick: 0ms; }
}
`;
