/** Which view is on, kept in the address behind "#": thread ids only, never a name. */

import type { Hex } from '../model/api.ts';

export type SettingsSection = 'security' | 'browsers' | 'password' | 'recovery' | 'preferences';

export type Route =
  | { readonly view: 'list' }
  | { readonly view: 'conversation'; readonly thread: Hex; readonly details: boolean }
  | { readonly view: 'settings'; readonly section: SettingsSection | null };

export const SECTIONS: readonly SettingsSection[] = ['security', 'browsers', 'password', 'recovery', 'preferences'];

const LIST: Route = { view: 'list' };

export function parseRoute(hash: string): Route {
  const [first, second, third, ...rest] = hash.replace(/^#\/?/, '').split('/');
  if (rest.length > 0) return LIST;
  if (first === 'c' && second !== undefined && /^[0-9a-f]{64}$/.test(second)) {
    return { view: 'conversation', thread: second, details: third === 'details' };
  }
  if (first === 'settings') return { view: 'settings', section: SECTIONS.find((section) => section === second) ?? null };
  return LIST;
}

export function formatRoute(route: Route): string {
  if (route.view === 'conversation') return `#/c/${route.thread}${route.details ? '/details' : ''}`;
  if (route.view === 'settings') return route.section === null ? '#/settings' : `#/settings/${route.section}`;
  return '#/';
}

export function navigate(route: Route, how: 'push' | 'replace' = 'push'): void {
  const target = formatRoute(route);
  if (location.hash === target || (location.hash === '' && target === '#/')) return;
  if (how === 'push') location.hash = target;
  else {
    history.replaceState(null, '', target);
    dispatchEvent(new HashChangeEvent('hashchange'));
  }
}
