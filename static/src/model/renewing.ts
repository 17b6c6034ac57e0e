/** A conversation after consent to a restoration (docs/spec/e2ee.md section 7): new sessions, and what was lost. */

import type { ConversationModel } from './conversation.ts';
import { isConflict } from './files.ts';

const MOST_TRIES = 8;

/** In the lane: the sessions that came back have read what they could, and go; lost messages of one's own are offered. */
export async function renewSessions(model: ConversationModel): Promise<void> {
  for (let tries = 1; model.file.abandon(); tries += 1) {
    try {
      const saving = await model.file.saving();
      await model.services.transactor.transact({ appends: [], puts: saving.puts });
      await saving.committed();
      break;
    } catch (error) {
      if (!isConflict(error) || tries === MOST_TRIES) throw error;
      await model.reloadAll();
      await model.catchUp();
    }
  }
  await offerLost(model);
}

async function offerLost({ services: { outbox }, hex, timeline, file }: ConversationModel): Promise<void> {
  for (const held of [...(await outbox.held(hex)), ...outbox.sent(hex)]) {
    const kept = timeline.has(held.id) || (await file.keyOf(held.id, held.sequence)) !== null;
    await (kept ? outbox.letGo(held) : outbox.offer(held));
  }
}
