"""What a socket asks, and what it is answered (docs/spec/http.md, "Realtime")."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from secure_msg.accounts.sessions import SignedIn
from secure_msg.codec.http import TransactRequest, TypingSent
from secure_msg.codec.realtime import Asked, Message, Told
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.web import limits as rates
from secure_msg.web.errors import WebProblem, problem_of
from secure_msg.web.limits import Limits
from secure_msg.web.metrics import Metrics
from secure_msg.web.services import Services

TRANSACT_LIMIT = 4 * 1024 * 1024
TYPING_LIMIT = 64

Typing = Callable[[bytes, bytes], None]
"""Tells the other member (second) that somebody types in a thread (first)."""


class Answers:
    def __init__(self, found: Services, limits: Limits, metrics: Metrics) -> None:
        self._found = found
        self._limits = limits
        self._metrics = metrics

    def lives(self, who: SignedIn) -> bool:
        """Whether a session has not ended. Raises StoreError."""
        return self._found.sessions.alive(who, self._found.now())

    def answer(
        self, who: SignedIn, asked: Message, origin: str, typing: Typing
    ) -> tuple[Told, bytes]:
        """The kind and payload that answer `asked`; `origin` is the asking socket."""
        began = perf_counter()
        try:
            return Told.DONE, self._carried_out(who, asked, origin, typing)
        except Exception as error:  # noqa: BLE001  here a socket's failure becomes its answer
            problem = problem_of(error)
            self._metrics.refused(problem.kind)
            return Told.REFUSED, to_bytes(problem.refusal())
        finally:
            self._metrics.asked(asked.kind, perf_counter() - began)

    def _carried_out(self, who: SignedIn, asked: Message, origin: str, typing: Typing) -> bytes:
        self._require_session(who)
        match asked.kind:
            case Asked.TRANSACT:
                return self._transact(who, asked.payload, origin)
            case Asked.SYNC:
                return to_bytes(self._found.reading.threads(who.account))
            case Asked.TYPING:
                return self._typing(who, asked.payload, typing)
            case _:
                raise WebProblem("malformed", "kind")

    def _transact(self, who: SignedIn, payload: bytes, origin: str) -> bytes:
        self._limits.require(rates.TRANSACTIONS, who.account.hex())
        request = from_bytes(TransactRequest, payload, limit=TRANSACT_LIMIT)
        self._limits.require_transaction(who.account, request)
        return to_bytes(self._found.transact.run(who.account, request, origin))

    def _typing(self, who: SignedIn, payload: bytes, typing: Typing) -> bytes:
        thread = from_bytes(TypingSent, payload, limit=TYPING_LIMIT).thread
        typing(thread, self._found.reading.other_member(who.account, thread))
        return b""

    def _require_session(self, who: SignedIn) -> None:
        """Raises WebProblem unless the socket's session lives and may act."""
        now = self._found.now()
        if not self._found.sessions.alive(who, now):
            raise WebProblem("not-signed-in")
        if self._found.writable():
            self._found.sessions.seen(who, now)
