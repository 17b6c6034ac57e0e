/**
 * Message text as parts: plain text, and addresses that may be clicked. Only http, https and mailto are ever
 * made clickable; what does not parse as a URL, or hides its host behind a user name, stays text.
 */

export interface Link {
  readonly text: string;
  readonly href: string;
}

export type TextPart = string | Link;

// Bidirectional controls end an address: they could make it read as another one.
const CANDIDATE = /\b(?:https?:\/\/|mailto:)[^\s<>"\u0000-\u001f\u007f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/giu;
const TRAILING = /[.,;:!?'’”»…)\]}*_~]$/u;
const PAIRS: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
const LONGEST = 2048;

/** The address without the punctuation of the sentence around it; a closing bracket stays when it was opened inside. */
function trimTrailing(candidate: string): string {
  let address = candidate;
  while (TRAILING.test(address)) {
    const last = address[address.length - 1] ?? '';
    const opening = PAIRS[last];
    if (opening !== undefined && count(address, opening) >= count(address, last)) break;
    address = address.slice(0, -1);
  }
  return address;
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

/** The normalised address when it may be clicked, else null. */
export function safeHref(address: string): string | null {
  if (address.length > LONGEST || !URL.canParse(address)) return null;
  const url = new URL(address);
  if (url.protocol === 'mailto:') return /^[^@\s]+@[^@\s]+$/.test(url.pathname) ? url.href : null;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  if (url.username !== '' || url.password !== '' || url.hostname === '') return null;
  return url.href;
}

export function splitLinks(text: string): readonly TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const address = trimTrailing(match[0]);
    const href = safeHref(address);
    if (href === null) continue;
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push({ text: address, href });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}
