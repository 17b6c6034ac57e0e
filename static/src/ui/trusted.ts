/**
 * The page's one Trusted Types policy of its own (Lit brings `lit-html`): it lets a worker be started from the
 * bundle's folder of this origin, and nothing else.
 */

interface TrustedTypePolicyFactory {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): { createScriptURL(address: string): unknown };
}

const WORKER_PATH = /^\/static\/(?:[\w.-]+\/)*worker[\w.-]*\.js$/;

/** The absolute address of a worker's script; TypeError for any that is not ours. */
export function checkWorkerUrl(address: string, base: string): string {
  const url = new URL(address, base);
  if (url.origin !== new URL(base).origin || !WORKER_PATH.test(url.pathname)) throw new TypeError('not a worker of this page');
  return url.href;
}

/** What `new Worker` takes: a TrustedScriptURL where the browser enforces them, which turns into the address as text. */
export function trustedWorkerUrl(address: string): string {
  const factory = (globalThis as { trustedTypes?: TrustedTypePolicyFactory }).trustedTypes;
  const rules = { createScriptURL: (asked: string): string => checkWorkerUrl(asked, location.href) };
  return (factory?.createPolicy('securemsg', rules) ?? rules).createScriptURL(address) as string;
}
