/** What can go wrong between this browser and its server. */

/** The server answered no: a problem kind of docs/spec/http.md. */
export class RequestRefused extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    readonly detail: string,
    readonly retryAfter: number | null,
  ) {
    super(`${status} ${kind}`);
    this.name = 'RequestRefused';
  }
}

/** No answer came: whether the request was carried out is not known. */
export class Unreachable extends Error {
  constructor() {
    super('no answer from the server');
    this.name = 'Unreachable';
  }
}

/** The answer is not what the API promises. */
export class BadAnswer extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'BadAnswer';
  }
}
