import { LitElement } from 'lit';
import { onLanguage } from './i18n/language.ts';

/** One column at a time; the style sheets say the same. */
export function isNarrow(): boolean {
  return matchMedia('(max-width: 45rem)').matches;
}

/**
 * What all views share. They render into the page itself rather than into shadow roots: password managers see the
 * forms, a selection may run over many messages, one style sheet serves print, and labels reach across components.
 */
export abstract class View extends LitElement {
  #stopLanguage: (() => void) | null = null;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopLanguage = onLanguage(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    this.#stopLanguage?.();
    super.disconnectedCallback();
  }
}
