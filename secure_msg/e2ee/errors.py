"""What an end-to-end step refuses, by whose fault (docs/spec/e2ee.md, "Errors").

A step that raises has changed nothing: its caller goes on with the state that it had.
No text carries key material or content.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from secure_msg.codec.errors import CodecError
from secure_msg.crypto.errors import CryptoError, DecryptionFailed, InvalidSignature
from secure_msg.ledger.errors import LedgerError


class ProtocolError(Exception):
    """Base; `rule` names what does not hold."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class PeerViolation(ProtocolError):
    """The other side broke the protocol."""


class ServerViolation(ProtocolError):
    """The server showed something that cannot be true."""


class RolledBack(ServerViolation):
    """An own entry is unknown: reload the session file; if that is no newer, it is an old one."""


class AuthenticationFailed(ProtocolError):
    """Bytes that nobody who may speak here has made."""


class Replayed(AuthenticationFailed):
    """A message that was read before."""


class NeedsOpening(ProtocolError):
    """The turn's opening is not at hand; fetch it by its id and try again."""

    def __init__(self, opening: bytes) -> None:
        super().__init__("the turn's opening is missing")
        self.opening = opening


class NeedsAccount(ProtocolError):
    """The account's chain has gone on: fetch it again and repeat the step with `refreshed`."""

    def __init__(self, account: bytes, generation: int) -> None:
        super().__init__("a generation that the account's view does not have")
        self.account = account
        self.generation = generation


class StaleSession(ProtocolError):
    """There is no session to send in: a new one needs the peer's bundle."""


class Misuse(ProtocolError):
    """The caller's own mistake."""


@contextmanager
def peers_fault(what: str) -> Iterator[None]:
    """What the layers below refuse of the peer's bytes is the peer's violation, or nobody's."""
    try:
        yield
    except (InvalidSignature, DecryptionFailed):
        raise AuthenticationFailed(f"{what}: not authentic") from None
    except (CodecError, CryptoError, LedgerError) as error:
        raise PeerViolation(f"{what}: {error}") from None
