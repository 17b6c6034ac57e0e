import { auth } from './auth.ts';
import { base } from './base.ts';
import { chat } from './chat.ts';
import { overlays } from './overlays.ts';
import { timeline } from './timeline.ts';
import { tokens } from './tokens.ts';

/** Constructed style sheets: they need no permission for inline styles, and no request of their own. */
export function adoptStyles(target: Document): void {
  const sheets = [tokens, base, auth, chat, timeline, overlays].flatMap(({ styleSheet }) => styleSheet === undefined ? [] : [styleSheet]);
  target.adoptedStyleSheets = [...target.adoptedStyleSheets, ...sheets];
}
