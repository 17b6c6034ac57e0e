/**
 * A hint on a password, from what can honestly be said without a dictionary: its length, and whether it repeats
 * itself or the name. It is a hint, not a promise: the words under the field say so.
 */

export type Strength = 'empty' | 'short' | 'weak' | 'fair' | 'good' | 'strong';

/** Characters below which a new password is refused, by model/password. */
export const SHORTEST_PASSWORD = 8;

const STEPS: readonly (readonly [number, Strength])[] = [[20, 'strong'], [16, 'good'], [12, 'fair'], [SHORTEST_PASSWORD, 'weak']];

export function passwordStrength(password: string, name = ''): Strength {
  const characters = [...password.normalize('NFKC')];
  if (characters.length === 0) return 'empty';
  if (characters.length < SHORTEST_PASSWORD) return 'short';
  const effective = Math.min(characters.length - repeated(characters), characters.length - lengthOfName(password, name));
  return STEPS.find(([least]) => effective >= least)?.[1] ?? 'weak';
}

/** Characters that say nothing new: they go on with a row such as "aaa" or "123", or are some of very few. */
function repeated(characters: readonly string[]): number {
  const steps = characters.slice(1).map((character, at) => (character.codePointAt(0) ?? 0) - (characters[at]?.codePointAt(0) ?? 0));
  const predictable = steps.filter((step, at) => Math.abs(step) <= 1 && step === steps[at - 1]).length;
  const distinct = new Set(characters).size;
  return Math.max(predictable, characters.length - 2 * distinct);
}

function lengthOfName(password: string, name: string): number {
  const wanted = name.trim().toLowerCase();
  return wanted.length >= 3 && password.toLowerCase().includes(wanted) ? [...wanted].length : 0;
}
