/** What can be wrong with bytes or with an object, by whose fault (docs/spec/encoding.md). */

/** Base: a value breaks a rule. The text has the place and the rule, never the content. */
export class CodecError extends Error {
  #path = '';

  constructor(readonly what: string) {
    super(what);
  }

  override get name(): string {
    return 'CodecError';
  }

  get path(): string {
    return this.#path;
  }

  /** Puts `place` (a record's name, ".field" or "[index]") before the path, on the way out. */
  within(place: string): void {
    this.#path = place + this.#path;
    this.message = `${this.#path}: ${this.what}`;
  }
}

/** The bytes or JSON that came in are not what they should be. */
export class MalformedData extends CodecError {
  override get name(): string {
    return 'MalformedData';
  }
}

/** The caller's own object does not fit its schema. */
export class Unencodable extends CodecError {
  override get name(): string {
    return 'Unencodable';
  }
}

export type Fault = new (what: string) => CodecError;

/** Runs a step; a CodecError that it throws gets `place` before its path. */
export function at<T>(place: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof CodecError) error.within(place);
    throw error;
  }
}
