/** What the browser must have; without it the page says so in a sentence. */

/** Names of what is missing, in the words of the catalogue. */
export function missingFeatures(): readonly string[] {
  const needs: ReadonlyArray<readonly [name: string, present: boolean]> = [
    ['secure-context', globalThis.isSecureContext === true],
    ['webcrypto', globalThis.crypto?.subtle !== undefined],
    ['indexeddb', globalThis.indexedDB !== undefined],
    ['worker', typeof Worker === 'function'],
    ['webassembly', typeof WebAssembly === 'object'],
    ['locks', globalThis.navigator?.locks !== undefined],
    ['websocket', typeof WebSocket === 'function'],
  ];
  return needs.filter(([, present]) => !present).map(([name]) => name);
}
