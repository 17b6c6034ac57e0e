/** What may be done to a conversation, with the question asked before what cannot be undone. */

import type { App, ConversationSummary } from '../../model/api.ts';
import { isolated, rich, t } from '../i18n/language.ts';
import { attempt } from '../notices.ts';
import { nameOf } from '../parts/avatar.ts';
import { confirmed } from '../parts/dialog.ts';
import { navigate } from '../router.ts';

export async function askToBlock(app: App, { thread, peer }: ConversationSummary): Promise<void> {
  const agreed = await confirmed({ title: t('block.title', { name: isolated(peer.name) }), hint: t('block.hint'), action: t('block.action') });
  if (agreed) await attempt(() => app.block(thread));
}

export async function askToDelete(app: App, { thread, peer }: ConversationSummary): Promise<void> {
  const agreed = await confirmed({ title: t('delete.title'), hint: rich('delete.hint', { name: nameOf(peer) }), action: t('delete.action') });
  if (!agreed) return;
  await attempt(async () => {
    await app.deleteConversation(thread);
    navigate({ view: 'list' }, 'replace');
  });
}

export async function askToDiscard(app: App, thread: string, key: string): Promise<void> {
  const agreed = await confirmed({ title: t('discard.title'), hint: t('discard.hint'), action: t('message.discard') });
  if (agreed) await attempt(() => app.discard(thread, key));
}

export async function unblock(app: App, thread: string): Promise<void> {
  await attempt(() => app.unblock(thread));
}
