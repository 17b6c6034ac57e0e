"""The application's one page, and what it loads."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, render_template, request

from secure_msg.web.assets import WORKER, Assets
from secure_msg.web.errors import WebProblem
from secure_msg.web.outer import WORKER_CSP

EXTENSION = "secure_msg.assets"
MAIN = "dist/main.js"
ICON = "favicon.svg"

routes = Blueprint("pages", __name__)


def assets() -> Assets:
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Assets):
        raise TypeError("the application has no assets")
    return found


@routes.get("/")
def index() -> Response:
    found = assets()
    page = render_template(
        "index.html",
        main=found.url(MAIN) if MAIN in found else None,
        styles=[found.url(path) for path in found.styles()],
        icon=found.url(ICON) if ICON in found else None,
    )
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    return response


@routes.get("/static/<path:path>")
def static_file(path: str) -> Response:
    found = assets().find(path)
    if found is None:
        raise WebProblem("not-found")
    asset, own, hashed = found
    packed = asset.gzipped is not None and request.accept_encodings.quality("gzip") > 0
    response = Response(
        asset.gzipped if packed and asset.gzipped is not None else asset.data,
        content_type=asset.content_type,
    )
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = (
        "public, max-age=31536000, immutable" if hashed else "no-cache"
    )
    if own == WORKER:
        response.headers["Content-Security-Policy"] = WORKER_CSP
    return response
