import { type PropertyValues, type TemplateResult, html, nothing } from 'lit';
import { type App, AppError, type Conversation, type Hex } from '../../model/api.ts';
import { icons } from '../icons.ts';
import { isolated, t } from '../i18n/language.ts';
import { errorText, notify } from '../notices.ts';
import { utf8Length } from '../text/format.ts';
import { View } from '../view.ts';

/** Content ["text", …] of docs/spec/e2ee.md section 4, in bytes of UTF-8. */
const LIMIT = 32_768;
const COUNT_FROM = LIMIT - 2_048;
const DRAFT_DELAY_MS = 100;
const TYPING_EVERY_MS = 3_000;

/** Where a message is written. Enter sends, Shift and Enter begins a line; with a finger's keyboard Enter begins a line. */
export class Composer extends View {
  static override properties = { app: { attribute: false }, conversation: { attribute: false }, text: { state: true } };

  declare app: App;
  declare conversation: Conversation;
  private declare text: string;
  #unsaved: { readonly thread: Hex; readonly timer: ReturnType<typeof setTimeout> } | null = null;
  #typedAt = -Infinity;
  #flush = (): void => this.#saveDraft();

  constructor() {
    super();
    this.text = '';
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('pagehide', this.#flush);
  }

  override disconnectedCallback(): void {
    removeEventListener('pagehide', this.#flush);
    this.#saveDraft();
    super.disconnectedCallback();
  }

  get #field(): HTMLTextAreaElement | null {
    return this.querySelector('textarea');
  }

  protected override willUpdate(changed: PropertyValues): void {
    const before = changed.get('conversation') as Conversation | undefined;
    if (changed.has('conversation') && before?.summary.thread !== this.conversation.summary.thread) {
      this.#saveDraft();
      this.text = this.conversation.draft;
    }
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has('text')) this.#grow();
    const before = changed.get('conversation') as Conversation | undefined;
    const switched = changed.has('conversation') && before?.summary.thread !== this.conversation.summary.thread;
    // A finger's keyboard would cover half of what was just opened.
    if (switched && matchMedia('(pointer: fine)').matches) this.#field?.focus();
  }

  /** As high as its text, to the limit that the style sheet sets. */
  #grow(): void {
    const field = this.#field;
    if (field === null) return;
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
  }

  #onInput(text: string): void {
    this.text = text;
    const { thread } = this.conversation.summary;
    if (this.#unsaved !== null) clearTimeout(this.#unsaved.timer);
    this.#unsaved = { thread, timer: setTimeout(() => this.#saveDraft(), DRAFT_DELAY_MS) };
    const now = performance.now();
    if (text !== '' && now - this.#typedAt > TYPING_EVERY_MS) {
      this.#typedAt = now;
      this.app.noteTyping(thread);
    }
  }

  #saveDraft(): void {
    if (this.#unsaved === null) return;
    const { thread, timer } = this.#unsaved;
    clearTimeout(timer);
    this.#unsaved = null;
    this.app.setDraft(thread, this.text);
  }

  #onKey(event: KeyboardEvent): void {
    // 229: the key belongs to an input method, in browsers that end the composition before the key.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (matchMedia('(pointer: coarse)').matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    void this.#send();
  }

  async #send(): Promise<void> {
    const { text } = this;
    const { thread } = this.conversation.summary;
    if (text.trim() === '' || utf8Length(text) > LIMIT) return;
    this.#onInput('');
    this.#saveDraft();
    this.#typedAt = -Infinity;
    this.#field?.focus();
    try {
      await this.app.send(thread, text);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (!this.#isKept(text)) this.#restore(thread, text, error);
    }
  }

  /** A message that failed says so in its place, with a way to try again. */
  #isKept(text: string): boolean {
    const items = this.app.state.open?.items ?? [];
    return items.some((item) => item.kind === 'message' && item.mine && item.text === text && (item.status === 'failed' || item.status === 'sending'));
  }

  /** What was refused before it became a message comes back into the field. */
  #restore(thread: Hex, text: string, error: AppError): void {
    notify(errorText(error), true);
    if (this.conversation.summary.thread === thread && this.text === '') this.#onInput(text);
  }

  protected override render(): TemplateResult {
    const bytes = utf8Length(this.text);
    const over = bytes > LIMIT;
    const ready = this.text.trim() !== '' && !over;
    return html`<form class="composer" @submit=${(event: Event) => { event.preventDefault(); void this.#send(); }}>
      <label class="visually-hidden" for="message">${t('composer.label', { name: isolated(this.conversation.summary.peer.name) })}</label>
      <div class="composer-field"><textarea id="message" rows="1" dir="auto" placeholder=${t('composer.placeholder')} .value=${this.text}
        aria-invalid=${over ? 'true' : nothing} aria-describedby="composer-count"
        @input=${(event: Event) => this.#onInput((event.target as HTMLTextAreaElement).value)} @keydown=${(event: KeyboardEvent) => this.#onKey(event)}
        @blur=${() => this.#saveDraft()}></textarea>
      <p id="composer-count" class="count ${over ? 'over' : ''}" role="status">${bytes < COUNT_FROM ? '' : over
        ? t('composer.over', { n: bytes - LIMIT }) : t('composer.left', { n: LIMIT - bytes })}</p></div>
      <button class="send" aria-label=${t('composer.send')} title=${t('composer.send')} ?disabled=${!ready}>${icons.send}</button>
    </form>`;
  }
}
customElements.define('sm-composer', Composer);
