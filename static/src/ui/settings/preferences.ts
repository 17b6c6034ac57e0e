import { type TemplateResult, html } from 'lit';
import type { App, Preferences } from '../../model/api.ts';
import { t } from '../i18n/language.ts';
import { attempt } from '../notices.ts';
import { View } from '../view.ts';

/** Language, appearance, read marks. */
export class PreferencesSection extends View {
  static override properties = { app: { attribute: false }, preferences: { attribute: false } };

  declare app: App;
  declare preferences: Preferences;

  #set(change: Partial<Preferences>): void {
    void attempt(() => this.app.setPreferences(change));
  }

  #choice<Value extends string>(name: string, title: string, chosen: Value, values: readonly (readonly [Value, string])[], set: (value: Value) => void): TemplateResult {
    return html`<fieldset class="choice"><legend>${title}</legend><div class="segments">${values.map(([value, label]) => html`<label>
      <input type="radio" name=${name} .checked=${value === chosen} @change=${() => set(value)} /><span>${label}</span></label>`)}</div></fieldset>`;
  }

  protected override render(): TemplateResult {
    const { language, theme, sendReadMarks } = this.preferences;
    return html`${this.#choice('theme', t('preferences.theme'), theme,
      [['auto', t('preferences.theme.auto')], ['light', t('preferences.theme.light')], ['dark', t('preferences.theme.dark')]], (value) => this.#set({ theme: value }))}
      ${this.#choice('language', t('preferences.language'), language,
        [['auto', t('preferences.auto')], ['en', 'English'], ['es', 'Español']], (value) => this.#set({ language: value }))}
      <label class="check switch"><input type="checkbox" role="switch" .checked=${sendReadMarks} aria-describedby="read-hint"
        @change=${(event: Event) => this.#set({ sendReadMarks: (event.target as HTMLInputElement).checked })} /><span>${t('preferences.read')}</span></label>
      <p class="hint" id="read-hint">${t('preferences.read.hint')}</p>`;
  }
}
customElements.define('sm-preferences', PreferencesSection);
