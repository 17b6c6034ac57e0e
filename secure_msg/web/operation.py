"""Routes of docs/spec/http.md, "Ledger and operation"."""

from __future__ import annotations

import re

from flask import Blueprint, Response, current_app, jsonify, request

from secure_msg.codec.cbor import MAX_INT
from secure_msg.web.bodies import answer, read_number
from secure_msg.web.errors import WebProblem
from secure_msg.web.metrics import CONTENT_TYPE, EXTENSION, Metrics
from secure_msg.web.services import services
from secure_msg.web.watchers import Watchers

# C2SP tlog-tiles: groups of three digits, all but the last with an x; partial ones end in .p/<W>.
_TILE = re.compile(r"(entries|[0-9]|[1-5][0-9])/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[1-9][0-9]{0,2})?")
WATCHERS = "secure_msg.watchers"
_FOREVER = "public, max-age=31536000, immutable"

routes = Blueprint("operation", __name__)


@routes.get("/checkpoint")
def checkpoint() -> Response:
    return Response(services().store.checkpoint(), content_type="text/plain; charset=utf-8")


@routes.get("/tile/<path:path>")
def tile(path: str) -> Response:
    found = services().store.ledger_file(f"tile/{path}") if _TILE.fullmatch(path) else None
    if found is None:
        raise WebProblem("not-found")
    response = Response(found, content_type="application/octet-stream")
    response.headers["Cache-Control"] = _FOREVER
    return response


@routes.get("/api/log")
def log_news() -> Response:
    return answer(services().store.log_news(read_number("seen", MAX_INT)))


@routes.get("/healthz")
def health() -> Response:
    found = services()
    return jsonify(status=found.condition(), version=found.server.version)


@routes.get("/metrics")
def metrics() -> Response:
    watchers, found = current_app.extensions[WATCHERS], current_app.extensions[EXTENSION]
    if not isinstance(watchers, Watchers) or not isinstance(found, Metrics):
        raise TypeError("the application has no figures")
    if not watchers.may(request.environ):
        raise WebProblem("not-found")
    return Response(found.text(), content_type=CONTENT_TYPE)
