"""The outermost WSGI layer: security headers on every response, and one log line a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from secure_msg.crypto.random import RandomBytes

LOG = logging.getLogger("secure_msg.requests")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Counted = Callable[[Mapping[str, str], int, float], None]
"""Is told of each request: its notes, its status, its seconds."""

PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types securemsg lit-html"
)
WORKER_CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"

_PERMISSIONS = (
    "accelerometer autoplay browsing-topics camera display-capture encrypted-media "
    "fullscreen gamepad geolocation gyroscope hid identity-credentials-get idle-detection "
    "local-fonts magnetometer microphone midi payment picture-in-picture "
    "publickey-credentials-create publickey-credentials-get screen-wake-lock serial "
    "storage-access usb window-management xr-spatial-tracking"
)

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _PERMISSIONS.split()),
    "X-Frame-Options": "DENY",
}
UNLESS_SET = {"Content-Security-Policy": PAGE_CSP, "Cache-Control": "no-store"}
HSTS = "max-age=31536000"

# Layers below copy the environment: what they note for the log goes into one shared dictionary.
NOTES = "secure_msg.notes"


def note(environ: Environ, name: str, value: str) -> None:
    """About this request: "route" (its template), "room", "problem" (a kind), "account" (cut)."""
    notes = environ.get(NOTES)
    if isinstance(notes, dict):
        notes[name] = value


def secured(headers: list[tuple[str, str]], *, https: bool) -> list[tuple[str, str]]:
    """The response's headers with ours: the fixed ones replace, the others fill in."""
    present = {name.lower() for name, _ in headers}
    fixed = {name.lower() for name in ALWAYS}
    kept = [(name, value) for name, value in headers if name.lower() not in fixed]
    kept.extend(ALWAYS.items())
    kept.extend(item for item in UNLESS_SET.items() if item[0].lower() not in present)
    if https:
        kept.append(("Strict-Transport-Security", HSTS))
    return kept


class Outer:
    def __init__(self, app: Wsgi, random: RandomBytes, counted: Counted) -> None:
        self._app = app
        self._random = random
        self._counted = counted

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = monotonic()
        request_id = self._random(8).hex()
        notes: dict[str, str] = {}
        environ[NOTES] = notes
        # A socket never calls start_response: it is logged as switched, when it ends.
        status = "101"

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status
            status = line[:3]
            https = environ["wsgi.url_scheme"] == "https"
            return start_response(
                line, [*secured(headers, https=https), ("X-Request-Id", request_id)], *rest
            )

        try:
            return self._app(environ, start)
        finally:
            seconds = monotonic() - began
            self._counted(notes, int(status), seconds)
            LOG.info(
                "request",
                extra={
                    "fields": {
                        "id": request_id,
                        "method": environ["REQUEST_METHOD"][:16],
                        "route": notes.get("route", "none"),
                        "status": int(status),
                        "ms": round(seconds * 1000, 1),
                        "account": notes.get("account", ""),
                    }
                },
            )
