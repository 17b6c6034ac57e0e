/** What this browser remembers of people, put back over a file that came back from a copy. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes } from '../../../static/src/crypto/bytes.ts';
import { type Contact, Contacts } from '../../../static/src/e2ee/vaultfiles.ts';
import { AddressBook } from '../../../static/src/model/contacts.ts';

function contact(mark: number, change: Partial<Contact> = {}): Contact {
  const bytes = new Uint8Array(32).fill(mark);
  return { account: bytes, name: `person ${mark}`, fingerprint: bytes, state: 'accepted', verified: false, thread: bytes, added: mark, ...change };
}

/** An address book over one file in memory. */
async function bookOf(...contacts: Contact[]): Promise<{ book: AddressBook; stored: () => readonly Contact[] }> {
  let data = Contacts.encode({ contacts });
  let version = 1;
  const folder = {
    read: async () => ({ version, data }),
    put: async (_label: string, blob: Uint8Array, expected: number) => ({ path: new Uint8Array(32), expected, blob, delete: false }),
    noteCommitted: async () => undefined,
  };
  const transactor = { transact: async ({ puts }: { puts: readonly { blob: Uint8Array; expected: number }[] }) => {
    data = puts[0]!.blob;
    version = puts[0]!.expected + 1;
  } };
  const book = new AddressBook(folder as never, transactor as never, () => 0, () => undefined);
  await book.load();
  return { book, stored: () => Contacts.decode(data).contacts };
}

test('attack 20: a pin that the copy does not have yet comes back, so that no other root is accepted under its account', async () => {
  const { book, stored } = await bookOf(contact(1));
  await book.merge({ contacts: [contact(1), contact(2, { verified: true })] });
  assert.equal(stored().length, 2);
  assert.ok(equalBytes(book.pin(contact(2).account) ?? new Uint8Array(0), contact(2).fingerprint));
  assert.equal(book.find(contact(2).account)?.verified, true);
});

test('what was decided after the copy counts', async () => {
  const { book } = await bookOf(contact(1), contact(2, { state: 'request' }));
  await book.merge({ contacts: [contact(1, { state: 'blocked' }), contact(2)] });
  assert.equal(book.find(contact(1).account)?.state, 'blocked');
  assert.equal(book.find(contact(2).account)?.state, 'accepted');
});

test('whom this browser does not remember stays as the copy has them', async () => {
  const { book, stored } = await bookOf(contact(1), contact(3, { state: 'blocked' }));
  await book.merge({ contacts: [contact(1)] });
  assert.equal(stored().length, 2);
  assert.equal(book.find(contact(3).account)?.state, 'blocked');
});
