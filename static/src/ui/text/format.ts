/** Times, sizes, names and fingerprints as people read them. Pure: `now` and the language are arguments. */

const DAY = 86_400_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

/** Making an Intl formatter is slow; there are a dozen different ones at most. */
function dateFormat(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = `${language} ${JSON.stringify(options)}`;
  const known = formatters.get(name) ?? new Intl.DateTimeFormat(language, options);
  formatters.set(name, known);
  return known;
}

/** A day of the local calendar as a word that sorts and compares: "2026-03-09". */
export function dayKey(time: number): string {
  const date = new Date(time);
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`;
}

/** Whole calendar days from `time` to `now`; summer time does not disturb it. */
export function daysBetween(time: number, now: number): number {
  const midnight = (at: number): number => Date.UTC(new Date(at).getFullYear(), new Date(at).getMonth(), new Date(at).getDate());
  return Math.round((midnight(now) - midnight(time)) / DAY);
}

export function clock(time: number, language: string): string {
  return dateFormat(language, { hour: '2-digit', minute: '2-digit' }).format(time);
}

function capitalise(text: string, language: string): string {
  const [first = '', ...rest] = text;
  return first.toLocaleUpperCase(language) + rest.join('');
}

/** "Today", "Yesterday", "Monday 2 March", with the year when it is another one. */
export function dayName(time: number, now: number, language: string): string {
  const days = daysBetween(time, now);
  if (days === 0 || days === 1) {
    return capitalise(new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-days, 'day'), language);
  }
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  const options: Intl.DateTimeFormatOptions = { weekday: 'long', day: 'numeric', month: 'long' };
  return capitalise(dateFormat(language, sameYear ? options : { ...options, year: 'numeric' }).format(time), language);
}

/** Short, for a list: the hour today, a weekday within a week, else a date. */
export function listTime(time: number, now: number, language: string): string {
  const days = daysBetween(time, now);
  if (days <= 0) return clock(time, language);
  if (days === 1) return capitalise(new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-1, 'day'), language);
  if (days < 7) return capitalise(dateFormat(language, { weekday: 'short' }).format(time), language);
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return dateFormat(language, sameYear ? { day: 'numeric', month: 'short' } : { day: 'numeric', month: 'short', year: 'numeric' }).format(time);
}

export function dateAndTime(time: number, language: string): string {
  return dateFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(time);
}

const SPANS: readonly (readonly [number, Intl.RelativeTimeFormatUnit])[] = [
  [365 * DAY, 'year'], [30 * DAY, 'month'], [DAY, 'day'], [3_600_000, 'hour'], [60_000, 'minute'],
];

/** "3 days ago", "now". */
export function ago(time: number, now: number, language: string): string {
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  const passed = Math.max(0, now - time);
  const span = SPANS.find(([length]) => passed >= length);
  return span === undefined ? relative.format(0, 'second') : relative.format(-Math.floor(passed / span[0]), span[1]);
}

/** Bytes in the unit that reads best, one decimal below ten. */
export function byteSize(bytes: number, language: string): string {
  const [value, unit] = bytes < 1000 ? [bytes, 'byte'] as const : bytes < 1_000_000 ? [bytes / 1000, 'kilobyte'] as const : [bytes / 1_000_000, 'megabyte'] as const;
  return new Intl.NumberFormat(language, { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/** Hexadecimal in groups that can be compared aloud; group sizes in characters. */
export function grouped(hex: string, size = 4): readonly string[] {
  return hex.match(new RegExp(`.{1,${size}}`, 'gu')) ?? [];
}

/** One or two letters: of the first two words of a name, or its first letter. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => word !== '');
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? '');
  return letters.join('').toUpperCase() || '?';
}

export const AVATAR_TONES = 10;

/** Which colour an account has: from its id, so that a name cannot choose it. */
export function avatarTone(account: string): number {
  const value = Number.parseInt(account.slice(0, 8), 16);
  return Number.isNaN(value) ? 0 : value % AVATAR_TONES;
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
