/** Texts by key in the chosen language; placeholders are `{name}`, plural forms hang on `{n}`. */

import { en, type Entry, type Key } from './en.ts';
import { es } from './es.ts';

export type { Key } from './en.ts';
export type Language = 'en' | 'es';
export type Values = Readonly<Record<string, string | number>>;

export const CATALOGUES: Readonly<Record<Language, Readonly<Record<Key, Entry>>>> = { en, es };

const listeners = new Set<() => void>();
let current: Language = 'en';
let region = 'en';

export function language(): Language {
  return current;
}

/** The language with the browser's region (`en-GB`), for dates and numbers. */
export function locale(): string {
  return region;
}

/** The first of the browser's languages that there is a catalogue for. */
export function pickLanguage(wanted: Language | 'auto', offered: readonly string[]): Language {
  if (wanted !== 'auto') return wanted;
  const known = Object.keys(CATALOGUES) as Language[];
  for (const tag of offered) {
    const found = known.find((name) => baseOf(tag) === name);
    if (found !== undefined) return found;
  }
  return 'en';
}

/** The browser's own variant of a language, else the language alone. */
export function regionalTag(chosen: Language, offered: readonly string[]): string {
  return offered.find((tag) => baseOf(tag) === chosen) ?? chosen;
}

function baseOf(tag: string): string | undefined {
  return tag.toLowerCase().split('-')[0];
}

export function setLanguage(next: Language, offered: readonly string[] = []): void {
  const tag = regionalTag(next, offered);
  if (next === current && tag === region) return;
  current = next;
  region = tag;
  for (const listener of listeners) listener();
}

export function onLanguage(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function isKey(name: string): name is Key {
  return Object.hasOwn(en, name);
}

function pattern(key: Key, n: unknown): string {
  const entry = CATALOGUES[current][key];
  if (typeof entry === 'string') return entry;
  const form = typeof n === 'number' ? new Intl.PluralRules(current).select(n) : 'other';
  return form === 'one' ? entry.one : entry.other;
}

function shown(value: string | number | undefined): string {
  return typeof value === 'number' ? new Intl.NumberFormat(region).format(value) : value ?? '';
}

export function t(key: Key, values: Values = {}): string {
  return pattern(key, values['n']).replace(/\{(\w+)\}/g, (_all, name: string) => shown(values[name]));
}

/** The same with templates as values: parts for a Lit template. */
export function rich(key: Key, values: Readonly<Record<string, unknown>>): readonly unknown[] {
  return pattern(key, values['n']).split(/\{(\w+)\}/).map((part, at) => {
    if (at % 2 === 0) return part;
    const value = values[part];
    return typeof value === 'number' ? shown(value) : value;
  });
}

/** A name inside a sentence that is plain text: kept apart from the sentence's direction (UAX #9, FSI and PDI). */
export function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}
