/** The entry of the page's script. */

import { createApp } from '../model/app.ts';
import { mount } from './root.ts';
import { adoptStyles } from './styles/all.ts';
import { trustedWorkerUrl } from './trusted.ts';

const named = document.querySelector<HTMLMetaElement>('meta[name="worker"]')?.content;

adoptStyles(document);
mount(createApp({ deriveWorkerUrl: trustedWorkerUrl(named ?? new URL('worker.js', import.meta.url).href) }), document.getElementById('app') ?? document.body);
