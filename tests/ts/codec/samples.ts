/** Records with every kind of field; tests/codec/samples.py has the same. */

import {
  type Infer, bool, bytes, choice, fixed, int, many, maybe, nested, record, text, uint, union,
} from '../../../static/src/codec/schema.ts';

export const Inner = record('Inner', { level: int(-5, 5) });
export const Note = record('Note', { text: text(64) });
export const Nothing = record('Nothing', {});

export const Sample = record('Sample', {
  chainId: fixed(4),
  blob: bytes(300, 1),
  count: uint(),
  small: uint(1000),
  wide: int(),
  title: text(40, 1),
  flag: bool(),
  colour: choice('red', 'blue'),
  parts: many(fixed(2), 3),
  notes: many(maybe(nested(Note)), 4),
  previous: maybe(bytes(32)),
  inner: nested(Inner),
  body: union({ note: Note, in: Inner, none: Nothing }),
  reply: maybe(union({ note: Note, in: Inner })),
});
export type Sample = Infer<typeof Sample>;

// Held at compile time: a union is discriminated by its kind.
export function noteText(sample: Sample): string | null {
  return sample.body.kind === 'note' ? sample.body.text : null;
}
