import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import { icons } from '../icons.ts';
import { t } from '../i18n/language.ts';
import { View } from '../view.ts';
import './notice-list.ts';

/**
 * A modal dialog on the browser's own <dialog>: focus stays inside and returns afterwards, the page behind is inert.
 * Fires `closed`. Contents are drawn by `content`, a function of the caller.
 */
export class ModalDialog extends View {
  static override properties = {
    heading: {}, content: { attribute: false }, kind: {}, busy: { type: Boolean },
  };

  declare heading: string;
  declare content: () => unknown;
  declare kind: 'small' | 'wide' | 'alert';
  /** While true, neither Escape nor the button closes it. */
  declare busy: boolean;

  constructor() {
    super();
    this.heading = '';
    this.content = () => nothing;
    this.kind = 'small';
    this.busy = false;
  }

  get #dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog');
  }

  protected override firstUpdated(_changed: PropertyValues): void {
    this.#dialog?.showModal();
  }

  close(): void {
    this.#dialog?.close();
  }

  /** A browser may close a dialog over its page's objection (a second Escape, a back gesture): not while it is busy. */
  #onClose(): void {
    if (this.busy) this.#dialog?.showModal();
    else this.dispatchEvent(new CustomEvent('closed'));
  }

  protected override render(): TemplateResult {
    return html`<dialog class="modal ${this.kind}" aria-labelledby="dialog-title-${this.kind}" role=${this.kind === 'alert' ? 'alertdialog' : nothing}
      @cancel=${(event: Event) => this.busy && event.preventDefault()}
      @keydown=${(event: KeyboardEvent) => this.busy && event.key === 'Escape' && event.preventDefault()}
      @close=${(event: Event) => event.target === this.#dialog && this.#onClose()}
      @click=${(event: Event) => event.target === this.#dialog && !this.busy && this.kind !== 'alert' && this.close()}>
      <div class="modal-box">
        <header class="modal-head">
          <h2 id="dialog-title-${this.kind}" tabindex="-1" ?autofocus=${this.kind !== 'alert'}>${this.heading}</h2>
          ${this.kind === 'alert' || this.busy ? nothing : html`<button type="button" class="icon-button" @click=${() => this.close()}
            aria-label=${t('app.close')}>${icons.close}</button>`}
        </header>
        <div class="modal-body">${this.content()}</div>
      </div>
      <sm-notices></sm-notices>
    </dialog>`;
  }
}
customElements.define('sm-dialog', ModalDialog);

export interface Question {
  readonly title: string;
  readonly hint: unknown;
  readonly action: string;
  /** Nothing is destroyed by agreeing. */
  readonly safe?: boolean;
}

/** Asks before something that cannot be undone; true when the person agreed. */
export function confirmed(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = new ModalDialog();
    let answer = false;
    const choose = (agreed: boolean) => () => {
      answer = agreed;
      dialog.close();
    };
    dialog.kind = 'alert';
    dialog.heading = question.title;
    dialog.content = () => html`<p>${question.hint}</p>
      <div class="actions"><button type="button" class="button" autofocus @click=${choose(false)}>${t('app.cancel')}</button>
      <button type="button" class="button ${question.safe === true ? 'primary' : 'danger'}" @click=${choose(true)}>${question.action}</button></div>`;
    dialog.addEventListener('closed', () => {
      dialog.remove();
      resolve(answer);
    });
    (document.querySelector('secure-msg') ?? document.body).append(dialog);
  });
}
