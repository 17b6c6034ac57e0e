/** What can go wrong in the end-to-end protocol, by whose fault (docs/spec/e2ee.md, "Errors"). No text carries a secret. */

import { CodecError } from '../codec/errors.ts';
import { CryptoError, DecryptionFailed, InvalidSignature } from '../crypto/errors.ts';
import { LedgerError } from '../ledger/errors.ts';

export class ProtocolError extends Error {
  constructor(readonly rule: string) {
    super(rule);
  }

  override get name(): string {
    return 'ProtocolError';
  }
}

/** The other side broke a rule, which the text names. */
export class PeerViolation extends ProtocolError {
  override get name(): string {
    return 'PeerViolation';
  }
}

/** The server showed something that its chain contradicts. */
export class ServerViolation extends ProtocolError {
  override get name(): string {
    return 'ServerViolation';
  }
}

/** The private folder is older than what this account has already sent: sending stops. */
export class RolledBack extends ServerViolation {
  override get name(): string {
    return 'RolledBack';
  }
}

/** Something is not authentic; nothing changed. */
export class AuthenticationFailed extends ProtocolError {
  override get name(): string {
    return 'AuthenticationFailed';
  }
}

/** Authentic, but it was read before; nothing changed. */
export class Replayed extends AuthenticationFailed {}

/** A private file of a vault epoch whose key is not here: another tab or browser may just have begun it. */
export class UnknownEpoch extends AuthenticationFailed {}

/** A message begins a turn whose opening entry has not been seen. */
export class NeedsOpening extends ProtocolError {
  constructor(readonly opening: Uint8Array) {
    super("the turn's opening has not been seen");
  }

  override get name(): string {
    return 'NeedsOpening';
  }
}

/** Working keys are named that the account's chain, as far as it was read, does not have: read it again. */
export class NeedsAccount extends ProtocolError {
  constructor(readonly account: Uint8Array, readonly generation: number) {
    super("the account's chain, as far as it was read, lacks a generation");
  }

  override get name(): string {
    return 'NeedsAccount';
  }
}

/** There is no session to send in: a handshake comes first. */
export class StaleSession extends ProtocolError {
  override get name(): string {
    return 'StaleSession';
  }
}

/** The caller's own mistake. */
export class Misuse extends ProtocolError {
  override get name(): string {
    return 'Misuse';
  }
}

/** Runs a step over what a peer sent; what the codec, the cryptography or a proof refuses is the peer's violation. */
export async function fromPeer<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof InvalidSignature || error instanceof DecryptionFailed) {
      throw new AuthenticationFailed(`${what}: not authentic`);
    }
    if (error instanceof CodecError || error instanceof CryptoError || error instanceof LedgerError) {
      throw new PeerViolation(`${what}: ${error.message}`);
    }
    throw error;
  }
}
