import { type TemplateResult, html } from 'lit';
import { AppError } from '../../model/api.ts';
import { t } from '../i18n/language.ts';
import { errorText } from '../notices.ts';
import { View } from '../view.ts';

type Loaded<T> = { readonly kind: 'loading' } | { readonly kind: 'failed'; readonly error: AppError } | { readonly kind: 'loaded'; readonly value: T };

/** A view of something that is asked for when it opens, with a way to try again. */
export abstract class LoadedView<T> extends View {
  static override properties = { loaded: { state: true } };

  declare protected loaded: Loaded<T>;

  constructor() {
    super();
    this.loaded = { kind: 'loading' };
  }

  protected abstract ask(): Promise<T>;
  protected abstract show(value: T): TemplateResult;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  async load(): Promise<void> {
    try {
      this.loaded = { kind: 'loaded', value: await this.ask() };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.loaded = { kind: 'failed', error };
    }
  }

  protected override render(): TemplateResult {
    const { loaded } = this;
    if (loaded.kind === 'loading') return html`<p role="status">${t('settings.loading')}</p>`;
    if (loaded.kind === 'loaded') return this.show(loaded.value);
    return html`<p role="alert">${errorText(loaded.error)}</p><button type="button" class="button" @click=${() => {
      this.loaded = { kind: 'loading' };
      void this.load();
    }}>${t('settings.again')}</button>`;
  }
}
