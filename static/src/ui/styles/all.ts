import { auth } from './auth.ts';
import { base } from './base.ts';
import { chat } from './chat.ts';
import { overlays } from './overlays.ts';
import { timeline } from './timeline.ts';

/**
 * The views' styles as constructed sheets: they need no permission for inline styles and come with the script.
 * Colours and sizes are those of static/css/page.css, which the page links.
 */
export function adoptStyles(target: Document): void {
  const sheets = [base, auth, chat, timeline, overlays].flatMap(({ styleSheet }) => styleSheet === undefined ? [] : [styleSheet]);
  target.adoptedStyleSheets = [...target.adoptedStyleSheets, ...sheets];
}
