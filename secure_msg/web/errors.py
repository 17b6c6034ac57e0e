"""The one place where a failure becomes a status and a problem document (RFC 9457)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from flask import Flask, Response, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from secure_msg.accounts.errors import AccountsError
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.http import Refusal
from secure_msg.ledger.transaction import Busy, Conflict, Damaged, StorageFailed, StorageFull
from secure_msg.messages.errors import MessagesError
from secure_msg.web.outer import note

LOG = logging.getLogger("secure_msg.web")

STATUS = {
    "malformed": 400,
    "not-signed-in": 401,
    "sign-in-failed": 401,
    "refused": 403,
    "cross-site": 403,
    "not-found": 404,
    "wrong-method": 405,
    "too-slow": 408,
    "conflict": 409,
    "stale-session": 409,
    "name-taken": 409,
    "too-large": 413,
    "wrong-type": 415,
    "name-refused": 422,
    "statement-refused": 422,
    "slow-down": 429,
    "internal": 500,
    "busy": 503,
    "read-only": 503,
    "storage-full": 507,
}

TITLES = {
    "malformed": "The request is not what it should be",
    "not-signed-in": "Sign in first",
    "sign-in-failed": "Name or key is wrong",
    "refused": "This is not allowed",
    "cross-site": "The request does not come from this site",
    "not-found": "There is nothing here",
    "wrong-method": "This method is not used here",
    "too-slow": "The request took too long to arrive",
    "conflict": "Something moved on; look again",
    "stale-session": "The session is not the current one",
    "name-taken": "The name is taken",
    "too-large": "The request is too large",
    "wrong-type": "The content type is not the one that is read here",
    "name-refused": "The name cannot be had",
    "statement-refused": "A statement does not hold",
    "slow-down": "Too many requests; wait",
    "internal": "Something failed here",
    "busy": "Too much to do; try again shortly",
    "read-only": "The server cannot write at the moment",
    "storage-full": "The server has no room at the moment; reading works, try again later",
}

_BY_HTTP_STATUS = {
    400: "malformed",
    404: "not-found",
    405: "wrong-method",
    408: "too-slow",
    413: "too-large",
    415: "wrong-type",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """`retry_after` in seconds."""

    kind: str
    detail: str = ""
    retry_after: int | None = None

    @property
    def status(self) -> int:
        return STATUS[self.kind]

    def body(self) -> bytes:
        document: dict[str, object] = {
            "type": f"/problems/{self.kind}",
            "title": TITLES[self.kind],
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return json.dumps(document).encode("ascii")

    def refusal(self) -> Refusal:
        return Refusal(self.status, self.kind, self.detail, self.retry_after)


class WebProblem(Exception):
    """A refusal by the web room itself."""

    def __init__(self, kind: str, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(kind)
        self.problem = Problem(kind, detail, retry_after)


def problem_of(error: Exception) -> Problem:
    """What is said about an error. The text of an exception never leaves the process."""
    found = Problem("internal")
    match error:
        case WebProblem():
            found = error.problem
        case AccountsError() | MessagesError():
            found = Problem(error.kind, error.detail)
        case MalformedData():
            found = Problem("malformed")
        case Conflict():
            found = Problem("conflict", error.what)
        case Busy():
            found = Problem("busy", retry_after=1)
        case StorageFull():
            found = Problem("storage-full", retry_after=30)
        case StorageFailed():
            found = Problem("read-only")
        case HTTPException() if error.code in _BY_HTTP_STATUS:
            found = Problem(_BY_HTTP_STATUS[error.code])
        case _:
            log_failure(error)
    return found


def log_failure(error: Exception) -> None:
    """Where it happened, without the exception's text, which might quote what was sent."""
    places = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    event = "damaged" if isinstance(error, Damaged) else "failure"
    LOG.error(event, extra={"fields": {"error": type(error).__name__, "at": places[-8:]}})


def respond(problem: Problem) -> Response:
    note(request.environ, "problem", problem.kind)
    response = Response(
        problem.body(), status=problem.status, content_type="application/problem+json"
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def init_errors(app: Flask) -> None:
    def rate_limited(error: RateLimitExceeded) -> Response:
        item = None if error.limit is None else error.limit.limit
        return respond(Problem("slow-down", retry_after=item.get_expiry() if item else 60))

    def http_error(error: HTTPException) -> Response:
        response = respond(problem_of(error))
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    def failed(error: Exception) -> Response:
        return respond(problem_of(error))

    app.register_error_handler(RateLimitExceeded, rate_limited)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, failed)
