/** What somebody does in conversations: the actions of App that begin and end in one of them. */

import { fromHex, toBase64url, toHex } from '../crypto/bytes.ts';
import { type Http, type JsonObject, field } from '../net/http.ts';
import { type App, AppError, type Conversation, type Hex, type MessageProtection, type Person } from './api.ts';
import { acting } from './apperrors.ts';
import { ConversationModel } from './conversation.ts';
import type { SignedIn } from './signedin.ts';
import { conversationOf } from './snapshot.ts';
import { bytesField } from './unlocking.ts';

const MAX_TEXT = 32_768;
const MIN_QUERY = 2;

type Acts =
  | 'searchPeople' | 'openWith' | 'openConversation' | 'closeConversation' | 'loadOlder' | 'markRead' | 'setDraft' | 'noteTyping'
  | 'send' | 'retry' | 'discard' | 'accept' | 'deleteConversation' | 'block' | 'unblock' | 'askAgain' | 'protection';

export class Talking implements Pick<App, Acts> {
  readonly #http: Http;
  readonly #signedIn: () => SignedIn | null;
  readonly #changed: () => void;
  #thread: string | null = null;
  #firstUnread: string | null = null;

  constructor(http: Http, signedIn: () => SignedIn | null, changed: () => void) {
    this.#http = http;
    this.#signedIn = signedIn;
    this.#changed = changed;
  }

  /** The conversation that is looked at, in hex. */
  get thread(): string | null {
    return this.#thread;
  }

  shown(): Conversation | null {
    const model = this.#thread === null ? null : this.#find(this.#thread);
    return model === null ? null : conversationOf(model, this.#firstUnread);
  }

  /** The models are new ones: what was looked at still is. */
  again(): void {
    this.#signedIn()?.following.look(this.#thread);
  }

  #active(): SignedIn {
    const signedIn = this.#signedIn();
    if (signedIn === null) throw new AppError('unexpected', 'not-signed-in');
    return signedIn;
  }

  #find(thread: Hex): ConversationModel | null {
    return this.#signedIn()?.following.get(thread) ?? null;
  }

  #model(thread: Hex): ConversationModel {
    const model = this.#active().following.get(thread);
    if (model === null) throw new AppError('not-found');
    return model;
  }

  searchPeople(query: string): Promise<readonly Person[]> {
    return acting(async () => {
      const asked = query.trim();
      if ([...asked].length < MIN_QUERY) return [];
      const answer = await this.#http.getJson(`/api/directory?q=${encodeURIComponent(asked)}`);
      const people = Array.isArray(answer['people']) ? (answer['people'] as readonly JsonObject[]) : [];
      const me = toHex(this.#active().account);
      return people
        .map((person) => ({ account: toHex(bytesField(person, 'account', 32)), name: field(person, 'name', 'string') }))
        .filter(({ account }) => account !== me);
    });
  }

  openWith(account: Hex): Promise<Hex> {
    return acting(async () => {
      const peer = fromHex(account);
      const answer = await this.#http.sendJson('POST', '/api/threads', { peer: toBase64url(peer) });
      const thread = toHex(bytesField(answer, 'thread', 32));
      const { people, following } = this.#active();
      const view = await people.view(peer);
      await following.hold(account, thread, view.name, field(answer, 'size', 'number'));
      this.#changed();
      return thread;
    });
  }

  openConversation(thread: Hex): Promise<void> {
    return acting(async () => {
      const model = this.#model(thread);
      this.#thread = thread;
      this.#firstUnread = model.timeline.unreadAfter(model.file.state.read)[0]?.key ?? null;
      this.#active().following.look(thread);
      this.#changed();
    });
  }

  closeConversation(): void {
    this.#thread = null;
    this.#firstUnread = null;
    this.#signedIn()?.following.look(null);
    this.#changed();
  }

  async loadOlder(): Promise<void> {
    const model = this.#thread === null ? null : this.#find(this.#thread);
    if (model === null || !model.history.hasOlder) return;
    await acting(() => model.lane.run(() => model.history.loadOlder()));
    this.#changed();
  }

  markRead(): void {
    if (this.#thread !== null) this.#find(this.#thread)?.markRead();
  }

  setDraft(thread: Hex, text: string): void {
    this.#active().outbox.setDraft(thread, text);
    this.#changed();
  }

  noteTyping(thread: Hex): void {
    this.#find(thread)?.noteTyping();
  }

  send(thread: Hex, text: string): Promise<void> {
    return acting(async () => {
      if (text.trim() === '') return;
      if (new TextEncoder().encode(text).length > MAX_TEXT) throw new AppError('too-long');
      this.#firstUnread = null;
      await this.#active().send(thread, text);
    });
  }

  retry(thread: Hex, key: string): Promise<void> {
    return acting(() => this.#active().retry(thread, key));
  }

  discard(_thread: Hex, key: string): Promise<void> {
    return acting(async () => {
      await this.#active().outbox.delete(key);
      this.#changed();
    });
  }

  accept(thread: Hex): Promise<void> {
    return acting(() => this.#model(thread).setContact('accepted'));
  }

  deleteConversation(thread: Hex): Promise<void> {
    return acting(async () => {
      const model = this.#model(thread);
      await model.clear();
      await model.setContact('deleted');
      if (this.#thread === thread) this.closeConversation();
    });
  }

  block(thread: Hex): Promise<void> {
    return acting(() => this.#model(thread).setContact('blocked'));
  }

  unblock(thread: Hex): Promise<void> {
    return acting(() => this.#model(thread).setContact('accepted'));
  }

  askAgain(thread: Hex, key: string): Promise<void> {
    return acting(async () => {
      const id = ConversationModel.askedId(key);
      const sender = this.#active().following.sender(thread);
      if (id === null || sender === null) throw new AppError('not-found');
      await sender.askAgain([id]);
      this.#model(thread).timeline.asked(key);
      this.#changed();
    });
  }

  protection(thread: Hex, key: string): Promise<MessageProtection | null> {
    return acting(() => this.#model(thread).history.protection(key));
  }
}
