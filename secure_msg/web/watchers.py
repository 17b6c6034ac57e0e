"""Who may read the figures of operation (docs/spec/http.md, "Ledger and operation")."""

from __future__ import annotations

from ipaddress import ip_address

from secure_msg.crypto.mac import equal
from secure_msg.web.origins import Origins, nobody_else_s
from secure_msg.web.outer import Environ

SCHEME = "bearer"
# Any of them says that somebody stands between, trusted or not.
FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)


class Watchers:
    """With a `token` whoever shows it; without one the machine's own people, asking directly."""

    def __init__(self, token: str, origins: Origins, *, proxied: bool) -> None:
        self._token = token.encode()
        self._origins = origins
        self._proxied = proxied

    def may(self, environ: Environ) -> bool:
        if self._token:
            return self._shows_token(environ)
        return not self._proxied and self._asks_here(environ)

    def _shows_token(self, environ: Environ) -> bool:
        scheme, _, shown = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        # WSGI gives header bytes as Latin-1.
        return scheme.lower() == SCHEME and equal(shown.encode("latin-1"), self._token)

    def _asks_here(self, environ: Environ) -> bool:
        """A proxy on this machine that nobody told us of comes from here too, and so would a page
        whose name was pointed here: neither is believed."""
        if any(name in environ for name in FORWARDED) or self._origins.foreign(environ):
            return False
        host = str(environ.get("HTTP_HOST", "")).lower()
        return nobody_else_s(host) and _loopback(str(environ.get("REMOTE_ADDR", "")))


def _loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
